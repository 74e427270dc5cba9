import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Migrations, SitePlan } from '../../rehearsal/plan.ts';
import { startSite, type Site } from '../../rehearsal/site.ts';
import type { ActionEnd } from '../fixtures/action-process.ts';
import { freshPlan } from '../fixtures/fresh-plan.ts';
import {
  expectNoTrace,
  filesBelow,
  formsOf,
  withoutMasks,
  travellingRecord,
  withCommandsWatched,
} from '../fixtures/secret-traces.ts';
import { runStep, windowSteps } from '../fixtures/window-run.ts';

/** Recognisable, and with everything that has to be encoded in a URL. */
const password = 'zebra:7/Quagga@#%?&"\'\\$x';
const token = 'okapi-bypass-token.0123456789';

let site: Site;

beforeAll(async () => {
  site = await startSite({ megabytes: 2 });
  await site.cluster.psql(
    `create role keeper login createdb superuser password '${password.replaceAll("'", "''")}'`,
  );
}, 120_000);

afterAll(async () => {
  await site.stop();
});

const forms = formsOf([password, 'zebra', 'Quagga', token, 'okapi']);

function expectNone(what: string, text: string): void {
  expectNoTrace(forms, what, text);
}

type Watched = {
  readonly ends: readonly ActionEnd[];
  readonly plan: SitePlan;
  readonly reports: string;
  readonly commands: ReadonlySet<string>;
};

/** A window, with a look at the argv of every process of this machine all the time. */
async function watchWindow(migrations: Migrations, runId: string): Promise<Watched> {
  const plan = await freshPlan(site, { migrations });
  const reports = join(dirname(plan.path), 'reports');
  const environment = {
    DATABASE_URL: site.cluster.url({ user: 'keeper', password, database: site.databaseName }),
    MAINTENANCE_BYPASS_TOKEN: token,
  };
  const { result: ends, commands } = await withCommandsWatched(async () => {
    const ended: ActionEnd[] = [];
    for (const { entry, inputs = {} } of windowSteps) {
      const more = entry === 'report' ? { 'output-directory': reports } : {};
      const step = { entry, inputs: { ...inputs, ...more } };
      const end = await runStep(plan, step, { runId, environment });
      ended.push(end);
      if (end.code === 0) continue;
      ended.push(await runStep(plan, { entry: 'rollback' }, { runId, environment }));
      const report = { entry: 'report', inputs: { 'output-directory': reports } };
      ended.push(await runStep(plan, report, { runId, environment }));
      break;
    }
    return ended;
  });
  return { ends, plan, reports, commands };
}

describe.each([
  // The failing one first: preflight refuses a folder that lacks migrations which the database has.
  ['a failing window', 'migrations-failing', '9102', 1],
  ['a good window', 'migrations', '9101', 0],
] as const)('%s', (_name, migrations, runId, code) => {
  let watched: Watched;

  beforeAll(async () => {
    watched = await watchWindow(migrations, runId);
    expect(
      watched.ends
        .map((end) => end.code)
        .sort()
        .at(-1),
    ).toBe(code);
    const last = watched.ends.at(-1);
    expect(last?.code === 0 ? '' : last?.log).toBe('');
  }, 120_000);

  test('names its secrets to the runner before anything else, and never again', () => {
    for (const end of watched.ends) {
      const { masks, rest } = withoutMasks(end.log);
      expect(end.log.split('\n').slice(0, masks.length)).toEqual(masks);
      const masked = masks.map((line) => line.slice('::add-mask::'.length).replaceAll('%25', '%'));
      // The runner looks for what it was given, letter by letter: as written in the URL, and plain.
      const used = [encodeURIComponent(password), password, token];
      // A report that drops no restore point uses none.
      const isReport = end.log.includes('Done: the report is in');
      if (!isReport || masked.length > 0) expect(masked).toEqual(expect.arrayContaining(used));
      expectNone('the log', rest);
    }
  });

  test('has none in outputs, summaries and the record that travels', () => {
    for (const end of watched.ends) {
      expectNone('an output', JSON.stringify(end.outputs));
      expectNone('a summary', end.summary);
      const packed = end.outputs.record;
      if (packed === undefined) continue;
      const record = travellingRecord(packed);
      expect(record).toContain('$DATABASE_URL');
      expectNone('the travelling record', record);
    }
  });

  test('has none in record, journal, reports, backup and manifest, and the web server’s logs', async () => {
    const files = [
      ...(await filesBelow(watched.plan.stateDir)),
      ...(await filesBelow(watched.reports)),
      ...(await filesBelow(site.webServer.logFolder)),
    ];
    const names = files.map(([path]) => path.split('/').at(-1));
    expect(names).toEqual(
      expect.arrayContaining([
        ...['window.json', 'journal.ndjson', 'manifest.json', 'toc.dat', 'report.html'],
        ...['error.log', 'shop.access.log'],
      ]),
    );
    for (const [path, text] of files) expectNone(path, text);
  });

  test('has none in the arguments of any process', () => {
    const commands = [...watched.commands];
    for (const program of ['psql', 'pg_dump', 'pg_restore', 'nginx']) {
      expect(commands.some((command) => command.includes(program))).toBe(true);
    }
    for (const command of commands) expectNone('a command line', command);
  });
});
