import { runStep } from '../record/step.ts';
import { databaseName } from './database-names.ts';
import type { PhaseContext } from './phase.ts';
import { needsRestorePoint } from './planned-changes.ts';
import { planTasks } from './planned-tasks.ts';
import { chooseRestorePointOnce } from './restore-point.ts';
import { prepareStandby } from './restore-points/standby-borrowing.ts';
import { readStatements } from './run-db-maintenance.ts';
import { recordProperties } from './sealed-database.ts';

const phase = 'run-db-maintenance';

/**
 * Does what the closed tasks need and the public need not wait for: reads their SQL, chooses the restore point, and
 * has the server write what a copy would have to wait for. A refusal comes while the site is still open.
 * @throws FailureError `consent-missing`, `no-restore-point`
 */
export async function prepareClosedTasks(context: PhaseContext): Promise<void> {
  const { plan, record, database } = context;
  if (database === undefined || record.status.restorePoint !== undefined) return;
  const tasks = planTasks(plan.runDbMaintenance.tasks).filter(({ stage }) => stage === 'closed');
  await readStatements(context, 'closed', tasks);
  if (!needsRestorePoint(plan)) return;
  const kind = await chooseRestorePointOnce(context);
  // Anew each time: hours may lie between getting ready and closing.
  await recordProperties(context, phase);
  if (kind === 'clone' || kind === 'standby') await writeChangedPages(context);
  if (kind === 'standby') await prepareStandby(context);
}

const ways = {
  asked: 'the server has written them',
  'by-a-copy': 'the server has written them, for a small copy that was dropped again',
  'not-allowed':
    'the role may not ask for it (pg_checkpoint); the server does it while the site is closed',
} as const;

/**
 * A copy of files begins with a checkpoint (manual, CREATE DATABASE: FILE_COPY), which writes all that was changed in
 * memory. Twice is cheap: the second time there is little left. A replica, when it is started again, replays the log
 * from the last checkpoint on that reached it (manual, 30.5), and so does a failed primary write less when it stops.
 */
async function writeChangedPages(context: PhaseContext): Promise<void> {
  const { database, record } = context;
  if (database === undefined) return;
  await runStep(context, phase, {
    id: 'checkpoint',
    title: 'Write changed pages before the site is closed',
    blast: 'none',
    observe: () => Promise.resolve(undefined),
    perform: async () => ({
      how: await database.checkpoint(
        databaseName(database.name, record.status.windowId, 'scratch'),
      ),
    }),
    describe: ({ how }) => ways[how],
  });
}
