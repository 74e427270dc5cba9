import { backupDb } from './backup-db.ts';
import { disableMaintenance } from './disable-maintenance.ts';
import { enableMaintenance } from './enable-maintenance.ts';
import type { PhaseContext, PhaseOutcome } from './phase.ts';
import { rollback } from './rollback.ts';
import { runDbMaintenance } from './run-db-maintenance.ts';
import { smokeTest } from './smoke-test.ts';
import { updateServer } from './update-server.ts';

/** The runbook of a whole window after a good preflight: online work, closed work, proof, reopening. */
const runbook: readonly {
  readonly id: string;
  readonly run: (context: PhaseContext) => Promise<PhaseOutcome>;
}[] = [
  { id: 'backup-db', run: backupDb },
  { id: 'run-db-maintenance', run: (context) => runDbMaintenance(context, { stage: 'online' }) },
  { id: 'update-server', run: (context) => updateServer(context, { stage: 'online' }) },
  { id: 'enable-maintenance', run: (context) => enableMaintenance(context, { prepareOnly: true }) },
  {
    id: 'enable-maintenance',
    run: (context) => enableMaintenance(context, { prepareOnly: false }),
  },
  { id: 'run-db-maintenance', run: (context) => runDbMaintenance(context, { stage: 'closed' }) },
  { id: 'update-server', run: (context) => updateServer(context, { stage: 'closed' }) },
  { id: 'smoke-test', run: smokeTest },
  {
    id: 'disable-maintenance',
    run: (context) => disableMaintenance(context, { reopenHeld: false }),
  },
];

/** Runs the whole window; the first failure ends it and the declared policy follows. */
export async function maintenanceWindow(context: PhaseContext): Promise<PhaseOutcome> {
  let last: PhaseOutcome = { kind: 'skipped', reason: 'nothing to do', outputs: {} };
  let outputs: Readonly<Record<string, string>> = {};
  for (const { id, run } of runbook) {
    last = await run(context);
    outputs = { ...outputs, ...last.outputs };
    if (last.kind === 'failed') return { ...(await recover(context, id, last)), outputs };
  }
  return { ...last, outputs };
}

async function recover(
  context: PhaseContext,
  failedPhase: string,
  failed: Extract<PhaseOutcome, { kind: 'failed' }>,
): Promise<PhaseOutcome> {
  context.progress.warning(`${failedPhase} failed: ${failed.failure.message}`);
  // A cancelled run has seconds to live: making it safe is the work of what runs after it.
  if (failed.failure.code === 'cancelled') return failed;
  const safe = await rollback(context, {
    force: false,
    acceptDataLoss: false,
    reason: `${failedPhase} failed: ${failed.failure.code}`,
  });
  const { failure } = failed;
  switch (safe.kind) {
    case 'done':
      return {
        ...failed,
        failure: {
          ...failure,
          state: `Rolled back: ${safe.detail}.`,
          next: 'Mend the cause named above, then start a new window.',
        },
      };
    case 'skipped':
      return {
        ...failed,
        failure: {
          ...failure,
          state: `${failure.state} Nothing had to be rolled back: ${safe.reason}.`,
        },
      };
    case 'failed':
      return {
        ...failed,
        failure: {
          ...failure,
          message: `${failure.message} And then: ${safe.failure.message}`,
          state: safe.failure.state,
          next: safe.failure.next,
        },
      };
  }
}
