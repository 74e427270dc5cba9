import type { Database } from '../../ports/database.ts';
import type { DatabaseProperties } from '../../ports/database-properties.ts';
import { fail, failureOf, FailureError } from '../../ports/failure.ts';
import type { ScratchFitness } from '../../ports/backup-proof.ts';
import { databaseName } from '../database-names.ts';
import type { PhaseContext } from '../phase.ts';
import { requireDatabase } from '../requirements.ts';

/** A database to restore into, for a proof and nothing else. */
export interface Scratch {
  /** Its server, seen from the host with the client programs. */
  readonly server: Database;
  readonly database: string;
  /** Whether that is another server than the application's. */
  readonly elsewhere: boolean;
  /** For people. */
  readonly place: string;
  /** What people should know of a test there. */
  readonly told: readonly string[];
}

/**
 * Does something with an empty scratch database, and drops it, whatever came of it; leftovers of killed runs as well.
 * @throws FailureError `scratch-unfit` when the server for it cannot be used
 */
export async function withScratch<T>(
  context: PhaseContext,
  like: DatabaseProperties,
  work: (scratch: Scratch) => Promise<T>,
): Promise<T> {
  const { record, scratch: other } = context;
  const application = requireDatabase(context);
  const server = other ?? application;
  const database = databaseName(application.name, record.status.windowId, 'scratch');
  const mark = `${record.status.name}, database ${application.name}`;
  const drop = (): Promise<unknown> => server.dropScratch(database, mark);
  // What a killed run left is in the way of the look, too: its stand-ins are no roles that will stay.
  await drop();
  const fitness = other === undefined ? undefined : await requireFit(application, other);
  let result: T;
  try {
    await server.createScratch(database, {
      like,
      mark,
      ...(fitness === undefined ? {} : { elsewhere: fitness }),
    });
    result = await work({
      server,
      database,
      elsewhere: fitness !== undefined,
      place:
        fitness === undefined ? 'a scratch database' : `a scratch database on ${hostOf(server)}`,
      told: fitness?.told ?? [],
    });
  } catch (error) {
    // What failed first is what the reader needs.
    const second = await drop().then(
      () => undefined,
      (reason: unknown) => failureOf(reason),
    );
    if (second === undefined) throw error;
    const failure = failureOf(error);
    throw new FailureError(
      {
        ...failure,
        state: `${failure.state} The scratch database ${database} may be left on ${hostOf(server)} (${second.message}); the next backup drops it.`,
      },
      { cause: error },
    );
  }
  await drop();
  return result;
}

/** Whether the scratch server can take the database; asked before anything is made there. */
export async function scratchFitness(
  application: Database,
  other: Database,
): Promise<ScratchFitness> {
  return other.scratchFitness(await application.restoreNeeds());
}

async function requireFit(application: Database, other: Database): Promise<ScratchFitness> {
  const fitness = await scratchFitness(application, other);
  if (fitness.obstacles.length === 0) return fitness;
  return fail({
    code: 'scratch-unfit',
    message: `The server of backup-db.scratch-url (${hostOf(other)}) cannot take the restore test: ${fitness.obstacles.join('; ')}.`,
    state: 'Nothing was created there. The site is unchanged.',
    next: 'Give that server what it lacks, name another one, or leave scratch-url out: the test then runs on the server of the application.',
  });
}

/** `postgresql postgres on 127.0.0.1:5433`: where it is, without the database that is only connected to. */
function hostOf({ label }: Database): string {
  return label.replace(/^.* on /, '');
}
