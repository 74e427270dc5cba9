import { once } from 'node:events';
import { chmod, mkdir, readFile, readdir, writeFile } from 'node:fs/promises';
import { createServer, request, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import type { PlanChange, SitePlan } from '../../rehearsal/plan.ts';
import { startSampler, type Traffic, type TrafficReport } from '../../rehearsal/public-traffic.ts';
import { startSite, type Site } from '../../rehearsal/site.ts';
import { failureTold, type ToldFailure } from '../fixtures/action-failure.ts';
import { freshPlan } from '../fixtures/fresh-plan.ts';
import { holdSession } from '../fixtures/held-session.ts';
import { systemState, type SystemState } from '../fixtures/system-state.ts';
import { readStatus, runStep, runSteps } from '../fixtures/window-run.ts';
import { lostInEarnest } from '../fixtures/lost-requests.ts';

let site: Site;
let sampler: Traffic;
let before: SystemState;
const inFront: { close(): Promise<void> }[] = [];

beforeAll(async () => {
  site = await startSite({ megabytes: 2 });
}, 120_000);

afterAll(async () => {
  await site.stop();
});

beforeEach(() => {
  sampler = startSampler({ url: site.publicUrl });
});

afterEach(async () => {
  await sampler.stop();
  for (const server of inFront.splice(0)) await server.close();
});

/** Something between the public and nginx that answers some requests itself and passes the others on. */
async function startInFront(
  answers: (incoming: IncomingMessage, response: ServerResponse) => boolean,
): Promise<string> {
  const server = createServer((incoming, response) => {
    if (answers(incoming, response)) return;
    const { method, url, headers } = incoming;
    const options = { method, headers, agent: false } as const;
    const passedOn = request(`${site.publicUrl}${url ?? ''}`, options, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    passedOn.on('error', () => response.destroy());
    incoming.pipe(passedOn);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  inFront.push({
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

/** nginx behind a program that goes wrong in one way. */
async function nginxThat(name: string, trouble: string): Promise<string> {
  const [program, ...args] = site.webServer.command;
  const path = join(site.workFolder, name);
  const quoted = [program, ...args].map((word) => `'${word}'`).join(' ');
  await writeFile(path, `#!/bin/sh\n${trouble}\nexec ${quoted} "$@"\n`);
  await chmod(path, 0o755);
  return path;
}

/** Tries to close the site, which must fail and leave everything but the record as it was. */
async function failToClose(
  ...changes: readonly PlanChange[]
): Promise<ToldFailure & { readonly plan: SitePlan; readonly seen: TrafficReport }> {
  const plan = await freshPlan(site, { changes });
  before = await systemState(site, plan);
  const told = failureTold(await runStep(plan, { entry: 'enable-maintenance' }, { runId: '9201' }));
  await sampler.next(() => true);
  const seen = await sampler.stop();
  const { stateFiles: _record, ...rest } = before;
  expect(await systemState(site, plan)).toMatchObject(rest);
  expect(await filesOfMode(plan)).toEqual([]);
  expect(lostInEarnest(seen, { clients: 1, reloads: 2 })).toEqual([]);
  expect(seen.unexpected).toEqual([]);
  return { ...told, plan, seen };
}

async function filesOfMode(plan: SitePlan): Promise<readonly string[]> {
  return readdir(join(plan.stateDir, plan.name, 'mode')).catch(() => []);
}

/** The next run is not in the way of anything, and closes and opens. */
async function expectNextRunWorks(plan: SitePlan): Promise<void> {
  const steps = [{ entry: 'enable-maintenance' }, { entry: 'disable-maintenance' }];
  const good = await freshPlan(site, {
    changes: [{ path: ['state-dir'], value: plan.stateDir }],
  });
  await runSteps(good, steps, { runId: '9202' });
  expect((await readStatus({ ...good, stateDir: plan.stateDir }))?.state).toBe('reopened');
  expect((await readFile(site.webServer.siteFile, 'latin1')).includes(plan.stateDir)).toBe(false);
}

const clue = (text: string) => (incoming: IncomingMessage) => incoming.url?.includes(text) === true;

test('a public URL that leads to another server: nothing is closed', async () => {
  const url = await startInFront((_incoming, response) => {
    response.end('another server altogether');
    return true;
  });
  const { message, state, next, plan, seen } = await failToClose({
    path: ['public-url'],
    value: url,
  });
  expect(message).toContain(`${url} does not answer from the hook: status 200`);
  expect(state).toContain('the site files are as they were, and the site is open');
  expect(next).toContain('`public-url`');
  expect(seen.closures).toEqual([]);
  expect((await readStatus(plan))?.state).toBe('prepared');
}, 60_000);

test('a cache before nginx that goes on answering: opened again, and undone', async () => {
  const isProbe = clue('maintenance-window-probe');
  const url = await startInFront((incoming, response) => {
    if (isProbe(incoming) || incoming.url !== '/') return false;
    response.end('a page out of the cache');
    return true;
  });
  const { message, state, next, plan, seen } = await failToClose(
    { path: ['public-url'], value: url },
    { path: ['enable-maintenance', 'close-timeout'], value: '1s' },
  );
  expect(message).toContain('did not answer 503 with our header within 1 s');
  expect(message).toContain('200 without X-Maintenance');
  expect(state).toContain('Everything was undone');
  expect(next).toContain('no cache or proxy before them answers');
  expect(seen.closures).toHaveLength(1);
  expect(seen.closures[0]?.firstSuccessAfter).toBeDefined();
  expect((await readStatus(plan))?.state).toBe('rolled-back');
  await expectNextRunWorks(plan);
}, 60_000);

test('a health path that does not reach the application while closed: opened again, and undone', async () => {
  const isHealth = clue('/healthz');
  const url = await startInFront((incoming, response) => {
    if (!isHealth(incoming)) return false;
    response.writeHead(502).end();
    return true;
  });
  const { message, state, next } = await failToClose({ path: ['public-url'], value: url });
  expect(message).toContain('the exempt path /healthz does not reach the application');
  expect(message).toContain('502');
  expect(state).toContain('Everything was undone');
  expect(next).toContain('exempt-paths');
}, 60_000);

test('a transaction that does not end: opened again, and undone', async () => {
  const open = await holdSession(site, 'begin; select count(*) from orders;');
  try {
    const { message, state, next, plan, seen } = await failToClose({
      path: ['enable-maintenance', 'drain-timeout'],
      value: '1s',
    });
    expect(message).toContain('After 1 s 1 database session');
    expect(state).toContain('Everything was undone');
    expect(next).toContain('drain-timeout');
    expect(seen.closures).toHaveLength(1);
    expect((await readStatus(plan))?.state).toBe('rolled-back');
    await open.release();
    await expectNextRunWorks(plan);
  } finally {
    await open.release();
  }
}, 60_000);

test('the flag of somebody else: not touched, and not taken for ours', async () => {
  const plan = await freshPlan(site);
  const folder = join(plan.stateDir, plan.name, 'mode');
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'closed'), 'ben, by hand\n');
  const { siteFiles, publicAnswers } = await systemState(site, plan);
  for (const entry of ['enable-maintenance', 'rollback']) {
    const end = await runStep(plan, { entry }, { runId: '9203' });
    if (entry === 'enable-maintenance') {
      const { message, next } = failureTold(end);
      expect(message).toContain('closed by ben, by hand: the flag');
      expect(next).toContain('Ask ben, by hand to open it');
    }
    expect(await systemState(site, plan)).toMatchObject({ siteFiles, publicAnswers });
    expect(await readdir(folder)).toEqual(['closed']);
    expect(await readFile(join(folder, 'closed'), 'utf8')).toBe('ben, by hand\n');
  }
}, 60_000);

test.each([
  ['refuses the hook', 'refuse-hook', 'unknown variable', '-t'],
  ['cannot be told to reload', 'refuse-reload', 'invalid PID number', '-s'],
])(
  'nginx %s: the site file is given back byte for byte',
  async (_name, file, says, argument) => {
    const hooked = `grep -q '/mode/' '${site.webServer.siteFile}'`;
    const condition = argument === '-t' ? hooked : 'true';
    const program = await nginxThat(
      file,
      `case " $* " in *" ${argument} "*) if ${condition}; then echo 'nginx: [emerg] ${says}' >&2; exit 1; fi ;; esac`,
    );
    const { message, state, next, seen } = await failToClose({
      path: ['enable-maintenance', 'nginx-command'],
      value: [program],
    });
    expect(message).toContain(says);
    expect(state).toContain('the site files are as they were, and the site is open');
    expect(next).not.toBe('');
    expect(seen.closures).toEqual([]);
  },
  60_000,
);
