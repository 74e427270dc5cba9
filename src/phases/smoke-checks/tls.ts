import { posix } from 'node:path';
import type { CheckOf } from '../../plan/settings/smoke-test.ts';
import { fail } from '../../ports/failure.ts';
import { onEach, type Address } from '../../ports/fleet.ts';
import type { Certificate, CertificateAnswer } from '../../ports/network.ts';
import { requirePublicUrl } from '../requirements.ts';
import { addressesBehind, placeOf, requireNetwork, serverOf } from './addresses-behind.ts';
import {
  failed,
  overAll,
  passed,
  unseen,
  type CheckContext,
  type CheckKind,
  type Verdict,
} from './check-kind.ts';

type TlsCheck = CheckOf<'tls'>;
const parallel = 8;
const dayMilliseconds = 86_400_000;

/** The certificate of a server. */
export const tlsKind: CheckKind<'tls'> = {
  turn: 'first',
  timeoutSeconds: ({ timeout }) => timeout ?? 10,
  expectation: (check) => describeDemand(check, check.servername),
  look: async (context, check, timeoutSeconds) => {
    const { family } = check;
    const server = serverToAsk(context, check);
    const servername = check.servername ?? server.host;
    const ca = await authorities(context, check.ca);
    const addresses = check.eachAddress
      ? (await addressesBehind(context, server, { family, timeoutSeconds }))
          // Where something before it ends TLS, the host shows no certificate.
          .filter(({ scheme }) => scheme !== 'http')
      : [server];
    const network = requireNetwork(context);
    const asked = await onEach(addresses, parallel, (to) =>
      network.certificate({ to, servername, timeoutSeconds, ...(ca === undefined ? {} : { ca }) }),
    );
    const now = context.clock.now();
    const expected = describeDemand(check, servername);
    return overAll(
      asked.map((one) => ({
        part: placeOf(one.on),
        verdict:
          one.kind === 'done'
            ? judgeTls({ servername, daysLeft: check.daysLeft }, one.result, now)
            : unseen(one.failure, expected),
      })),
      failed(`no address behind ${server.host}`, expected),
    );
  },
};

function serverToAsk(context: CheckContext, { address }: TlsCheck): Address {
  const parts = address === undefined ? null : /^(.*):(\d+)$/.exec(address);
  if (parts !== null) {
    return { host: (parts[1] ?? '').replaceAll(/[[\]]/g, ''), port: Number(parts[2]) };
  }
  const url = new URL(requirePublicUrl(context));
  if (url.protocol === 'https:') return serverOf(url);
  return fail({
    code: 'tls-nothing-to-ask',
    message: `public-url (${url.href}) is plain http, which has no certificate`,
    state: 'Nothing was touched.',
    next: 'Give the check an `address` such as shop.example.org:443.',
  });
}

async function authorities(
  { runner, workspace }: CheckContext,
  path: string | undefined,
): Promise<string | undefined> {
  if (path === undefined) return undefined;
  const file = posix.resolve(workspace, path);
  const bytes = await runner.readFile(file);
  const text = bytes === undefined ? undefined : new TextDecoder().decode(bytes);
  if (text?.includes('-----BEGIN CERTIFICATE-----') === true) return text;
  return fail({
    code: 'tls-ca-missing',
    message:
      text === undefined
        ? `there is no file ${file} with authorities to trust`
        : `${file} holds no certificate in PEM form`,
    state: 'Nothing was touched.',
    next: 'Correct `ca` of the check.',
  });
}

/** Compares a certificate with what is expected of it; everything that is wrong with it is told. */
export function judgeTls(
  demand: { readonly servername: string; readonly daysLeft: number },
  answer: CertificateAnswer,
  now: Date,
): Verdict {
  const expected = describeDemand(demand, demand.servername);
  if (answer.kind === 'no-answer') return failed(answer.reason, expected);
  const problems = problemsOf(demand, answer, now);
  const facts = `valid ${dayOf(answer.validFrom)} to ${dayOf(answer.validTo)}, issued by ${answer.issuer}, for ${answer.names === '' ? answer.subject : answer.names}, ${answer.protocol}`;
  const days = daysLeft(answer, now);
  return problems.length === 0
    ? passed(`${counted(days)} left: ${facts}, chain of ${answer.chainLength}`)
    : failed(`the certificate ${problems.join('; it ')} (${facts})`, expected);
}

function problemsOf(
  demand: { readonly servername: string; readonly daysLeft: number },
  certificate: Certificate,
  now: Date,
): readonly string[] {
  const { validFrom, validTo, matchesName, names, subject, chainProblem } = certificate;
  const days = daysLeft(certificate, now);
  const hasExpired = Date.parse(validTo) <= now.getTime();
  const isEarly = Date.parse(validFrom) > now.getTime();
  const problems: string[] = [];
  if (hasExpired) problems.push(`expired on ${validTo}`);
  if (isEarly) problems.push(`is not valid before ${validFrom}`);
  if (!hasExpired && days < demand.daysLeft) problems.push(`has only ${counted(days)} left`);
  if (!matchesName) {
    problems.push(`is for ${names === '' ? subject : names}, not for ${demand.servername}`);
  }
  const isTold =
    (hasExpired && chainProblem === 'CERT_HAS_EXPIRED') ||
    (isEarly && chainProblem === 'CERT_NOT_YET_VALID');
  if (chainProblem !== undefined && !isTold)
    problems.push(chainSentence(certificate, chainProblem));
  return problems;
}

// Codes: OpenSSL, X509_STORE_CTX_get_error(3).
function chainSentence({ issuer, chainLength, chainIssuer }: Certificate, code: string): string {
  switch (code) {
    case 'DEPTH_ZERO_SELF_SIGNED_CERT':
      return `is signed by itself and not trusted [${code}]`;
    case 'SELF_SIGNED_CERT_IN_CHAIN':
      return `leads to an authority that is not trusted [${code}]`;
    case 'UNABLE_TO_GET_ISSUER_CERT':
    case 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY':
    case 'UNABLE_TO_VERIFY_LEAF_SIGNATURE':
      return chainLength === 1
        ? `has an incomplete chain: the server does not send the certificate of ${issuer}, and that is not an authority that is trusted [${code}]`
        : `has a chain that ends at ${chainIssuer}, which is not an authority that is trusted [${code}]`;
    case 'CERT_HAS_EXPIRED':
      return `has a chain in which another certificate has expired [${code}]`;
    case 'CERT_NOT_YET_VALID':
      return `has a chain in which another certificate is not valid yet [${code}]`;
    default:
      return `has a chain that is refused [${code}]`;
  }
}

function daysLeft({ validTo }: Certificate, now: Date): number {
  return Math.floor((Date.parse(validTo) - now.getTime()) / dayMilliseconds);
}

function dayOf(moment: string): string {
  return moment.slice(0, 10);
}

function counted(days: number): string {
  return `${days} ${days === 1 ? 'day' : 'days'}`;
}

function describeDemand(
  { daysLeft: days }: { readonly daysLeft: number },
  servername: string | undefined,
): string {
  return `a certificate for ${servername ?? 'the server’s name'}, valid for ${counted(days)} more or longer, with a trusted chain`;
}
