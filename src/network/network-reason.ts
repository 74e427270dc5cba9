// Codes: errno(3) and Node's "Errors" (DNS).
const sentences: Readonly<Record<string, (place: string) => string>> = {
  ECONNREFUSED: (place) => `connection refused by ${place}`,
  ECONNRESET: (place) => `${place} closed the connection`,
  EPIPE: (place) => `${place} closed the connection`,
  ETIMEDOUT: (place) => `no connection to ${place}: nothing came back in time`,
  ETIMEOUT: (place) => `no answer from ${place} in time`,
  EHOSTUNREACH: (place) => `no route to ${place}`,
  ENETUNREACH: (place) => `no network leads to ${place}`,
  EADDRNOTAVAIL: (place) => `this machine has no address from which to reach ${place}`,
  ENOTFOUND: (place) => `the name in ${place} was not found`,
  EAI_AGAIN: (place) => `no name server answered for ${place}`,
  ESERVFAIL: (place) => `${place} could not answer (SERVFAIL)`,
  EREFUSED: (place) => `${place} refused to answer (REFUSED)`,
  EBADRESP: (place) => `${place} answered something other than DNS`,
  ERR_SSL_WRONG_VERSION_NUMBER: (place) => `${place} does not speak TLS`,
  ERR_SSL_PACKET_LENGTH_TOO_LONG: (place) => `${place} does not speak TLS`,
};

/** Why nothing came of a connection or a question, in words, with the code in brackets. Pure. */
export function networkReason(error: unknown, place: string): string {
  const outer = Object(error) as { errors?: unknown };
  // A name with several addresses fails with one error an address; the first tells enough.
  const [inner] = Array.isArray(outer.errors) ? (outer.errors as unknown[]) : [];
  const { code, message } = Object(inner ?? error) as { code?: unknown; message?: unknown };
  const word = typeof code === 'string' ? code : '';
  const sentence = Object.hasOwn(sentences, word) ? sentences[word] : undefined;
  if (sentence !== undefined) return `${sentence(place)} [${word}]`;
  const said = typeof message === 'string' ? message : String(error);
  return `nothing from ${place}: ${said}${word === '' ? '' : ` [${word}]`}`;
}
