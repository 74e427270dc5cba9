/** A check made before anything is touched. */
export interface Check {
  readonly id: string;
  readonly title: string;
  readonly verdict: 'passed' | 'failed' | 'warning' | 'not-applicable';
  /** What was observed, with its unit. */
  readonly value: string;
  /** What is accepted. */
  readonly limit: string;
  /** What to do about it; present unless passed. */
  readonly next?: string;
}

/** Whether one host is closed, and by whom. */
export type DoorState =
  | { readonly kind: 'open' }
  | { readonly kind: 'closed'; readonly windowId: string }
  | { readonly kind: 'closed-by-another'; readonly holder: string };

/** Whether the site is closed, and by whom. */
export type ModeState =
  | DoorState
  /** Some of several hosts are closed by this window and some are not. */
  | { readonly kind: 'partly-closed'; readonly detail: string };

/** How one of several web hosts stands; `unknown` when it cannot be looked at. */
export type HostDoor =
  | { readonly host: string; readonly door: DoorState['kind'] }
  | { readonly host: string; readonly door: 'unknown'; readonly reason: string };

/** How giving back the prior state went. */
export type Restoration =
  | { readonly kind: 'nothing-to-do' }
  | { readonly kind: 'restored'; readonly detail: string }
  | { readonly kind: 'partly-restored'; readonly detail: string };

/**
 * A way to close a site to the public. `Prior` is what the mode must remember to restore exactly what was
 * there; it is JSON, computed before anything is touched and written to the record first.
 * Every method is idempotent and looks at the world, so that it can be run again after a kill.
 */
export interface MaintenanceMode {
  readonly kind: string;
  /**
   * How its closed door shows at the public URL: as 503 with our header and `Retry-After`, or only by the status 503,
   * because the application answers it.
   */
  readonly shows: 'header' | 'status';
  /** Checks that touch nothing. */
  check(): Promise<readonly Check[]>;
  /** Computes what `install` will change; touches nothing. */
  plan(): Promise<unknown>;
  /** Puts the mode in place without closing (for nginx: the hook and one reload), and proves it is live. */
  install(prior: unknown): Promise<void>;
  /** Whether `install` is in effect for this window, proved from outside. */
  installed(prior: unknown): Promise<boolean>;
  /** Closes. Refuses when somebody else has closed it. The public's view is proved by the caller. */
  close(): Promise<void>;
  state(): Promise<ModeState>;
  /**
   * Of several hosts: closes each that can be closed and leaves it closed, whatever becomes of the others; fails
   * naming those. A mode without it has one host, and `close` is that.
   */
  closeEach?(): Promise<void>;
  /** Of several hosts: how each stands. Never fails for a host that does not answer. */
  hostDoors?(): Promise<readonly HostDoor[]>;
  /** Opens, when this window closed it; never lifts what somebody else set. */
  open(): Promise<void>;
  /** Gives back exactly what was there before `install`. */
  restore(prior: unknown): Promise<Restoration>;
  /** Headers that lead a request past the closed door; empty when the plan has no header bypass. */
  bypassHeaders(): Readonly<Record<string, string>>;
}
