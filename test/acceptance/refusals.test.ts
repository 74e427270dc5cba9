import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { SitePlan } from '../../rehearsal/plan.ts';
import { startSite, type Site } from '../../rehearsal/site.ts';
import { failureTold, type ToldFailure } from '../fixtures/action-failure.ts';
import { runAction, type ActionCall, type ActionEnd } from '../fixtures/action-process.ts';
import { freshPlan } from '../fixtures/fresh-plan.ts';
import { systemState } from '../fixtures/system-state.ts';
import { runStep } from '../fixtures/window-run.ts';

let site: Site;

beforeAll(async () => {
  site = await startSite({ megabytes: 2 });
}, 120_000);

afterAll(async () => {
  await site.stop();
});

/** Runs an action that must be refused, and looks at the whole system before and after. */
async function refused(
  plan: SitePlan,
  call: Pick<ActionCall, 'entry' | 'inputs' | 'environment' | 'runId'>,
): Promise<ToldFailure & { readonly end: ActionEnd }> {
  const before = await systemState(site, plan);
  const end = await runAction({
    runId: '4999',
    ...call,
    inputs: { plan: plan.path, ...call.inputs },
    environment: { ...plan.environment, ...call.environment },
  });
  const told = failureTold(end);
  expect(await systemState(site, plan)).toEqual(before);
  expect(end.outputs['window-id']).toBeUndefined();
  return { ...told, end };
}

async function succeed(plan: SitePlan, entry: string, runId: string): Promise<ActionEnd> {
  const end = await runStep(plan, { entry }, { runId });
  if (end.code !== 0) throw new Error(`${entry} ended with ${end.code}:\n${end.log}`);
  return end;
}

describe("another run's window", () => {
  const others = [
    'preflight',
    'backup-db',
    'enable-maintenance',
    'run-db-maintenance',
    'smoke-test',
    'disable-maintenance',
    'maintenance-window',
  ];

  test('that closed the site keeps every other run out and is named', async () => {
    const plan = await freshPlan(site);
    const closed = await succeed(plan, 'enable-maintenance', '4001');
    for (const entry of others) {
      const { message, next } = await refused(plan, { entry });
      expect(message).toContain(`window ${closed.outputs['window-id']}`);
      expect(message).toContain('https://github.example/shop/shop/actions/runs/4001');
      expect(message).toContain('started by ada');
      expect(next).toContain('`rollback`');
    }
    const opened = await succeed(plan, 'disable-maintenance', '4001');
    expect(opened.outputs.state).toBe('reopened');
  }, 60_000);

  test('that is only planned keeps them out until its end', async () => {
    const plan = await freshPlan(site);
    const planned = await succeed(plan, 'preflight', '4002');
    for (const entry of ['preflight', 'enable-maintenance']) {
      const { message } = await refused(plan, { entry });
      expect(message).toContain(`window ${planned.outputs['window-id']}`);
    }
  });

  test('is not gone on with by the id of a window that is over', async () => {
    const plan = await freshPlan(site);
    const { message, next } = await refused(plan, {
      entry: 'run-db-maintenance',
      inputs: { 'window-id': 'mw-20260101-020000-abcd' },
    });
    expect(message).toContain('Window mw-20260101-020000-abcd is not open here');
    expect(next).toContain('`preflight`');
  });
});

describe('a record that cannot be read fails closed', () => {
  async function planWith(files: Readonly<Record<string, string>>): Promise<SitePlan> {
    const plan = await freshPlan(site);
    const folder = join(plan.stateDir, plan.name);
    await mkdir(folder, { recursive: true });
    for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
    return plan;
  }

  test.each([
    ['of a newer version', '{"schemaVersion": 2}', 'schemaVersion'],
    ['cut off', '{"schemaVersion": 1, "windowId":', 'it is not JSON'],
    ['empty', '', 'it is not JSON'],
  ])(
    'a status file that is %s',
    async (_name, text, reason) => {
      const plan = await planWith({ 'window.json': text });
      for (const entry of ['preflight', 'enable-maintenance', 'rollback', 'report']) {
        const { message, next } = await refused(plan, { entry });
        expect(message).toContain(join(plan.stateDir, plan.name, 'window.json'));
        expect(message).toContain(reason);
        expect(next).toContain('Look at');
      }
    },
    60_000,
  );

  test('a journal with a damaged line', async () => {
    const plan = await freshPlan(site);
    await succeed(plan, 'backup-db', '4003');
    await writeFile(join(plan.stateDir, plan.name, 'journal.ndjson'), '{"at": "now"}\n');
    const { message } = await refused(plan, { entry: 'rollback', runId: '4003' });
    expect(message).toContain('journal line 1 cannot be read');
  });
});

