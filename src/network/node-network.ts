import { lookup, Resolver } from 'node:dns/promises';
import { connect as tcpConnect, isIP } from 'node:net';
import { checkServerIdentity, connect as tlsConnect, type PeerCertificate } from 'node:tls';
import type {
  AddressesAnswer,
  Certificate,
  CertificateAnswer,
  CertificateQuestion,
  ConnectAnswer,
  Network,
  NoAnswer,
  RecordsAnswer,
  RecordsQuestion,
} from '../ports/network.ts';
import type { Address } from '../ports/fleet.ts';
import { networkReason } from './network-reason.ts';

const bannerLimitBytes = 1024;
/** Longest chain that is walked; real ones have two to five certificates. */
const chainLimit = 16;

/** The network as this machine sees it. */
export function nodeNetwork(): Network {
  return { addresses, records, connect, certificate };
}

async function addresses(
  name: string,
  { timeoutSeconds }: { readonly timeoutSeconds: number },
): Promise<AddressesAnswer> {
  const bare = name.replaceAll(/[[\]]/g, '');
  if (isIP(bare) !== 0) return { kind: 'addresses', addresses: [bare] };
  // getaddrinfo(3) takes no time limit of ours.
  const ending = endingAfter(timeoutSeconds);
  try {
    const found = await Promise.race([lookup(bare, { all: true, order: 'verbatim' }), ending.over]);
    if (found === undefined) return noAnswer(`no name server answered for ${bare} in time`);
    return { kind: 'addresses', addresses: [...new Set(found.map(({ address }) => address))] };
  } catch (error) {
    return noAnswer(networkReason(error, bare));
  } finally {
    ending.clear();
  }
}

async function records(question: RecordsQuestion): Promise<RecordsAnswer> {
  const { name, type, resolver: server, timeoutSeconds } = question;
  const resolver = new Resolver({
    timeout: Math.max(1, Math.ceil((timeoutSeconds * 1000) / 2)),
    tries: 2,
  });
  const ending = endingAfter(timeoutSeconds);
  const asked = server === undefined ? 'the name servers of this machine' : placeOf(server);
  try {
    if (server !== undefined) resolver.setServers([await serverOf(server)]);
    const values = await Promise.race([answers(resolver, name, type), ending.over]);
    return values === undefined
      ? noAnswer(`no answer from ${asked} in time`)
      : { kind: 'records', values };
  } catch (error) {
    const code = codeOf(error);
    // The name is there without such records, or not there at all: both are answers.
    if (code === 'ENODATA' || code === 'ENOTFOUND') return { kind: 'records', values: [] };
    return noAnswer(networkReason(error, asked));
  } finally {
    ending.clear();
    resolver.cancel();
  }
}

async function answers(
  resolver: Resolver,
  name: string,
  type: RecordsQuestion['type'],
): Promise<readonly string[]> {
  switch (type) {
    case 'A':
      return resolver.resolve4(name);
    case 'AAAA':
      return resolver.resolve6(name);
    case 'CNAME':
      return resolver.resolveCname(name);
    case 'MX':
      return (await resolver.resolveMx(name)).map(
        ({ priority, exchange }) => `${priority} ${exchange}`,
      );
    case 'TXT':
      return (await resolver.resolveTxt(name)).map((chunks) => chunks.join(''));
  }
}

/** c-ares takes addresses only. */
async function serverOf({ host, port }: Address): Promise<string> {
  const bare = host.replaceAll(/[[\]]/g, '');
  const address = isIP(bare) === 0 ? (await lookup(bare)).address : bare;
  return isIP(address) === 6 ? `[${address}]:${port}` : `${address}:${port}`;
}

function connect(
  to: Address,
  { timeoutSeconds, readBanner }: { readonly timeoutSeconds: number; readonly readBanner: boolean },
): Promise<ConnectAnswer> {
  const started = performance.now();
  const ending = endingAfter(timeoutSeconds);
  return new Promise<ConnectAnswer>((resolve) => {
    const socket = tcpConnect({ ...to, host: to.host.replaceAll(/[[\]]/g, '') });
    let seconds: number | undefined;
    let text = '';
    const end = (answer: ConnectAnswer): void => {
      socket.destroy();
      resolve(answer);
    };
    const connected = (banner: string | undefined): void =>
      end({ kind: 'connected', seconds: seconds ?? 0, banner });
    socket.once('connect', () => {
      seconds = (performance.now() - started) / 1000;
      if (!readBanner) connected(undefined);
    });
    socket.on('data', (chunk: Buffer) => {
      text = (text + chunk.toString('utf8')).slice(0, bannerLimitBytes);
      const [line] = text.split(/\r?\n/, 1);
      if (text.includes('\n') || text.length === bannerLimitBytes) connected(line);
    });
    socket.once('end', () => {
      connected(text === '' ? undefined : text);
    });
    socket.on('error', (error) => {
      end(noAnswer(networkReason(error, placeOf(to))));
    });
    void ending.over.then(() => {
      if (seconds === undefined) end(noAnswer(`no connection to ${placeOf(to)} in time`));
      else connected(text === '' ? undefined : text);
    });
  }).finally(() => ending.clear());
}

