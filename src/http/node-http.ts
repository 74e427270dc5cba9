import { request as plainRequest, type IncomingMessage, type RequestOptions } from 'node:http';
import { request as tlsRequest } from 'node:https';
import { isIP } from 'node:net';
import * as tls from 'node:tls';
import { FailureError } from '../ports/failure.ts';
import type { Address } from '../ports/fleet.ts';
import type { Http, HttpReply, HttpRequest } from '../ports/http.ts';
import { noAnswerReason, type Target } from './no-answer-reason.ts';

/** Bytes of a body that are read; the connection is closed after them. */
const bodyLimitBytes = 1024 * 1024;
const defaultTimeoutSeconds = 10;
const longestTimerMilliseconds = 2 ** 31 - 1;
/** A name with several addresses: how long one of them may take before the next is tried. Node's 250 ms is short. */
const addressTimeoutMilliseconds = 2000;

export interface NodeHttpOptions {
  /** Aborted when the run is being cancelled; requests then reject with `cancelled`. */
  readonly signal?: AbortSignal;
  /** Certificates (PEM) of authorities to trust besides the usual ones. */
  readonly extraCa?: string;
}

function cancelled(target: string): FailureError {
  return new FailureError({
    code: 'cancelled',
    message: `The run was cancelled; the request to ${target} was given up or not made.`,
    state: 'A request that had been sent may have had its effect.',
    next: 'Run the phase again, or `rollback`; both look at what is there.',
  });
}

function trusted(extraCa: string): string[] {
  // Since Node 22.15; it knows NODE_EXTRA_CA_CERTS and the system's store, where those are asked for.
  const { getCACertificates, rootCertificates } = tls as Partial<typeof tls>;
  return [...(getCACertificates?.('default') ?? rootCertificates ?? []), extraCa];
}

function parse(text: string): URL | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  return url?.protocol === 'http:' || url?.protocol === 'https:' ? url : undefined;
}

function targetOf(url: URL, to: Address | undefined): Target {
  if (to !== undefined) return { hostname: to.host, port: to.port };
  const usual = url.protocol === 'https:' ? 443 : 80;
  return { hostname: url.hostname, port: url.port === '' ? usual : Number(url.port) };
}

function headersOf(message: IncomingMessage): Record<string, string> {
  return Object.fromEntries(
    Object.entries(message.headers).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, Array.isArray(value) ? value.join(', ') : value]],
    ),
  );
}

/** Connects to another address; the name in TLS and in the header `Host` stays that of the URL. */
function elsewhere(url: URL, to: Address | undefined): RequestOptions & { servername?: string } {
  if (to === undefined) return {};
  const name = url.hostname.replaceAll(/[[\]]/g, '');
  return {
    // `hostname` is what counts when the URL has given one already.
    hostname: to.host.replaceAll(/[[\]]/g, ''),
    port: to.port,
    ...(isIP(name) === 0 ? { servername: name } : {}),
  };
}

/** The URL as this address is asked for it. */
function onTheWire(url: URL, to: Address | undefined): URL {
  if (to?.scheme === undefined || url.protocol === `${to.scheme}:`) return url;
  // The setter of `protocol` drops a port that is the usual one; where it goes is said by `elsewhere`.
  return new URL(`${to.scheme}://${url.host}${url.pathname}${url.search}`);
}

/** What a load balancer tells the host that it asks. */
function forwarded(url: URL, to: Address): Record<string, string> {
  const scheme = url.protocol.replace(':', '');
  const isChanged = to.scheme !== undefined && to.scheme !== scheme;
  return { host: url.host, ...(isChanged ? { 'x-forwarded-proto': scheme } : {}) };
}

/** The beginning of the body, as far as it is read at all. Rejects when the connection breaks before the end. */
async function beginningOf(message: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of message as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes >= bodyLimitBytes) break;
  }
  return Buffer.concat(chunks).subarray(0, bodyLimitBytes).toString('utf8');
}

function send(
  url: URL,
  options: RequestOptions,
  body: string | undefined,
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const client = (url.protocol === 'https:' ? tlsRequest : plainRequest)(url, options);
    client.once('response', resolve);
    // Stays for good: after the response, the message itself reports what breaks.
    client.on('error', reject);
    client.end(body);
  });
}

/** HTTP as the public sees it: a fresh connection for each request, no redirects followed, no cookies kept. */
export function nodeHttp(options: NodeHttpOptions = {}): Http {
  const ca = options.extraCa === undefined ? undefined : trusted(options.extraCa);

  const request = async (asked: HttpRequest): Promise<HttpReply> => {
    const started = performance.now();
    const noAnswer = (reason: string): HttpReply => ({
      kind: 'no-answer',
      reason,
      seconds: (performance.now() - started) / 1000,
    });
    const url = parse(asked.url);
    if (url === undefined) return noAnswer('the URL is not one of http:// or https://');
    const target = targetOf(url, asked.connectTo);
    const place = `${target.hostname}:${target.port}`;
    if (options.signal?.aborted === true) throw cancelled(place);

    const timeoutSeconds = asked.timeoutSeconds ?? defaultTimeoutSeconds;
    const ending = new AbortController();
    const timer = setTimeout(
      () => ending.abort('timeout'),
      Math.min(timeoutSeconds * 1000, longestTimerMilliseconds),
    );
    const onAbort = (): void => ending.abort('cancelled');
    options.signal?.addEventListener('abort', onAbort, { once: true });
    let status: number | undefined;
    try {
      const message = await send(
        onTheWire(url, asked.connectTo),
        {
          agent: false,
          method: (asked.method ?? 'GET').toUpperCase(),
          headers: {
            'accept-encoding': 'identity',
            ...(asked.connectTo === undefined ? {} : forwarded(url, asked.connectTo)),
            ...asked.headers,
            connection: 'close',
          },
          signal: ending.signal,
          autoSelectFamilyAttemptTimeout: addressTimeoutMilliseconds,
          ...(ca === undefined ? {} : { ca }),
          ...elsewhere(url, asked.connectTo),
        } as RequestOptions,
        asked.body,
      );
      status = message.statusCode ?? 0;
      const body = await beginningOf(message);
      const seconds = (performance.now() - started) / 1000;
      return { kind: 'answer', status, headers: headersOf(message), body, seconds };
    } catch (error) {
      if (ending.signal.reason === 'cancelled') throw cancelled(place);
      const came = status === undefined ? '' : ` (status ${status} had arrived, its body not all)`;
      if (ending.signal.aborted) {
        return noAnswer(`no complete answer from ${place} within ${timeoutSeconds} s${came}`);
      }
      return noAnswer(`${noAnswerReason(error, target)}${came}`);
    } finally {
      clearTimeout(timer);
      options.signal?.removeEventListener('abort', onAbort);
    }
  };
  return { request };
}
