import type { Database } from '../../ports/database.ts';
import { failureOf } from '../../ports/failure.ts';
import type { Check } from '../../ports/maintenance-mode.ts';
import type { PhaseContext } from '../phase.ts';
import { scratchFitness } from './scratch-database.ts';

type CheckContext = Pick<PhaseContext, 'plan' | 'database' | 'scratch'>;

/** Whether the backup can be written and proved as the plan asks for it; changes nothing. */
export async function checkVerification(context: CheckContext): Promise<readonly Check[]> {
  return [
    ...(await checkCompression(context)),
    ...(await checkAmcheck(context)),
    ...(await checkScratch(context)),
  ];
}

async function checkCompression({ plan, database }: CheckContext): Promise<readonly Check[]> {
  const { compression } = plan.backupDb;
  // Every pg_dump can do the others.
  if (database === undefined || !['lz4', 'zstd'].includes(compression)) return [];
  const { by, possible } = await database.compressions();
  const head = {
    id: 'compression',
    title: 'Compression of the backup',
    limit: `backup-db.compression is ${inWords(possible)}`,
  };
  return [
    possible.includes(compression)
      ? { ...head, verdict: 'passed', value: `${by} can compress by ${compression}` }
      : {
          ...head,
          verdict: 'failed',
          value: `backup-db.compression is ${compression}, by which ${by} cannot compress`,
          next: `Set backup-db.compression to ${inWords(possible)}, or install client programs of PostgreSQL 16 or newer that were built with ${compression}.`,
        },
  ];
}

function inWords(names: readonly string[]): string {
  return `${names.slice(0, -1).join(', ')} or ${names.at(-1) ?? ''}`;
}

async function checkAmcheck({ plan, database, scratch }: CheckContext): Promise<readonly Check[]> {
  const { amcheck, verify } = plan.backupDb;
  if (database === undefined || amcheck === 'none') return [];
  const head = {
    id: 'amcheck',
    title: 'pg_amcheck',
    limit: 'can look where backup-db.amcheck asks for it',
  };
  const obstacles: string[] = [];
  const ask = async (where: string, server: Database, own: boolean): Promise<void> => {
    const obstacle = await server
      .amcheckObstacle(own ? 'own' : 'application')
      .catch((error: unknown) => failureOf(error).message);
    if (obstacle !== undefined) obstacles.push(`not in ${where}: ${obstacle}`);
  };
  if (amcheck !== 'source') {
    if (verify === 'checksum') {
      obstacles.push('not in the restored database: with verify: checksum there is none');
    } else {
      await ask('the restored database', scratch ?? database, true);
    }
  }
  if (amcheck !== 'restored') await ask('the source', database, false);
  return [
    obstacles.length === 0
      ? { ...head, verdict: 'passed', value: amcheck }
      : {
          ...head,
          verdict: 'failed',
          value: obstacles.join('; '),
          next: 'Install what it lacks, or ask for less in backup-db.amcheck.',
        },
  ];
}

async function checkScratch({ plan, database, scratch }: CheckContext): Promise<readonly Check[]> {
  if (database === undefined || scratch === undefined) return [];
  const head = {
    id: 'scratch-server',
    title: 'Server for the restore test',
    limit: "another one than the application's, that can restore its database",
  };
  if (plan.backupDb.verify === 'checksum') {
    return [
      {
        ...head,
        verdict: 'failed',
        value: 'backup-db.scratch-url is given, and with verify: checksum nothing is restored',
        next: 'Set backup-db.verify to restore or restore-and-compare, or leave scratch-url out.',
      },
    ];
  }
  const { obstacles, told, serverVersion, missingRoles } = await scratchFitness(database, scratch);
  const place = `${scratch.label}, PostgreSQL ${serverVersion}`;
  if (obstacles.length > 0) {
    return [
      {
        ...head,
        verdict: 'failed',
        value: `${place}: ${obstacles.join('; ')}`,
        next: 'Give that server what it lacks, name another one, or leave backup-db.scratch-url out.',
      },
    ];
  }
  const standIns =
    missingRoles.length === 0 ? [] : [`stand-ins are made for ${missingRoles.length} roles`];
  return [{ ...head, verdict: 'passed', value: [place, ...standIns, ...told].join('; ') }];
}
