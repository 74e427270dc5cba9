import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { writePlan } from '../../rehearsal/plan.ts';
import { startSite, type Site } from '../../rehearsal/site.ts';
import { readStatus, runStep, runSteps, windowSteps } from '../fixtures/window-run.ts';

let site: Site;
let workspace: string;

beforeAll(async () => {
  site = await startSite({ megabytes: 2 });
  workspace = await mkdtemp(join(tmpdir(), 'mw-workspace-'));
  await writeFile(
    join(workspace, 'migrate.sh'),
    'set -eu\ntest -z "${MAINTENANCE_BYPASS_TOKEN:-}"\npsql -X -v ON_ERROR_STOP=1 -c "$1" "$DATABASE_URL"\n',
  );
}, 120_000);

afterAll(async () => {
  await rm(workspace, { recursive: true, force: true });
  await site.stop();
});

const planWith = (sql: string, environment?: readonly string[]) =>
  writePlan(site, {
    changes: [
      {
        path: ['run-db-maintenance', 'tasks'],
        value: [
          {
            task: 'migrate',
            command: ['sh', 'migrate.sh', sql],
            verify:
              "select exists (select from information_schema.columns where table_name = 'customers' and column_name = 'nickname')",
            ...(environment === undefined ? {} : { environment }),
          },
        ],
      },
    ],
  });

test("the user's own migration tool runs in the repository with the database URL and no other secret", async () => {
  const plan = await planWith('alter table customers add column nickname text');
  const ends = await runSteps(plan, windowSteps, { runId: '8001', workspace });
  expect(ends.at(-1)?.outputs.state).toBe('reopened');
  expect(await site.sql('select count(nickname) from customers')).toContain('0');
}, 120_000);

test('a tool that ends well without its effect is a failure, and the rollback goes back', async () => {
  await site.sql('alter table customers drop column nickname');
  const plan = await planWith('select 1');
  await runSteps(plan, windowSteps.slice(0, 5), { runId: '8002', workspace });
  const failed = await runStep(
    plan,
    { entry: 'run-db-maintenance', inputs: { stage: 'closed' } },
    { runId: '8002', workspace },
  );
  expect(failed.code).toBe(1);
  expect(failed.log).toContain('the verify query gave false instead of true');
  const back = await runStep(plan, { entry: 'rollback' }, { runId: '8002', workspace });
  expect([back.code, back.outputs.outcome]).toEqual([0, 'restored']);
  expect((await readStatus(plan))?.state).toBe('rolled-back');
  expect((await fetch(`${site.publicUrl}/healthz`)).status).toBe(200);
}, 120_000);

test('a variable that the tool needs and the run lacks is refused before anything is touched', async () => {
  const plan = await planWith('select 1', ['DATABASE_URL', 'NOT_THERE']);
  const refused = await runStep(plan, { entry: 'preflight' }, { runId: '8003', workspace });
  expect(refused.code).toBe(1);
  expect(refused.log).toContain('NOT_THERE (run-db-maintenance.tasks.0.environment)');
  expect((await readStatus(plan))?.state).not.toBe('planned');
}, 60_000);
