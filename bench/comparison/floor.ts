import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Site } from '../../rehearsal/site.ts';
import { monotonicMilliseconds } from '../monotonic-clock.ts';
import { median } from '../statistics.ts';
import { flush, withCopyOf, type DataSet } from './data-set.ts';

const run = promisify(execFile);

/** What this machine cannot do faster, whoever asks for it. Milliseconds, medians, with nobody else at work. */
export type Floor = {
  /** Copying the files of the database with cp, and that again until the copy is on the disk. */
  readonly copy: number;
  readonly durableCopy: number;
  /** Two ALTER DATABASE … RENAME, one after the other in one session. */
  readonly renames: number;
};

/** Measures the floor on a copy of the data of its own. */
export function measureFloor(set: DataSet, rounds: number): Promise<Floor> {
  return withCopyOf(set, async (site, signal) => {
    // The pool of the shop would be in the way of a renaming.
    await site.application.halt();
    await site.cluster.psql('checkpoint');
    const times: { copy: number; durableCopy: number; renames: number }[] = [];
    for (let round = 0; round < rounds; round += 1) {
      signal.throwIfAborted();
      times.push({ ...(await timeCopy(site)), renames: await timeRenames(site) });
    }
    return {
      copy: median(times.map(({ copy }) => copy)),
      durableCopy: median(times.map(({ durableCopy }) => durableCopy)),
      renames: median(times.map(({ renames }) => renames)),
    };
  });
}

async function timeCopy(site: Site): Promise<{ copy: number; durableCopy: number }> {
  const oid = await site.sql('select oid from pg_database where datname = current_database()');
  const source = join(site.cluster.dataFolder, 'base', oid);
  const target = join(site.workFolder, 'copy');
  const begin = monotonicMilliseconds();
  await run('cp', ['--recursive', source, target]);
  const copied = monotonicMilliseconds();
  await flush(target);
  const synced = monotonicMilliseconds();
  await run('rm', ['--recursive', target]);
  return { copy: copied - begin, durableCopy: synced - begin };
}

async function timeRenames(site: Site): Promise<number> {
  const name = site.databaseName;
  // By psql itself, whose own start does not count.
  const answer = await site.cluster.psql(`
    select clock_timestamp() as before \\gset
    alter database ${name} rename to ${name}_away;
    alter database ${name}_away rename to ${name};
    select extract(epoch from clock_timestamp() - :'before') * 1000;`);
  return Number(answer);
}
