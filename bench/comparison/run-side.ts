import { setTimeout as pause } from 'node:timers/promises';
import { startReplica, type Replica } from '../../rehearsal/replica.ts';
import type { Site } from '../../rehearsal/site.ts';
import { closedPhases, type ClosedPhase } from './closed-phase.ts';
import { flush, withCopyOf, type DataSet } from './data-set.ts';
import { seenOf, type Seen } from './outcome.ts';
import { consumption, type Consumption } from './processes.ts';
import { startPublic } from './public.ts';
import { runbook } from './runbook.ts';
import { wallClock, type ClosedStep, type RunKind, type Side, type SideName } from './side.ts';
import { ourWindow } from './window.ts';

/** One run of one side, measured. */
export type MeasuredRun = {
  readonly side: SideName;
  readonly kind: RunKind;
  readonly seen: Seen;
  /** From the first command to the end of the last. */
  readonly seconds: number;
  /** What it took from the machine beyond what serving the public takes. */
  readonly extra: Consumption;
  /** What the public or the worker was told is stored, and is not there. */
  readonly lostWrites: number;
  readonly closedSteps: readonly ClosedStep[];
  /** Of our own process; only for a window. */
  readonly peakMemoryBytes?: number;
  /** Only for a window that succeeded. */
  readonly phases?: readonly ClosedPhase[];
};

/** How long the public is watched before a run begins. */
export type Watch = { readonly warmUpSeconds: number; readonly seconds: number };

const sides: Readonly<Record<SideName, Side>> = {
  runbook,
  clone: ourWindow,
  standby: ourWindow,
};

/**
 * Lets a side do its maintenance on a copy of the data, with the public at work all the time.
 * @throws Error when it did not come to the end that the kind of run asks for, or left wrong data behind
 */
export function runSide(
  set: DataSet,
  side: SideName,
  kind: RunKind,
  watch: Watch,
): Promise<MeasuredRun> {
  return withCopyOf(set, async (site, signal) => {
    const replica = side === 'standby' ? await startReplicaOf(site) : undefined;
    try {
      return await measure(site, replica, signal);
    } finally {
      await replica?.stop();
    }
  });

  async function measure(
    site: Site,
    replica: Replica | undefined,
    signal: AbortSignal,
  ): Promise<MeasuredRun> {
    const arena = { site, ...(replica === undefined ? {} : { replica }) };
    const before = await contentsOf(site);
    const crowd = await startPublic(site);
    await pause(watch.warmUpSeconds * 1000, undefined, { signal });
    const idle = await readingOf(site);
    await pause(watch.seconds * 1000, undefined, { signal });
    const start = await readingOf(site);
    const run = await sides[side](arena, kind, signal);
    const end = await readingOf(site);
    const { traffic, writes } = await crowd.stop();
    await expectContents(site, kind, before);
    const seen = seenOf(run, idle.at, traffic, writes);
    const missing = await site.missingOrders(traffic.orders.map(({ reference }) => reference));
    const written = Number(await site.sql("select count(*) from events where kind = 'worker'"));
    const committed = writes.filter(({ isCommitted }) => isCommitted).length;
    return {
      side,
      kind,
      seen,
      seconds: (run.endedAt - run.beganAt) / 1000,
      extra: beyondServing(idle, start, end, seen.refused),
      lostWrites: missing.length + Math.max(0, committed - written),
      closedSteps: run.closedSteps,
      ...(run.peakMemoryBytes === undefined ? {} : { peakMemoryBytes: run.peakMemoryBytes }),
      ...(run.journal === undefined || kind === 'rollback'
        ? {}
        : { phases: closedPhases(run.journal) }),
    };
  }
}

/** Streaming, with all that the primary has on the disk. */
async function startReplicaOf(site: Site): Promise<Replica> {
  // What docs/getting-started.md has the role get for a replica.
  await site.cluster.psql(`alter role ${site.databaseUser} replication`);
  await site.cluster.psql(`grant pg_checkpoint to ${site.databaseUser}`);
  const replica = await startReplica(site.cluster);
  try {
    await flush(replica.dataFolder);
    return replica;
  } catch (error) {
    await replica.stop();
    throw error;
  }
}

type Reading = Consumption & { readonly at: number };

/** Once all that PostgreSQL holds back is written. A replica does its own share, which is not counted. */
async function readingOf(site: Site): Promise<Reading> {
  await site.cluster.psql('checkpoint');
  const servers = [site.cluster.pid, site.webServer.pid, site.application.pid];
  return { at: wallClock(), ...consumption(servers) };
}

/** @param refused milliseconds in which the public was not served */
function beyondServing(idle: Reading, start: Reading, end: Reading, refused: number): Consumption {
  // As much of the time before as of the run in which the public was served.
  const share = (end.at - start.at - refused) / (start.at - idle.at);
  const beyond = (of: (reading: Reading) => number) =>
    Math.max(0, of(end) - of(start) - share * (of(start) - of(idle)));
  return {
    cpuSeconds: beyond(({ cpuSeconds }) => cpuSeconds),
    writtenBytes: beyond(({ writtenBytes }) => writtenBytes),
  };
}

/** What the failing migrations change, and what no client does. */
function contentsOf(site: Site): Promise<string> {
  return site.sql(`
    select (select version from shop_schema),
           (select md5(string_agg(id || ' ' || price_cents, ',' order by id)) from products),
           (select md5(string_agg(id || ' ' || country, ',' order by id)) from customers)`);
}

async function expectContents(site: Site, kind: RunKind, before: string): Promise<void> {
  const after = await contentsOf(site);
  const isAsExpected = kind === 'rollback' ? after === before : after.startsWith('3|');
  if (!isAsExpected) throw new Error(`The data is wrong after the run: ${after}, was ${before}.`);
}
