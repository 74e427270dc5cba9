/** A page to be opened, and what is waited for. */
export interface Visit {
  readonly url: string;
  /** Sent to the URL's own origin only, whatever else the page loads. */
  readonly headers: Readonly<Record<string, string>>;
  /** Waited for until the time is over; the answer tells what the page has in the end. */
  readonly title?: string;
  /** CSS selector; waited for as well. */
  readonly selector?: string;
  readonly screenshot: boolean;
  /** Path of the browser; by default what this machine has. */
  readonly executable?: string;
  /** Seconds for everything, the start of the browser included. */
  readonly timeoutSeconds: number;
}

/** What was seen. */
export type Visited =
  | {
      readonly kind: 'page';
      /** Where it ended after all redirects. */
      readonly url: string;
      /** Status of the document that it ended at. */
      readonly status: number;
      readonly title: string;
      /** `undefined` when no selector was asked for. */
      readonly hasSelector: boolean | undefined;
      /** Errors in the console and exceptions of scripts, each on one line; the first 20. */
      readonly consoleErrors: readonly string[];
      /** Requests without a good answer: `GET https://… : status 404`; the first 20. */
      readonly failedRequests: readonly string[];
      /** PNG. */
      readonly screenshot: Uint8Array | undefined;
      readonly seconds: number;
    }
  /** The page could not be opened, or the selector cannot be read. */
  | { readonly kind: 'no-page'; readonly reason: string }
  /** There is no browser on this machine, or it does not start. */
  | { readonly kind: 'no-browser'; readonly isMissing: boolean; readonly reason: string };

/** A browser on the machine that the run is on; each visit has one of its own, without cookies or cache. */
export interface Browser {
  visit(visit: Visit): Promise<Visited>;
}
