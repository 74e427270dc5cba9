import type { Address } from './fleet.ts';

export interface HttpRequest {
  readonly url: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /**
   * Connects to this address instead of the one that the URL's name leads to; name, TLS and headers stay those of
   * the URL. So each of several hosts behind one name can be asked.
   */
  readonly connectTo?: Address;
  /** Seconds for the whole exchange. Default 10. */
  readonly timeoutSeconds?: number;
}

/** What came back: an answer, or why there was none. Redirects are answers; they are not followed. */
export type HttpReply =
  | {
      readonly kind: 'answer';
      readonly status: number;
      /** Names in lower case. */
      readonly headers: Readonly<Record<string, string>>;
      /** First 1 MiB of the body as UTF-8. */
      readonly body: string;
      readonly seconds: number;
    }
  | { readonly kind: 'no-answer'; readonly reason: string; readonly seconds: number };

/** The public's view: each request on a connection of its own, from where the run is. */
export interface Http {
  request(request: HttpRequest): Promise<HttpReply>;
}

/** The same questions, asked of one address behind the URL's name. */
export function atAddress(http: Http, address: Address | undefined): Http {
  if (address === undefined) return http;
  return { request: (request) => http.request({ connectTo: address, ...request }) };
}
