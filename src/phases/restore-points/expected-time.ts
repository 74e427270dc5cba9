import type { Plan } from '../../plan/plan.ts';
import { predict, type PredictableStep } from '../../plan/prediction.ts';
import type { RestorePointKind } from '../../record/restore-point.ts';
import { readHistory } from '../../record/window-record.ts';
import type { PhaseContext } from '../phase.ts';
import type { ExpectedTime } from './choice.ts';

const phase = 'run-db-maintenance';
const closed = { phase, closed: true } as const;

/** The steps that take a restore point while the site is closed, for what they are expected to take. */
export function takingSteps(
  kind: RestorePointKind,
  { backupDb: { verify } }: Pick<Plan, 'backupDb'>,
): readonly PredictableStep[] {
  switch (kind) {
    case 'clone':
      return [{ ...closed, step: 'clone', work: 'copy' }];
    case 'standby':
      return [
        { ...closed, step: 'stop-standby', work: 'moment' },
        { ...closed, step: 'catch-up-standby', work: 'moment', guessSeconds: 0.3 },
        { ...closed, step: 'cut-off-standby', work: 'moment', guessSeconds: 0.1 },
      ];
    case 'dump':
      return [
        { ...closed, step: 'dump-closed', work: 'dump' },
        verify === 'checksum'
          ? { ...closed, step: 'checksum-closed', work: 'scan' }
          : { ...closed, step: 'restore-test-closed', work: 'restore' },
      ];
    case 'command':
      return [{ ...closed, step: 'take-snapshot', work: 'moment', guessSeconds: 10 }];
  }
}

/** How long taking kinds would keep the site closed: from earlier windows, else from the size of the database. */
export async function expectedTimes(
  { host, plan, database }: Pick<PhaseContext, 'host' | 'plan' | 'database'>,
  kinds: readonly RestorePointKind[],
): Promise<Partial<Record<RestorePointKind, ExpectedTime>>> {
  const found =
    database === undefined ? undefined : await database.identify({ name: database.name });
  const size = found === undefined ? undefined : { bytes: found.bytes, indexBytes: 0 };
  const history = await readHistory(host, { stateDir: plan.stateDir, name: plan.name ?? '' });
  return Object.fromEntries(
    kinds.map((kind) => {
      const steps = predict(takingSteps(kind, plan), size, history);
      return [
        kind,
        {
          seconds: steps.reduce((sum, { seconds }) => sum + seconds, 0),
          basis: steps[0]?.basis ?? '',
        },
      ];
    }),
  );
}
