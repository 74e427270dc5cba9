import type { Clock } from '../../../ports/clock.ts';
import type { OnlineTerms, OnlineWatch, WatchedWork } from '../../../ports/online-guard.ts';
import { dumpApplication } from '../dump-application.ts';
import type { Psql } from '../psql.ts';
import { byDatabase, byName } from './look.ts';
import { startGuard } from './online-guard.ts';

/** {@link DatabaseTasks.watch} */
export async function watchClients(
  { psql, clock }: { readonly psql: Psql; readonly clock: Clock },
  work: WatchedWork,
  terms: OnlineTerms,
): Promise<OnlineWatch> {
  const ours =
    work.kind === 'dump' ? byName(dumpApplication(work.windowId)) : byDatabase(work.database);
  return startGuard({ psql, clock }, ours, terms);
}
