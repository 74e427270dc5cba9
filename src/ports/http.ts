export interface HttpRequest {
  readonly url: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
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
