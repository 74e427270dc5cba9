import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import {
  createServer as createTcpServer,
  type AddressInfo,
  type Server as TcpServer,
} from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { nodeHttp } from '../../src/http/node-http.ts';
import { makeTemporaryFolder, type TemporaryFolder } from '../../rehearsal/temporary-folder.ts';

let folder: TemporaryFolder;
const open: TcpServer[] = [];

beforeAll(async () => {
  folder = await makeTemporaryFolder('node-http');
});
afterAll(() => folder.remove());
afterEach(async () => {
  for (const server of open.splice(0)) {
    if ('closeAllConnections' in server) (server as Server).closeAllConnections();
    server.close();
    await once(server, 'close');
  }
});

async function listen(server: TcpServer): Promise<string> {
  open.push(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const serve = (handler: (request: IncomingMessage, response: ServerResponse) => void) =>
  listen(createServer(handler));

/** A port that was free a moment ago. */
async function closedPort(): Promise<string> {
  const place = await listen(createTcpServer());
  const server = open.pop()!;
  server.close();
  await once(server, 'close');
  return place;
}

function openssl(...args: string[]): void {
  const { status, stderr } = spawnSync('openssl', args, { cwd: folder.path, encoding: 'utf8' });
  if (status !== 0) throw new Error(`openssl ${args.join(' ')}: ${stderr}`);
}

/** A certificate that signs itself, valid for some days from now (negative: expired). */
function certificate(name: string, days: number, altName: string): { key: string; cert: string } {
  const [key, request, cert] = ['key', 'csr', 'pem'].map((end) => `${name}.${end}`);
  openssl(
    ...['req', '-new', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'],
    ...[
      '-keyout',
      key!,
      '-out',
      request!,
      '-subj',
      `/CN=${name}`,
      '-addext',
      `subjectAltName=${altName}`,
    ],
  );
  openssl(
    ...['x509', '-req', '-in', request!, '-signkey', key!, '-copy_extensions', 'copy'],
    ...['-days', String(days), '-out', cert!],
  );
  const read = (file: string): string => readFileSync(join(folder.path, file), 'utf8');
  return { key: read(key!), cert: read(cert!) };
}

describe('an answer', () => {
  test('has status, lower-case headers, body and duration; redirects are answers', async () => {
    const place = await serve((_, response) => {
      response.writeHead(302, {
        Location: '/elsewhere',
        'X-Maintenance': 'w-1',
        'Set-Cookie': ['a=1', 'b=2'],
      });
      response.end('grüezi');
    });
    const reply = await nodeHttp().request({ url: `http://${place}/` });
    expect(reply).toMatchObject({
      kind: 'answer',
      status: 302,
      headers: { location: '/elsewhere', 'x-maintenance': 'w-1', 'set-cookie': 'a=1, b=2' },
      body: 'grüezi',
    });
    expect(reply.seconds).toBeGreaterThan(0);
  });

  test('method, headers and body arrive; each request has a connection of its own', async () => {
    const seen: unknown[] = [];
    const ports = new Set<number | undefined>();
    const place = await serve((request, response) => {
      ports.add(request.socket.remotePort);
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const { method, url, headers } = request;
        seen.push([method, url, headers.host, headers['x-bypass'], String(Buffer.concat(chunks))]);
        response.end();
      });
    });
    const http = nodeHttp();
    const url = `http://${place}/orders?x=1`;
    const headers = { 'X-Bypass': 'key', Host: 'shop.example', Connection: 'keep-alive' };
    await http.request({ url, method: 'post', headers, body: 'ä' });
    await http.request({ url, headers });
    expect(seen).toEqual([
      ['POST', '/orders?x=1', 'shop.example', 'key', 'ä'],
      ['GET', '/orders?x=1', 'shop.example', 'key', ''],
    ]);
    expect(ports.size).toBe(2);
  });

  test('of an endless body the first MiB is read', async () => {
    const place = await serve((_, response) => {
      const more = (): void => {
        while (response.write('x'.repeat(65536)));
        response.once('drain', more);
      };
      more();
    });
    const reply = await nodeHttp().request({ url: `http://${place}/` });
    expect(reply.kind === 'answer' && reply.body.length).toBe(1024 * 1024);
  });
});

describe('another address behind the name', () => {
  test('is where the request goes, with the name of the URL', async () => {
    const other = await serve((_, response) => response.end('other'));
    const asked = await serve((request, response) => response.end(request.headers.host));
    const [host = '', port = ''] = asked.split(':');
    const http = nodeHttp();
    const connectTo = { host, port: Number(port) };
    const bodyOf = async (url: string) => {
      const reply = await http.request({ url, connectTo });
      return reply.kind === 'answer' ? reply.body : reply.reason;
    };
    expect(await bodyOf('http://shop.example.org/path')).toBe('shop.example.org');
    expect(await bodyOf('http://shop.example.org:8443/')).toBe('shop.example.org:8443');
    // The URL has an address of its own, at which somebody answers.
    expect(await bodyOf(`http://${other}/`)).toBe(other);
  });

  test('behind something that ends TLS is asked in plain HTTP, and told so', async () => {
    const asked = await serve(({ headers, url }, response) =>
      response.end(`${headers.host} ${String(headers['x-forwarded-proto'])} ${url}`),
    );
    const [host = '', port = ''] = asked.split(':');
    const connectTo = { host, port: Number(port), scheme: 'http' } as const;
    const bodyOf = async (url: string) => {
      const reply = await nodeHttp().request({ url, connectTo });
      return reply.kind === 'answer' ? reply.body : reply.reason;
    };
    expect(await bodyOf('https://shop.example.org/a?b=c')).toBe('shop.example.org https /a?b=c');
    expect(await bodyOf('https://shop.example.org:8443/')).toBe('shop.example.org:8443 https /');
    expect(await bodyOf('http://shop.example.org/')).toBe('shop.example.org undefined /');
  });

  test('of TLS is asked for the certificate of the name', async () => {
    const { key, cert } = certificate('behind', 2, 'DNS:shop.example.org');
    const place = await listen(
      createTlsServer({ key, cert }, (_, response) => response.end('by TLS')),
    );
    const [host = '', port = ''] = place.split(':');
    const http = nodeHttp({ extraCa: cert });
    const connectTo = { host, port: Number(port) };
    const request = (url: string) => http.request({ url, connectTo });
    expect(await request('https://shop.example.org/')).toMatchObject({ body: 'by TLS' });
    expect(await request('https://other.example.org/')).toMatchObject({ kind: 'no-answer' });
  });
});

describe('no answer, and why', () => {
  const reasonFor = async (
    url: string,
    http = nodeHttp(),
    timeoutSeconds = 10,
  ): Promise<string> => {
    const reply = await http.request({ url, timeoutSeconds });
    return reply.kind === 'no-answer' ? reply.reason : `status ${reply.status}`;
  };

  test('nobody listens', async () => {
    const place = await closedPort();
    // User and password of a URL are no business of a log.
    expect(await reasonFor(`http://me:secret@${place}/`)).toBe(
      `connection refused by ${place} [ECONNREFUSED]`,
    );
  });

  test('nobody listens at any address of a name', async () => {
    const port = (await closedPort()).split(':')[1];
    expect(await reasonFor(`http://localhost:${port}/`)).toBe(
      `connection refused by localhost:${port} [ECONNREFUSED]`,
    );
  });

  test.each(['ftp://example.org/', 'no url', 'file:///etc/passwd'])(
    '%s is no web address',
    async (url) => {
      expect(await reasonFor(url)).toBe('the URL is not one of http:// or https://');
    },
  );

  test('the connection is closed before an answer', async () => {
    const place = await listen(
      createTcpServer((socket) => socket.on('data', () => socket.destroy())),
    );
    expect(await reasonFor(`http://${place}/`)).toBe(
      `${place} closed the connection without a complete answer [ECONNRESET]`,
    );
  });

  test('the connection is closed within the body', async () => {
    const place = await serve((_, response) => {
      response.writeHead(200, { 'content-length': '100' });
      response.write('half', () => response.destroy());
    });
    expect(await reasonFor(`http://${place}/`)).toBe(
      `${place} closed the connection without a complete answer [ECONNRESET] (status 200 had arrived, its body not all)`,
    );
  });

  test('something other than HTTP answers', async () => {
    const place = await listen(
      createTcpServer((socket) => socket.resume().end('220 mail.example ESMTP\r\n')),
    );
    expect(await reasonFor(`http://${place}/`)).toMatch(
      new RegExp(`^${place} answered with something other than HTTP \\[HPE_`),
    );
  });

  test('the answer takes too long, before the headers and within the body', async () => {
    const silent = await serve(() => {});
    expect(await reasonFor(`http://${silent}/`, nodeHttp(), 0.2)).toBe(
      `no complete answer from ${silent} within 0.2 s`,
    );
    const dripping = await serve((_, response) => {
      response.writeHead(200);
      response.write('a');
    });
    expect(await reasonFor(`http://${dripping}/`, nodeHttp(), 0.5)).toBe(
      `no complete answer from ${dripping} within 0.5 s (status 200 had arrived, its body not all)`,
    );
  });

  test('certificates: unknown, trusted, expired, for another name; and no TLS at all', async () => {
    const good = certificate('good', 2, 'IP:127.0.0.1');
    const expired = certificate('expired', -1, 'IP:127.0.0.1');
    const other = certificate('other', 2, 'DNS:other.example');
    const secure = (pair: { key: string; cert: string }): Promise<string> =>
      listen(createTlsServer(pair, (_, response) => response.end('ok')));
    const trusting = (pair: { cert: string }) => nodeHttp({ extraCa: pair.cert });

    const goodPlace = await secure(good);
    expect(await reasonFor(`https://${goodPlace}/`)).toBe(
      `the certificate of ${goodPlace} is signed by itself and not trusted [DEPTH_ZERO_SELF_SIGNED_CERT]`,
    );
    expect(await reasonFor(`https://${goodPlace}/`, trusting(good))).toBe('status 200');
    const expiredPlace = await secure(expired);
    expect(await reasonFor(`https://${expiredPlace}/`, trusting(expired))).toBe(
      `the certificate of ${expiredPlace} has expired [CERT_HAS_EXPIRED]`,
    );
    const otherPlace = await secure(other);
    expect(await reasonFor(`https://${otherPlace}/`, trusting(other))).toBe(
      `the certificate of ${otherPlace} is for other names, not for 127.0.0.1 [ERR_TLS_CERT_ALTNAME_INVALID]`,
    );
    const plainPlace = await serve((_, response) => response.end());
    expect(await reasonFor(`https://${plainPlace}/`)).toMatch(
      new RegExp(`^${plainPlace} does not speak TLS|^no TLS connection to ${plainPlace}`),
    );
  });
});

test('a cancelled run rejects, during a request and before one', async () => {
  const cancelling = new AbortController();
  const http = nodeHttp({ signal: cancelling.signal });
  const place = await serve(() => cancelling.abort());
  for (let round = 0; round < 2; round += 1) {
    await expect(http.request({ url: `http://${place}/` })).rejects.toMatchObject({
      failure: { code: 'cancelled' },
    });
  }
});
