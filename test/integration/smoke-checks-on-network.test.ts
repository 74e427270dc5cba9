import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { systemClock } from '../../src/clock/system-clock.ts';
import { localHost } from '../../src/hosts/local.ts';
import { nodeHttp } from '../../src/http/node-http.ts';
import { nodeNetwork } from '../../src/network/node-network.ts';
import { runChecks } from '../../src/phases/smoke-test.ts';
import type { Address } from '../../src/ports/fleet.ts';
import type { SmokeResult } from '../../src/record/status.ts';
import { CertificateAuthority } from '../fixtures/certificates.ts';
import { FakeWorld } from '../fixtures/fake-world.ts';
import { NameServer } from '../fixtures/name-server.ts';

let folder: string;
let authority: CertificateAuthority;
let names: NameServer;
const servers: Server[] = [];
/** Two hosts behind one name: a good one, and one whose application is down and whose certificate has expired. */
let good: Address;
let bad: Address;

async function serve(status: number, days: number, host: string): Promise<Address> {
  const identity = await authority.leaf({ names: 'DNS:localhost', days });
  const server = createServer(identity, (request, response) => {
    response.writeHead(status).end(request.headers['x-maintenance-bypass']);
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  return { host, port: (server.address() as AddressInfo).port };
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'mw-network-'));
  authority = await CertificateAuthority.create();
  writeFileSync(join(folder, 'ca.pem'), authority.root);
  good = await serve(200, 60, '127.0.0.1');
  bad = await serve(502, -3, '127.0.0.2');
  names = await NameServer.start();
  names.records.set('A shop.test', [Buffer.from([192, 0, 2, 1])]);
});
afterAll(async () => {
  for (const server of servers) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
  await names.stop();
  await authority.remove();
  rmSync(folder, { recursive: true });
});

async function look(check: Record<string, unknown>, web: readonly Address[]): Promise<SmokeResult> {
  const made = await new FakeWorld().contextOf(
    {},
    {
      plan: {
        'public-url': `https://localhost:${good.port}/`,
        'smoke-test': { checks: [{ id: 'it', ...check }], deadline: '1ms' },
      },
    },
  );
  const [result] = await runChecks({
    ...made,
    workspace: folder,
    runner: localHost({ environment: {} }),
    fleet: { ...made.fleet, web: web.map((address) => ({ host: made.host, address })) },
    http: nodeHttp({ extraCa: authority.root }),
    network: nodeNetwork(),
    clock: systemClock(),
  });
  if (result === undefined) throw new Error('there is no result');
  return result;
}

describe('behind a load balancer', () => {
  const check = { kind: 'routing', family: 'ipv4', expect: { 'body-contains': 'secret-token' } };

  test('every address is asked by the site’s name, past the closed door', async () => {
    expect(await look(check, [good])).toMatchObject({
      passed: true,
      observed: expect.stringMatching(/^127\.0\.0\.1:\d+: status 200 in /),
    });
  });

  test('the one that does not answer well is named', async () => {
    const { passed, observed } = await look(check, [good, bad]);
    expect(passed).toBe(false);
    // The client does not trust what has expired; it never comes to the 502.
    expect(observed).toMatch(
      new RegExp(
        `^1 of 2 not as expected: 127\\.0\\.0\\.2:${bad.port}: no answer \\(the certificate of .* has expired`,
      ),
    );
  });

  test('too few addresses are no redundancy', async () => {
    expect(await look({ ...check, 'at-least': 2 }, [good])).toMatchObject({
      passed: false,
      observed: `1 address: 127.0.0.1:${good.port}`,
      expected: '2 addresses or more',
    });
  });
});

describe('a certificate', () => {
  test('is that of the public URL by default, against the given authorities', async () => {
    expect(await look({ kind: 'tls', ca: 'ca.pem', family: 'ipv4' }, [])).toMatchObject({
      passed: true,
      observed: expect.stringMatching(/^59 days left: .* for DNS:localhost, TLSv1\.3, chain of 3$/),
      expected:
        'a certificate for the server’s name, valid for 14 days more or longer, with a trusted chain',
    });
    expect(await look({ kind: 'tls' }, [])).toMatchObject({
      passed: false,
      observed: expect.stringContaining(
        'ends at Test root, which is not an authority that is trusted',
      ),
    });
  });

  test('is looked at on each host', async () => {
    const check = { kind: 'tls', ca: 'ca.pem', family: 'ipv4', 'each-address': true };
    expect((await look(check, [good, bad])).observed).toMatch(
      /^1 of 2 not as expected: 127\.0\.0\.2:\d+: the certificate expired on /,
    );
  });

  test('cannot be compared with a file that holds no authority', async () => {
    expect((await look({ kind: 'tls', ca: 'absent.pem' }, [])).observed).toBe(
      `there is no file ${folder}/absent.pem with authorities to trust`,
    );
    writeFileSync(join(folder, 'empty.pem'), '');
    expect((await look({ kind: 'tls', ca: 'empty.pem' }, [])).observed).toContain(
      'holds no certificate',
    );
  });
});

describe('a name', () => {
  test('is asked of the given name server', async () => {
    const { host, port } = names.address;
    const check = { kind: 'dns', name: 'shop.test', resolver: `${host}:${port}` };
    expect(await look({ ...check, values: ['192.0.2.1'] }, [])).toMatchObject({
      passed: true,
      observed: '192.0.2.1',
    });
    expect(await look({ ...check, name: 'absent.test' }, [])).toMatchObject({
      passed: false,
      observed: 'no A record',
      expected: 'at least one A record',
    });
  });
});
