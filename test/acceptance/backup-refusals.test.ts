import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import type { SitePlan } from '../../rehearsal/plan.ts';
import { startSite, type Site } from '../../rehearsal/site.ts';
import { failureTold, type ToldFailure } from '../fixtures/action-failure.ts';
import type { ActionEnd } from '../fixtures/action-process.ts';
import { freshPlan } from '../fixtures/fresh-plan.ts';
import { systemState, type SystemState } from '../fixtures/system-state.ts';
import { tinyDisk } from '../fixtures/tiny-disk.ts';
import { runStep } from '../fixtures/window-run.ts';

let site: Site;
let plan: SitePlan;
let before: SystemState;

beforeAll(async () => {
  site = await startSite({ megabytes: 2 });
}, 120_000);

afterAll(async () => {
  await site.stop();
});

beforeEach(async () => {
  plan = await freshPlan(site);
  before = await systemState(site, plan);
});

afterEach(async () => {
  const { stateFiles: _record, ...rest } = before;
  expect(await systemState(site, plan)).toMatchObject(rest);
});

function backUp(inputs: Readonly<Record<string, string>> = {}): Promise<ActionEnd> {
  return runStep(plan, { entry: 'backup-db', inputs });
}

/** A failed backup says so, and gives no later job anything to rely on. */
function refused(end: ActionEnd): ToldFailure {
  const told = failureTold(end);
  for (const output of ['directory', 'sha256', 'bytes', 'restore-seconds']) {
    expect(end.outputs[output]).toBeUndefined();
  }
  return told;
}

test('a folder that cannot be made', async () => {
  const file = join(site.workFolder, 'not-a-folder');
  await writeFile(file, '');
  const { message } = refused(await backUp({ directory: join(file, 'backups') }));
  expect(message).toContain(join(file, 'backups'));
});

test('a disk that fills up in the middle leaves nothing that looks like a backup', async () => {
  const disk = await tinyDisk(join(site.workFolder, 'tiny'), 96 * 1024);
  try {
    const { message, state, next } = refused(await backUp({ directory: disk.path }));
    expect(message).toMatch(/No space left on device|ENOSPC/);
    expect(state).toContain('Nothing of the dump is left on disk');
    expect(next).toContain('Free disk space');
    expect(await readdir(disk.path)).toEqual([]);
  } finally {
    await disk.remove();
  }
});

test('a role that may not create the scratch database: unproved is not good', async () => {
  await site.cluster.psql(`alter role ${site.databaseUser} nocreatedb`);
  const directory = await mkdtemp(join(site.workFolder, 'backups-'));
  try {
    const end = await backUp({ directory });
    const { message } = refused(end);
    expect(message).toContain('permission denied to create database');
    expect(await readdir(directory)).toEqual([expect.stringMatching(/^shop-mw-.*\.unverified$/)]);
  } finally {
    await site.cluster.psql(`alter role ${site.databaseUser} createdb`);
    await rm(directory, { recursive: true });
  }
});

test('a restore that reports success and brings no rows: set aside, and the site goes on', async () => {
  const clients = await mkdtemp(join(site.workFolder, 'clients-'));
  for (const program of ['psql', 'pg_dump', 'pg_restore']) {
    const real = join(site.cluster.binFolder, program);
    const restore = `case "$*" in *--list*|*--version*) ;; *) set -- --section=pre-data "$@" ;; esac`;
    const script = `#!/bin/sh\n${program === 'pg_restore' ? restore : ''}\nexec '${real}' "$@"\n`;
    await writeFile(join(clients, program), script, { mode: 0o755 });
  }
  const { message, state, next } = refused(await backUp({ 'database-client-directory': clients }));
  expect(message).toMatch(
    /The restored backup differs .*: table public\.\w+ has 0 rows instead of \d+/,
  );
  expect(state).toContain('set aside as');
  expect(next).toContain('Do not rely on this backup');
  expect(await readdir(join(plan.stateDir, plan.name, 'backups'))).toEqual([
    expect.stringMatching(/^shop-mw-.*\.unverified$/),
  ]);
});
