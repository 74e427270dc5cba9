import {
  createServer as createTcpServer,
  type AddressInfo,
  type Server,
  type Socket,
} from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { nodeNetwork } from '../../src/network/node-network.ts';
import { judgeTls } from '../../src/phases/smoke-checks/tls.ts';
import type { Address } from '../../src/ports/fleet.ts';
import type { Certificate } from '../../src/ports/network.ts';
import { CertificateAuthority, type Identity } from '../fixtures/certificates.ts';
import { mailBytes, nameBytes, NameServer, textBytes } from '../fixtures/name-server.ts';

const network = nodeNetwork();
const timeoutSeconds = 5;
const sockets = new Set<Socket>();
const servers: Server[] = [];

async function listen(server: Server): Promise<Address> {
  servers.push(server);
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    // A client that hangs up is no matter.
    socket.on('error', () => undefined);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { host: '127.0.0.1', port: (server.address() as AddressInfo).port };
}

afterAll(async () => {
  for (const socket of sockets) socket.destroy();
  for (const server of servers) await new Promise((resolve) => server.close(resolve));
});

async function closedPort(): Promise<Address> {
  const server = createTcpServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return { host: '127.0.0.1', port };
}

describe('a connection', () => {
  test('to an open port is made, and its first line read where it is asked for', async () => {
    const to = await listen(
      createTcpServer((socket) => {
        socket.write('220 mail.');
        setImmediate(() => socket.write('example.org ready\r\nmore\r\n'));
      }),
    );
    expect(await network.connect(to, { timeoutSeconds, readBanner: true })).toMatchObject({
      kind: 'connected',
      banner: '220 mail.example.org ready',
    });
    expect(await network.connect(to, { timeoutSeconds, readBanner: false })).toMatchObject({
      kind: 'connected',
      banner: undefined,
    });
  });

  test('whose service says nothing has no first line', async () => {
    const to = await listen(createTcpServer());
    expect(await network.connect(to, { timeoutSeconds: 0.2, readBanner: true })).toMatchObject({
      kind: 'connected',
      banner: undefined,
    });
    const hangUp = await listen(createTcpServer((socket) => socket.end()));
    expect(await network.connect(hangUp, { timeoutSeconds, readBanner: true })).toMatchObject({
      kind: 'connected',
      banner: undefined,
    });
  });

  test('to a closed port is refused, and a name that is none is not found', async () => {
    const to = await closedPort();
    expect(await network.connect(to, { timeoutSeconds, readBanner: false })).toEqual({
      kind: 'no-answer',
      reason: `connection refused by 127.0.0.1:${to.port} [ECONNREFUSED]`,
    });
    const nowhere = { host: 'no-such-name.invalid', port: 1 };
    expect(await network.connect(nowhere, { timeoutSeconds, readBanner: false })).toMatchObject({
      kind: 'no-answer',
      reason: expect.stringContaining('no-such-name.invalid:1'),
    });
  });
});

describe('addresses', () => {
  test('of a name come from the system, an address is its own', async () => {
    expect(await network.addresses('localhost', { timeoutSeconds })).toMatchObject({
      kind: 'addresses',
      addresses: expect.arrayContaining(['127.0.0.1']),
    });
    expect(await network.addresses('[::1]', { timeoutSeconds })).toEqual({
      kind: 'addresses',
      addresses: ['::1'],
    });
    expect(await network.addresses('no-such-name.invalid', { timeoutSeconds })).toMatchObject({
      kind: 'no-answer',
    });
  });
});

describe('records', () => {
  let server: NameServer;
  beforeAll(async () => {
    server = await NameServer.start();
    server.records.set('A shop.test', [Buffer.from([192, 0, 2, 1]), Buffer.from([192, 0, 2, 2])]);
    server.records.set('AAAA shop.test', [Buffer.from('20010db8000000000000000000000007', 'hex')]);
    server.records.set('CNAME www.shop.test', [nameBytes('shop.test')]);
    server.records.set('MX shop.test', [mailBytes(10, 'mail.shop.test')]);
    server.records.set('TXT shop.test', [textBytes('v=spf1 ', '-all')]);
  });
  afterAll(() => server.stop());

  test.each([
    ['A', 'shop.test', ['192.0.2.1', '192.0.2.2']],
    ['AAAA', 'shop.test', ['2001:db8::7']],
    ['CNAME', 'www.shop.test', ['shop.test']],
    ['MX', 'shop.test', ['10 mail.shop.test']],
    ['TXT', 'shop.test', ['v=spf1 -all']],
    // The name is there, and has none of these.
    ['CNAME', 'shop.test', []],
    ['A', 'absent.test', []],
  ] as const)('%s of %s are %j', async (type, name, values) => {
    const question = { name, type, resolver: server.address, timeoutSeconds };
    expect(await network.records(question)).toEqual({ kind: 'records', values });
    expect(server.asked).toContain(`${type} ${name}`);
  });

  test.each([
    [2, '(SERVFAIL) [ESERVFAIL]'],
    [5, '(REFUSED) [EREFUSED]'],
  ])('that a name server answers with code %i are no answer', async (code, words) => {
    const usual = server.code;
    server.code = () => code;
    const question = { name: 'shop.test', type: 'A', resolver: server.address } as const;
    const answer = await network.records({ ...question, timeoutSeconds });
    server.code = usual;
    expect(answer).toMatchObject({ kind: 'no-answer', reason: expect.stringContaining(words) });
  });

  test('of a name server that is silent are given up in time', async () => {
    const usual = server.code;
    server.code = () => undefined;
    const question = { name: 'shop.test', type: 'A', resolver: server.address } as const;
    const answer = await network.records({ ...question, timeoutSeconds: 0.5 });
    server.code = usual;
    expect(answer).toMatchObject({ kind: 'no-answer', reason: expect.stringContaining('in time') });
  });
});

