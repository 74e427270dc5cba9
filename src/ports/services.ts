import type { Check } from './maintenance-mode.ts';

/** How a service is found; `detail` is what was observed, for people. */
export type ServiceState =
  | {
      readonly kind: 'running';
      readonly detail: string;
      /** Names this very run of it (a process, a container): another one later means that it was restarted. */
      readonly run?: string;
      /** What the adapter needs to start exactly this again, without secrets; written to the record before the stop. */
      readonly mark?: string;
      /** What stopping it put aside is still there, beside what runs: starting it takes that away. */
      readonly leftover?: boolean;
    }
  /** `killed`: it was ended by force. */
  | { readonly kind: 'stopped'; readonly detail: string; readonly killed?: boolean }
  /** Ended with a failure, or cannot be kept running. */
  | { readonly kind: 'failed'; readonly detail: string; readonly killed?: boolean }
  /** Somebody put something else in its place while it was stopped; what was there before is kept aside. */
  | { readonly kind: 'replaced'; readonly detail: string }
  /** On its way up or down. */
  | { readonly kind: 'changing'; readonly detail: string }
  | { readonly kind: 'missing'; readonly detail: string };

/**
 * Something on one host that can be stopped and started: a systemd unit, a compose service, cron jobs, a pair of
 * commands. Methods look at the world and may be called again after a kill.
 * Errors: they throw FailureError (`service-…`, `host-…`) when the service's tool does not do what it was asked.
 */
export interface Service {
  /** The host, as the plan names it. */
  readonly host: string;
  /** What it is, for people: `unit puma.service`. */
  readonly title: string;
  /** Whether this host has what is needed to stop and start it; touches nothing. */
  check(): Promise<Pick<Check, 'verdict' | 'value' | 'next'>>;
  state(): Promise<ServiceState>;
  /** Asks it to end gracefully; whether it did is seen by {@link state}. May return before, after `seconds` at the latest. */
  stop(seconds: number): Promise<void>;
  /** Ends it by force, where that can be done. */
  kill?(): Promise<void>;
  /**
   * Starts what was running when `mark` was taken; whether it runs is seen by {@link state}. May return before, after
   * `seconds` at the latest.
   */
  start(mark: string | undefined, seconds: number): Promise<void>;
  /** Last lines of its log; empty when there is none to be seen. */
  log(): Promise<readonly string[]>;
}

/** One service of the plan, on all hosts that have it. */
export interface ManagedService {
  readonly id: string;
  readonly kind: 'unit' | 'compose' | 'cron' | 'command';
  /** Seconds that it may take to end. */
  readonly drainSeconds: number;
  /** Seconds that it may take to run again. */
  readonly startSeconds: number;
  /** Seconds for which it must then stay up. */
  readonly settleSeconds: number;
  /** Consent to end it by force when `drainSeconds` are over. */
  readonly mayKill: boolean;
  /** Stopped as soon as the public is kept out, before requests under way have ended. */
  readonly beforeDrain: boolean;
  /** Before the smoke tests, behind the closed door; or when the public is served again. */
  readonly resume: ResumeMoment;
  readonly on: readonly Service[];
}

export const resumeMoments = ['before-tests', 'when-open'] as const;
export type ResumeMoment = (typeof resumeMoments)[number];
