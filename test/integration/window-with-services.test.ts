import { execFileSync } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { writePlan, type Migrations } from '../../rehearsal/plan.ts';
import { startSite, type Site } from '../../rehearsal/site.ts';
import { wholeWindowSession } from '../../src/assembly/whole-window-session.ts';
import type { WindowStatus } from '../../src/record/status.ts';
import { ProgressLines } from '../fixtures/memory-host.ts';

/** Whole windows over a real site, with a service by commands and a real checkout of its code. */
let site: Site;
let checkout: string;
let log: string;
let count = 0;

const git = (...args: readonly string[]) =>
  execFileSync(
    'git',
    ['-c', 'user.name=Ada', '-c', 'user.email=ada@example.org', '-C', checkout, ...args],
    {
      encoding: 'utf8',
    },
  ).trim();

beforeAll(async () => {
  site = await startSite({ megabytes: 1 });
}, 60_000);
afterAll(() => site.stop());

beforeEach(async () => {
  checkout = join(site.workFolder, `code-${(count += 1)}`);
  log = `${checkout}.log`;
  await mkdir(checkout);
  git('init', '--quiet', '--initial-branch=main');
  await writeFile(join(checkout, 'app'), 'one');
  git('add', '--all');
  git('commit', '--quiet', '--message', 'one');
});

async function run(migrations: Migrations, runId: string, stop: string) {
  const flag = `${checkout}.running`;
  await writeFile(flag, '');
  const words = (text: string) => ['sh', '-c', text, 'sh', flag, log];
  const services = [
    {
      id: 'workers',
      kind: 'command',
      settle: '10ms',
      stop: words(`echo stop >> "$2"; rm "$1"; ${stop}`),
      start: words('echo start >> "$2"; touch "$1"'),
      status: words('test -e "$1" || exit 3'),
      directory: checkout,
    },
  ];
  const plan = await writePlan(site, {
    migrations,
    changes: [
      { path: ['state-dir'], value: `${checkout}.state` },
      { path: ['enable-maintenance', 'services'], value: services },
      { path: ['code'], value: { directory: checkout } },
    ],
  });
  const result = await wholeWindowSession({
    inputs: { plan: plan.path },
    environment: { ...process.env, ...plan.environment },
    workspace: site.workFolder,
    run: { id: runId, attempt: 1 },
    progress: new ProgressLines(),
    signal: new AbortController().signal,
    mask: () => undefined,
    github: undefined,
  });
  if (result.outputs.state === undefined) throw new Error(JSON.stringify(result.outcome));
  const text = await readFile(join(`${checkout}.state`, plan.name, 'window.json'), 'utf8');
  return { result, status: JSON.parse(text) as WindowStatus, log: await readFile(log, 'utf8') };
}

// The one that fails leaves the database as it was, for the next.
describe('a whole window', () => {
  test('that fails goes back with data and code, and the service runs again', async () => {
    const first = git('rev-parse', 'HEAD');
    // The stop of the service stands in for a deployment while the site is closed.
    const deploy =
      'git -c user.name=A -c user.email=a@b.example commit --quiet --allow-empty --message two';
    const { result, status, log: acts } = await run('migrations-failing', 'services-2', deploy);
    expect(result.outcome).toMatchObject({
      kind: 'failed',
      failure: { state: expect.stringMatching(/^Rolled back/) as unknown },
    });
    expect(status.state).toBe('rolled-back');
    expect(git('rev-parse', 'HEAD')).toBe(first);
    expect(status.code?.[0]?.putBack).toMatchObject({
      place: expect.stringMatching(/^detached at/) as unknown,
    });
    expect(acts).toBe('stop\nstart\n');
  }, 60_000);

  test('stops and starts the service, and tags the code', async () => {
    const { result, status, log: acts } = await run('migrations', 'services-1', 'true');
    expect(result.outcome).toMatchObject({ kind: 'done' });
    expect(acts).toBe('stop\nstart\n');
    expect(status.services).toMatchObject([
      { id: 'workers', prior: 'running', startedAt: expect.any(String) as unknown },
    ]);
    const [tagged] = status.code ?? [];
    expect(git('rev-parse', `${tagged?.tag ?? ''}^{commit}`)).toBe(git('rev-parse', 'HEAD'));
    expect(result.outputs['code-tag']).toBe(tagged?.tag);
    expect(status.state).toBe('reopened');
  }, 60_000);
});
