import { failureOf, type Failure } from './failure.ts';
import type { Host } from './host.ts';

/** Where a host answers the public's requests itself, past the load balancer. */
export interface Address {
  /** Name or address, without brackets. */
  readonly host: string;
  readonly port: number;
  /**
   * How it is asked when that differs from the public URL: a load balancer that ends TLS asks in plain HTTP, and says
   * so by `X-Forwarded-Proto`.
   */
  readonly scheme?: 'http' | 'https';
}

/** A host that serves the site. */
export interface WebHost {
  readonly host: Host;
  /** `undefined`: the public URL leads to this host and to no other. */
  readonly address: Address | undefined;
}

/** The machines of one window. The same machine may have several parts and is then the same {@link Host}. */
export interface Fleet {
  /** Keeps the record. */
  readonly control: Host;
  /** At least one. */
  readonly web: readonly WebHost[];
  /** Runs the database's client programs. */
  readonly database: Host;
  /** Keeps backups, when they are streamed to another host than the database's. */
  readonly backups?: Host | undefined;
  readonly workers: readonly Host[];
  /** Where a replica and its primary run, when the plan names a replica. */
  readonly standby?: StandbyMachines | undefined;
  /** How many hosts are worked on at once. */
  readonly parallel: number;
}

export interface StandbyMachines {
  readonly replica: Host;
  readonly primary: Host;
  /** Leads the application to the promoted replica. */
  readonly switch: Host;
}

/** What came of work on one of several machines. */
export type Worked<T, R> =
  | { readonly kind: 'done'; readonly on: T; readonly result: R }
  | { readonly kind: 'failed'; readonly on: T; readonly failure: Failure };

/** Works on several machines at once, `parallel` at most; one that fails does not keep the others from their end. */
export async function onEach<T, R>(
  machines: readonly T[],
  parallel: number,
  work: (machine: T) => Promise<R>,
): Promise<readonly Worked<T, R>[]> {
  const results: Worked<T, R>[] = [];
  const queue = machines.entries();
  const worker = async (): Promise<void> => {
    for (const [index, on] of queue) {
      results[index] = await work(on).then(
        (result): Worked<T, R> => ({ kind: 'done', on, result }),
        (error: unknown): Worked<T, R> => ({ kind: 'failed', on, failure: failureOf(error) }),
      );
    }
  };
  const workers = Math.min(Math.max(1, parallel), machines.length);
  await Promise.all(Array.from({ length: workers }, worker));
  return results;
}
