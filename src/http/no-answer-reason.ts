/** Where a request went, for the words of a reason. Without user and password. */
export interface Target {
  readonly hostname: string;
  readonly port: number;
}

interface SystemError {
  readonly code?: unknown;
  readonly message?: unknown;
  readonly errors?: unknown;
}

type Sentence = (target: string, hostname: string) => string;

// Codes: errno(3), Node's "Errors" (DNS, HTTP, TLS) and OpenSSL's X509_STORE_CTX_get_error(3).
const sentences: Readonly<Record<string, Sentence>> = {
  ECONNREFUSED: (target) => `connection refused by ${target}`,
  ECONNRESET: (target) => `${target} closed the connection without a complete answer`,
  EPIPE: (target) => `${target} closed the connection without a complete answer`,
  ETIMEDOUT: (target) => `no connection to ${target}: nothing came back in time`,
  EHOSTUNREACH: (target) => `no route to ${target}`,
  ENETUNREACH: (target) => `no network leads to ${target}`,
  EADDRNOTAVAIL: (target) => `this machine has no address from which to reach ${target}`,
  ENOTFOUND: (_, hostname) => `the name ${hostname} was not found`,
  EAI_AGAIN: (_, hostname) => `no name server answered for ${hostname}`,
  CERT_HAS_EXPIRED: (target) => `the certificate of ${target} has expired`,
  CERT_NOT_YET_VALID: (target) => `the certificate of ${target} is not valid yet`,
  ERR_TLS_CERT_ALTNAME_INVALID: (target, hostname) =>
    `the certificate of ${target} is for other names, not for ${hostname}`,
  DEPTH_ZERO_SELF_SIGNED_CERT: (target) =>
    `the certificate of ${target} is signed by itself and not trusted`,
  SELF_SIGNED_CERT_IN_CHAIN: (target) =>
    `the certificate of ${target} comes from an authority that is not trusted`,
  UNABLE_TO_GET_ISSUER_CERT: (target) =>
    `the certificate of ${target} comes from an authority that is not trusted`,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: (target) =>
    `the certificate of ${target} comes from an authority that is not trusted`,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: (target) =>
    `the certificate of ${target} cannot be verified: an intermediate certificate is missing or not trusted`,
  ERR_SSL_WRONG_VERSION_NUMBER: (target) => `${target} does not speak TLS`,
  ERR_SSL_PACKET_LENGTH_TOO_LONG: (target) => `${target} does not speak TLS`,
  EPROTO: (target) => `no TLS connection to ${target}`,
};

/**
 * Why there was no answer, in words that a person understands, with the code in brackets for whoever looks it up.
 * Pure.
 */
export function noAnswerReason(error: unknown, target: Target): string {
  const first = firstOf(error);
  const code = typeof first.code === 'string' ? first.code : '';
  const place = `${target.hostname}:${target.port}`;
  const sentence = Object.hasOwn(sentences, code) ? sentences[code] : undefined;
  if (sentence !== undefined) return `${sentence(place, bare(target.hostname))} [${code}]`;
  // Node's HTTP parser: HPE_…
  if (code.startsWith('HPE_')) return `${place} answered with something other than HTTP [${code}]`;
  const message = typeof first.message === 'string' ? first.message : String(error);
  return `no answer from ${place}: ${message}${code === '' ? '' : ` [${code}]`}`;
}

function bare(hostname: string): string {
  return hostname.replace(/^\[(.*)\]$/, '$1');
}

/** A name with several addresses fails with one error an address; the first tells enough. */
function firstOf(error: unknown): SystemError {
  const outer = Object(error) as SystemError;
  if (!Array.isArray(outer.errors) || outer.errors.length === 0) return outer;
  return Object(outer.errors[0]) as SystemError;
}
