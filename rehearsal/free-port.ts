import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

// Below the range from which Linux takes the ports of outgoing connections (32768 and up): a
// port from that range could be taken while the server that owns it restarts.
const lowest = 20_000;
const highest = 31_999;
const attempts = 200;

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(false));
    probe.listen({ port, host: '127.0.0.1', exclusive: true }, () => {
      probe.close(() => resolve(true));
    });
  });
}

/**
 * A TCP port on which nobody listens at 127.0.0.1 now. Somebody else may take it before the
 * caller does: whoever starts a server on it tries again with another one.
 */
export async function findFreePort(): Promise<number> {
  for (let attempt = 0; attempt < attempts; attempt += 1) {
    const port = randomInt(lowest, highest + 1);
    if (await isFree(port)) return port;
  }
  throw new Error(
    `No free TCP port on 127.0.0.1 between ${lowest} and ${highest} after ${attempts} tries. ` +
      'Nothing was started. End what occupies them and try again.',
  );
}