describe('settings are refused all at once, before anything is touched', () => {
  test('a plan with mistakes: each by line and column, with what is accepted', async () => {
    const plan = await freshPlan(site);
    const text = await readFile(plan.path, 'utf8');
    const wrong = text
      .replace('duration: 60m', 'duration: soon')
      .replace('retry-after: 30s', 'retry-aftr: 30s')
      .replace('on-failure: rollback', 'on-failure: shrug');
    await writeFile(plan.path, wrong);
    const at = (word: string) => {
      const lines = wrong.slice(0, wrong.indexOf(word)).split('\n');
      return `${lines.length}:${(lines.at(-1)?.length ?? 0) + 1}`;
    };
    const { message } = await refused(plan, { entry: 'preflight' });
    const lineWith = (word: string) =>
      message.split('\n').find((line) => line.includes(word)) ?? '';
    expect(lineWith('window.duration')).toContain(`:${at('soon')}`);
    expect(lineWith('retry-aftr')).toContain(`:${at('retry-aftr')}`);
    expect(lineWith('retry-aftr')).toContain('retry-after');
    expect(lineWith('rollback.on-failure')).toContain(`:${at('shrug')}`);
    expect(lineWith('rollback.on-failure')).toContain('rollback or hold');
  });

  test('a plan that is no YAML, and one that is not there', async () => {
    const plan = await freshPlan(site);
    await writeFile(plan.path, 'name: shop\nwindow: {duration: 60m\n');
    expect((await refused(plan, { entry: 'preflight' })).message).toMatch(
      /maintenance\.yml:\d+:\d+/,
    );
    const { message, next } = await refused(plan, {
      entry: 'rollback',
      inputs: { plan: 'no/such/plan.yml' },
    });
    expect(message).toContain('no/such/plan.yml cannot be read');
    expect(next).toContain('Check the repository out');
  });

  test.each([
    ['enable-maintenance', { mode: 'apache' }, 'input mode: "apache": is nginx'],
    ['run-db-maintenance', { stage: 'later' }, 'input stage: "later": is online, closed or all'],
    ['rollback', { force: 'yes' }, 'input force: "yes": is true or false'],
    ['backup-db', { jobs: 'many' }, 'input jobs: "many": is auto, or a whole number'],
    ['disable-maintenance', { 'open-timeout': '30' }, 'input open-timeout: "30":'],
  ])('%s with %j', async (entry, inputs, problem) => {
    const plan = await freshPlan(site);
    expect((await refused(plan, { entry, inputs })).message).toContain(problem);
  });
});

describe('secrets', () => {
  test.each(['preflight', 'backup-db', 'enable-maintenance'])(
    '%s names the variables that are not set',
    async (entry) => {
      const plan = await freshPlan(site);
      const { message, state } = await refused(plan, {
        entry,
        environment: { DATABASE_URL: '', MAINTENANCE_BYPASS_TOKEN: '' },
      });
      expect(message).toContain('DATABASE_URL (database.url)');
      expect(message).toContain('MAINTENANCE_BYPASS_TOKEN (enable-maintenance.bypass-token)');
      expect(state).toBe('Nothing was touched.');
    },
  );

  test.each([
    ['too short', 'tiny-token'],
    ['not fit for a cookie', 'a token; with "quotes" and more'],
  ])('a bypass token that is %s is refused, and not shown', async (_name, token) => {
    const plan = await freshPlan(site);
    const { message, next, end } = await refused(plan, {
      entry: 'enable-maintenance',
      environment: { MAINTENANCE_BYPASS_TOKEN: token },
    });
    expect(message).toContain('enable-maintenance.bypass-token');
    expect(next).toContain('16 or more');
    const shown = end.log.split('\n').filter((line) => !line.startsWith('::add-mask::'));
    expect(shown.join('\n')).not.toContain(token);
  });

  test('a secret written into the plan itself is refused, and not shown', async () => {
    const plan = await freshPlan(site);
    const text = await readFile(plan.path, 'utf8');
    await writeFile(plan.path, text.replace('$DATABASE_URL', site.databaseUrl));
    const { message, end } = await refused(plan, { entry: 'preflight' });
    expect(message).toContain('database.url');
    expect(end.log).not.toContain(site.databasePassword);
  });
});

test('a state folder that cannot be made is told before anything is done', async () => {
  const plan = await freshPlan(site);
  const blocked = join(plan.stateDir, 'file');
  await mkdir(plan.stateDir);
  await writeFile(blocked, 'not a folder');
  const { message } = await refused(plan, {
    entry: 'enable-maintenance',
    inputs: { 'state-dir': join(blocked, 'state') },
  });
  expect(message).toContain(join(blocked, 'state'));
});
