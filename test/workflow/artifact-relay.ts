import { once } from 'node:events';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A way to act's artifact server that today's artifact client can go. */
export type ArtifactRelay = {
  /** For ACTIONS_RUNTIME_URL. */
  readonly url: string;
  close(): Promise<void>;
};

/**
 * Passes requests on to act's artifact server. Of the upload addresses that the server signs, the client's URL code
 * drops the `=` at the end of the signature (GitHub's own are percent-encoded and keep it), and the server then
 * refuses the upload with 401; here the `=` is put back.
 */
export async function startArtifactRelay(port: number): Promise<ArtifactRelay> {
  const server = createServer((incoming, response) => {
    const { method, headers } = incoming;
    // 43 characters of base64 for 32 bytes lack one of padding.
    const path = (incoming.url ?? '/').replace(/([?&]sig=[\w-]{43})(?=&|$)/, '$1=');
    // The Host header stays as it is: the server signs addresses of the host that it was asked at.
    const onward = request({ host: '127.0.0.1', port, method, path, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    onward.on('error', () => response.destroy());
    incoming.pipe(onward);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    close: async () => {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}