function certificate(question: CertificateQuestion): Promise<CertificateAnswer> {
  const { to, servername, ca, timeoutSeconds } = question;
  const ending = endingAfter(timeoutSeconds);
  return new Promise<CertificateAnswer>((resolve) => {
    const end = (answer: CertificateAnswer): void => {
      socket.destroy();
      resolve(answer);
    };
    const socket = tlsConnect({
      host: to.host.replaceAll(/[[\]]/g, ''),
      port: to.port,
      // SNI takes no addresses (RFC 6066, section 3).
      ...(isIP(servername) === 0 ? { servername } : {}),
      // A bad certificate is looked at as well: that is the question. Nothing is sent over the connection.
      rejectUnauthorized: false,
      ...(ca === undefined ? {} : { ca }),
    });
    socket.once('secureConnect', () => {
      const peer = socket.getPeerCertificate(true);
      // An empty object when there is none, says the manual of node:tls; the types do not.
      if (Object.keys(peer).length === 0) end(noAnswer(`${placeOf(to)} showed no certificate`));
      else end(described(peer, servername, socket.authorizationError, socket.getProtocol()));
    });
    socket.on('error', (error) => {
      end(noAnswer(networkReason(error, placeOf(to))));
    });
    socket.once('end', () => {
      end(noAnswer(`${placeOf(to)} closed the connection before it showed a certificate`));
    });
    void ending.over.then(() => {
      end(noAnswer(`no TLS connection to ${placeOf(to)} in time`));
    });
  }).finally(() => ending.clear());
}

function described(
  peer: ReturnType<ReturnType<typeof tlsConnect>['getPeerCertificate']>,
  servername: string,
  error: Error | string | null | undefined,
  protocol: string | null,
): Certificate {
  const problem = typeof error === 'string' ? error : (codeOf(error) ?? error?.message);
  const chain = chainOf(peer);
  return {
    kind: 'certificate',
    names: peer.subjectaltname ?? '',
    issuer: nameOf(peer.issuer),
    subject: nameOf(peer.subject),
    validFrom: new Date(peer.valid_from).toISOString(),
    validTo: new Date(peer.valid_to).toISOString(),
    matchesName: checkServerIdentity(servername, peer) === undefined,
    chainLength: chain.length,
    chainIssuer: nameOf(chain.at(-1)?.issuer),
    // Node compares the name after the chain, and tells it by the same property.
    chainProblem: problem === 'ERR_TLS_CERT_ALTNAME_INVALID' ? undefined : problem,
    protocol: protocol ?? 'an unknown version of TLS',
  };
}

/** The certificate and those that lead up from it, as far as they are known. */
function chainOf(peer: PeerCertificate): readonly PeerCertificate[] {
  const chain = [peer];
  let current = peer as PeerCertificate & { issuerCertificate?: PeerCertificate };
  while (chain.length < chainLimit) {
    const { issuerCertificate: issuer } = current;
    if (issuer === undefined || issuer.fingerprint256 === current.fingerprint256) break;
    chain.push(issuer);
    current = issuer;
  }
  return chain;
}

function nameOf(name: PeerCertificate['subject'] | undefined): string {
  const { CN, O } = (name ?? {}) as Partial<Record<'CN' | 'O', string | readonly string[]>>;
  const parts = [CN, O].flat().filter((part) => part !== undefined && part !== '');
  return parts.length === 0 ? 'without a name' : [...new Set(parts)].join(', ');
}

function placeOf({ host, port }: Address): string {
  return host.includes(':') && !host.startsWith('[') ? `[${host}]:${port}` : `${host}:${port}`;
}

function codeOf(error: unknown): string | undefined {
  const { code } = Object(error) as { code?: unknown };
  return typeof code === 'string' ? code : undefined;
}

function noAnswer(reason: string): NoAnswer {
  return { kind: 'no-answer', reason };
}

/** Resolves when the time is over, unless it is cleared before. */
function endingAfter(seconds: number): { over: Promise<undefined>; clear: () => void } {
  let timer: NodeJS.Timeout | undefined;
  const over = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), Math.min(seconds * 1000, 2 ** 31 - 1));
  });
  return { over, clear: () => clearTimeout(timer) };
}
