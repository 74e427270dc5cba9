/** The process of the public; see public.ts. */
import { setTimeout as pause } from 'node:timers/promises';
import pg from 'pg';
import { startTraffic, type Traffic, type TrafficReport } from '../../rehearsal/public-traffic.ts';

export type PublicOptions = {
  /** Without a slash at the end. */
  readonly url: string;
  readonly clients: number;
  readonly thinkMilliseconds: number;
  /** Mean pause of the worker between two transactions. */
  readonly workerPauseMilliseconds: number;
};

/** A transaction of the worker that writes into the database. Times are milliseconds since the epoch. */
export type Write = {
  readonly startedAt: number;
  readonly endedAt: number;
  /** False when it failed, or whether it was committed is not known. */
  readonly isCommitted: boolean;
};

export type PublicReport = { readonly traffic: TrafficReport; readonly writes: readonly Write[] };

export type FromPublic = { readonly kind: 'works' } | ({ readonly kind: 'stopped' } & PublicReport);

const options = JSON.parse(process.argv[2] ?? '') as PublicOptions;
// Not among the arguments, which every user of the machine can read.
const databaseUrl = process.env.DATABASE_URL;
const aDay = 86_400;

let stopping = false;
const writes: Write[] = [];

function now(): number {
  return performance.timeOrigin + performance.now();
}

/** Follows whether the public is let in: the worker rests as long as it is not. */
function watchDoor(traffic: Traffic): { isOpen: boolean } {
  const door = { isOpen: true };
  const watch = async () => {
    for (;;) {
      await traffic.next(({ outcome }) => 'maintenance' in outcome, aDay);
      door.isOpen = false;
      await traffic.next(
        ({ outcome }) => outcome.kind === 'answered' && outcome.status === 200,
        aDay,
      );
      door.isOpen = true;
    }
  };
  // It ends with the traffic, and not otherwise.
  watch().catch(() => undefined);
  return door;
}

/** Writes past the web server all the time, as a queue's worker would: an order and an event in one transaction. */
async function work(door: { readonly isOpen: boolean }): Promise<void> {
  let client: pg.Client | undefined;
  for (let number = 1; !stopping;) {
    if (door.isOpen) {
      const startedAt = now();
      try {
        client ??= await connect();
        await client.query('begin');
        await client.query('update orders set status = $2 where id = $1', [
          1 + ((number * 7919) % 400),
          number % 2 === 0 ? 'paid' : 'shipped',
        ]);
        await client.query(
          `insert into events (kind, detail) values ('worker', jsonb_build_object('number', $1::integer))`,
          [number],
        );
        await client.query('commit');
        writes.push({ startedAt, endedAt: now(), isCommitted: true });
      } catch {
        writes.push({ startedAt, endedAt: now(), isCommitted: false });
        await client?.end().catch(() => undefined);
        client = undefined;
        await pause(50);
      }
      number += 1;
    }
    await pause(options.workerPauseMilliseconds * (0.5 + Math.random()));
  }
  await client?.end().catch(() => undefined);
}

async function connect(): Promise<pg.Client> {
  const client = new pg.Client({
    connectionString: databaseUrl ?? '',
    application_name: 'worker',
    connectionTimeoutMillis: 2000,
  });
  // The end of its session shows in the next query.
  client.on('error', () => undefined);
  await client.connect();
  return client;
}

function tell(message: FromPublic): void {
  process.send?.(message);
}

const { url, clients, thinkMilliseconds } = options;
const traffic = startTraffic({ url, clients, thinkMilliseconds });
const worker = work(watchDoor(traffic));
await traffic.next(({ outcome }) => outcome.kind === 'answered');
tell({ kind: 'works' });
process.once('message', () => {
  stopping = true;
  void Promise.all([traffic.stop(), worker]).then(([report]) =>
    tell({ kind: 'stopped', traffic: report, writes }),
  );
});
// Whoever started us is gone.
process.on('disconnect', () => process.exit());