describe('a certificate', () => {
  let authority: CertificateAuthority;
  beforeAll(async () => {
    authority = await CertificateAuthority.create();
  });
  afterAll(() => authority.remove());

  async function certificateOf(identity: Identity, ca: string | undefined): Promise<Certificate> {
    const to = await listen(createTlsServer(identity));
    const answer = await network.certificate({
      to,
      servername: 'shop.test',
      timeoutSeconds,
      ...(ca === undefined ? {} : { ca }),
    });
    if (answer.kind !== 'certificate') throw new Error(answer.reason);
    return answer;
  }
  const judge = (certificate: Certificate, daysLeft = 14): string =>
    judgeTls({ servername: 'shop.test', daysLeft }, certificate, new Date()).observed;

  test('that is good is described', async () => {
    const identity = await authority.leaf({ names: 'DNS:shop.test,DNS:www.shop.test' });
    const found = await certificateOf(identity, authority.root);
    expect(found).toMatchObject({
      names: 'DNS:shop.test, DNS:www.shop.test',
      issuer: 'Test intermediate',
      matchesName: true,
      chainLength: 3,
      chainProblem: undefined,
      protocol: 'TLSv1.3',
    });
    expect(judge(found)).toMatch(/^89 days left: valid .* issued by Test intermediate/);
  });

  test.each<[string, Parameters<CertificateAuthority['leaf']>[0], RegExp]>([
    [
      'has expired',
      { names: 'DNS:shop.test', days: -3 },
      /^the certificate expired on \S+ \(valid/,
    ],
    [
      'is not valid yet',
      { names: 'DNS:shop.test', startsInDays: 2 },
      /^the certificate is not valid before \S+ \(valid/,
    ],
    [
      'ends soon',
      { names: 'DNS:shop.test', days: 5.5 },
      /^the certificate has only 5 days left \(valid/,
    ],
    [
      'is for another name',
      { names: 'DNS:other.test' },
      /^the certificate is for DNS:other\.test, not for shop\.test \(valid/,
    ],
    [
      'comes without its intermediate',
      { names: 'DNS:shop.test', withIntermediate: false },
      /^the certificate has an incomplete chain: the server does not send the certificate of Test intermediate, .*\[UNABLE_TO_VERIFY_LEAF_SIGNATURE\]/,
    ],
    [
      'has several faults',
      { names: 'DNS:other.test', days: -3 },
      /^the certificate expired on \S+; it is for DNS:other\.test, not for shop\.test \(valid/,
    ],
  ])('that %s is told so', async (_, options, words) => {
    const found = await certificateOf(await authority.leaf(options), authority.root);
    expect(judge(found)).toMatch(words);
  });

  test('of an authority that nobody trusts, and one signed by itself, are told apart', async () => {
    const unknown = await certificateOf(
      await authority.leaf({ names: 'DNS:shop.test' }),
      undefined,
    );
    expect(judge(unknown)).toContain(
      'has a chain that ends at Test root, which is not an authority that is trusted',
    );
    const self = await certificateOf(await authority.selfSigned('DNS:shop.test'), undefined);
    expect(judge(self)).toMatch(
      /^the certificate is signed by itself and not trusted \[DEPTH_ZERO_SELF_SIGNED_CERT\]/,
    );
  });

  test('is asked for by name at whatever address is connected to', async () => {
    const shop = await authority.leaf({ names: 'DNS:shop.test' });
    const other = await authority.leaf({ names: 'DNS:other.test' });
    const server = createTlsServer(other);
    server.addContext('shop.test', shop);
    const to = await listen(server);
    const question = { to, timeoutSeconds, ca: authority.root };
    expect(await network.certificate({ ...question, servername: 'shop.test' })).toMatchObject({
      names: 'DNS:shop.test',
      matchesName: true,
    });
    expect(await network.certificate({ ...question, servername: 'x.test' })).toMatchObject({
      names: 'DNS:other.test',
      matchesName: false,
    });
  });

  test('of what speaks no TLS, says nothing or is not there is no answer', async () => {
    const question = { servername: 'shop.test', timeoutSeconds: 0.5 };
    const plain = await listen(createTcpServer((socket) => socket.end('SSH-2.0-x\r\n')));
    expect(await network.certificate({ ...question, to: plain })).toMatchObject({
      kind: 'no-answer',
      reason: expect.stringContaining('does not speak TLS'),
    });
    const silent = await listen(createTcpServer());
    expect(await network.certificate({ ...question, to: silent })).toMatchObject({
      kind: 'no-answer',
      reason: expect.stringContaining('in time'),
    });
    expect(await network.certificate({ ...question, to: await closedPort() })).toMatchObject({
      kind: 'no-answer',
      reason: expect.stringContaining('connection refused'),
    });
  });
});
