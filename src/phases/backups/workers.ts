import type { PhaseContext } from '../phase.ts';

/** What is taken where the host does not tell. */
const usual = 2;
/** Each worker of a dump is a session beside those of the public. */
const mostWhileServed = 8;
/** A rollback must not fail for want of sessions: PostgreSQL allows 100 of them by default, and others may hold some. */
const mostWhileClosed = 16;

/** Whether the public is served meanwhile, and shall go on to be. */
export type Moment = 'online' | 'closed';

/** Workers for so many processors: half of them while the public needs the others, else one for each. */
export function workersFor(processors: number, moment: Moment): number {
  return moment === 'online'
    ? Math.min(mostWhileServed, Math.max(1, Math.floor(processors / 2)))
    : Math.min(mostWhileClosed, Math.max(1, processors));
}

/** How many workers dump, restore or compare. Where the plan leaves it to the host with the client programs, it is told. */
export async function backupWorkers(
  { plan, fleet, progress }: Pick<PhaseContext, 'plan' | 'fleet' | 'progress'>,
  moment: Moment,
): Promise<number> {
  const { jobs } = plan.backupDb;
  if (jobs !== 'auto') return jobs;
  const host = fleet.database;
  // A stream has one worker, whatever else is done by several.
  const tell = (line: string): void => {
    if (plan.backupDb.streamTo === undefined) progress.info(line);
  };
  const { exitCode, stdout } = await host.run({
    argv: ['getconf', '_NPROCESSORS_ONLN'],
    timeoutSeconds: 10,
  });
  const processors = exitCode === 0 ? Number(stdout.trim()) : 0;
  if (!Number.isInteger(processors) || processors < 1) {
    tell(`workers: ${usual}, for ${host.name} does not tell how many processors it has`);
    return usual;
  }
  const chosen = workersFor(processors, moment);
  const why = moment === 'online' ? 'while the public is served' : 'while the site is closed';
  tell(`workers: ${chosen} ${why}, for ${host.name} has ${processors} processors`);
  return chosen;
}
