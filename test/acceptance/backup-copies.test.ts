import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readFile, readdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { startObjectStore, type ObjectStore } from '../../rehearsal/object-store.ts';
import type { SitePlan } from '../../rehearsal/plan.ts';
import { startSite, type Site } from '../../rehearsal/site.ts';
import { startSshServer, type SshServer } from '../../rehearsal/ssh-server.ts';
import type { Report } from '../../src/report/report-model.ts';
import { failureTold } from '../fixtures/action-failure.ts';
import type { ActionEnd } from '../fixtures/action-process.ts';
import { makeAgeKey, type AgeKey } from '../fixtures/age-keys.ts';
import { copyPlaces, copySecrets, manualBackup, manualCommands } from '../fixtures/copy-places.ts';
import { freshPlan } from '../fixtures/fresh-plan.ts';
import { until } from '../fixtures/processes.ts';
import {
  expectNoTrace,
  filesBelow,
  formsOf,
  withoutMasks,
  travellingRecord,
  withCommandsWatched,
} from '../fixtures/secret-traces.ts';
import { databaseContents, systemState } from '../fixtures/system-state.ts';
import { runStep, windowSteps, type WindowStep } from '../fixtures/window-run.ts';

const run = promisify(execFile);

let site: Site;
let server: SshServer;
let store: ObjectStore;
let key: AgeKey;
let plan: SitePlan;
/** Where the copies are, by the id of their place. */
let folders: Record<'nas' | 'vault' | 'bucket', string>;
let reports: string;
/** Names of the backups, in the order in which they were made. */
const backups: string[] = [];
const ends: ActionEnd[] = [];

beforeAll(async () => {
  site = await startSite({ megabytes: 2 });
  server = await startSshServer();
  store = await startObjectStore();
  key = await makeAgeKey();
  folders = {
    nas: join(site.workFolder, 'nas'),
    vault: join(site.workFolder, 'other-machine'),
    bucket: join(store.dataFolder, 'backups', 'shop'),
  };
  const { nas, vault, bucket } = copyPlaces({ ...folders, server, store });
  plan = await freshPlan(site, {
    changes: [
      {
        path: ['backup-db'],
        value: {
          recipients: [key.recipient],
          identity: '$BACKUP_IDENTITY',
          copies: [nas, vault, bucket],
          keep: { last: 1 },
        },
      },
    ],
  });
  reports = join(dirname(plan.path), 'reports');
}, 120_000);

afterAll(async () => {
  await store.stop();
  await server.stop();
  await site.stop();
});

/** A step as the workflow runs it: only those that the manual names get the secrets of the copies. */
async function step(
  { entry, inputs = {} }: WindowStep,
  rest: { runId: string; attempt?: number; path?: string },
): Promise<ActionEnd> {
  const { path = process.env.PATH ?? '', ...identity } = rest;
  const needsThem = entry === 'preflight' || entry === 'backup-db';
  const more = entry === 'report' ? { 'output-directory': reports } : {};
  const end = await runStep(
    plan,
    { entry, inputs: { ...inputs, ...more } },
    {
      ...identity,
      environment: { ...(needsThem ? copySecrets({ server, store }, key) : {}), PATH: path },
    },
  );
  ends.push(end);
  return end;
}

/** A good window; what its report says, as data and as text. */
async function window(runId: string): Promise<{ report: Report; markdown: string }> {
  for (const each of windowSteps) {
    const end = await step(each, { runId });
    if (end.code !== 0) throw new Error(`${each.entry} failed:\n${end.log}`);
    if (each.entry === 'backup-db') backups.push(backupOf(end));
  }
  const read = (name: string) => readFile(join(reports, name), 'utf8');
  return {
    report: JSON.parse(await read('report.json')) as Report,
    markdown: await read('report.md'),
  };
}

function backupOf({ outputs }: ActionEnd): string {
  return outputs.directory?.split('/').at(-1) ?? '';
}

/** The two objects of each copy, as every place lists them. */
async function objectsThere(): Promise<Record<string, readonly string[]>> {
  const listed = Object.entries(folders).map(
    async ([id, folder]) => [id, (await readdir(folder)).sort()] as const,
  );
  return Object.fromEntries(await Promise.all(listed));
}

function copiesOf(names: readonly string[]): Record<string, readonly string[]> {
  const objects = names.flatMap((name) => [`${name}.json`, `${name}.tar.age`]).sort();
  return { nas: objects, vault: objects, bucket: objects };
}

describe('a window whose plan has copies in a folder, on another host and in a bucket', () => {
  let contentsBefore: string;
  let told: Awaited<ReturnType<typeof window>>;
  let commands: ReadonlySet<string>;

  beforeAll(async () => {
    contentsBefore = await databaseContents(site);
    ({ result: told, commands } = await withCommandsWatched(() => window('5001')));
  }, 120_000);

  test('has the backup in each of them, and the report tells where and with which checksum', async () => {
    expect(await objectsThere()).toEqual(copiesOf(backups));
    const { copies = [] } = told.report.recovery.backup ?? {};
    expect(copies.map(({ id, to, encrypted }) => [id, to, encrypted])).toEqual([
      ['nas', 'folder', true],
      ['vault', 'ssh', true],
      ['bucket', 's3', true],
    ]);
    for (const { label, sha256 } of copies) {
      expect(told.markdown).toContain(label);
      expect(told.markdown).toContain(`encrypted by age, sha256 ${sha256}`);
    }
  });

  test.each(['nas', 'vault', 'bucket'] as const)(
    'the copy in place %s is a file of age with the checksum of note and report, and restores the shop',
    async (place) => {
      const [backup = ''] = backups;
      const archive = await readFile(join(folders[place], `${backup}.tar.age`));
      const noted = await readFile(join(folders[place], `${backup}.json`), 'utf8');
      const note = JSON.parse(noted) as { sha256: string; archive: { sha256: string } };
      const sha256 = createHash('sha256').update(archive).digest('hex');
      expect(archive.subarray(0, 22).toString('latin1')).toBe('age-encryption.org/v1\n');
      expect(note.archive.sha256).toBe(sha256);
      const { copies = [], sha256: ofDump } = told.report.recovery.backup ?? {};
      expect(copies.find(({ id }) => id === place)?.sha256).toBe(sha256);
      expect(note.sha256).toBe(ofDump);

      const folder = await mkdtemp(join(site.workFolder, 'fetched-'));
      await writeFile(join(folder, `${backup}.tar.age`), archive);
      await writeFile(join(folder, `${backup}.json`), noted);
      await writeFile(join(folder, 'key.txt'), `${key.identity}\n`);
      const commandsOfManual = (await manualCommands('restore')).replaceAll(manualBackup, backup);
      const { stdout } = await run('bash', ['-c', commandsOfManual], {
        cwd: folder,
        env: {
          ...site.cluster.psqlEnvironment({ database: 'postgres' }),
          PATH: `${site.cluster.binFolder}:${process.env.PATH ?? ''}`,
        },
      });
      expect(stdout).toContain(`${backup}.tar.age: OK`);
      try {
        expect(await databaseContents(site, 'shop_restored')).toBe(contentsBefore);
        const manifest = JSON.parse(
          await readFile(join(folder, backup, 'manifest.json'), 'utf8'),
        ) as { sha256: string };
        expect(manifest.sha256).toBe(ofDump);
      } finally {
        await site.cluster.psql('drop database shop_restored');
      }
    },
  );

  test('a later window removes the older backup by rule in every place, and tells', async () => {
    const { report, markdown } = await window('5002');
    const [older = '', newer = ''] = backups;
    expect(newer).not.toBe(older);
    expect(await objectsThere()).toEqual(copiesOf([newer]));
    expect(await readdir(join(plan.stateDir, plan.name, 'backups'))).toEqual([
      newer,
      `${newer}.json`,
    ]);
    expect(report.recovery.backup?.retention).toMatchObject(
      ['host', 'nas', 'vault', 'bucket'].map((id) => ({ id, kept: 1, removed: [older] })),
    );
    const told = markdown.split('\n').filter((line) => line.startsWith('| Older backups |'));
    expect(told).toHaveLength(4);
    for (const line of told) expect(line).toContain(`1 stays, removed and proved gone: ${older}`);
  }, 120_000);

  test('no secret of the copies is in the arguments of any process', () => {
    for (const program of ['age --encrypt', 'age --decrypt', 'ssh ', 'pg_dump']) {
      expect([...commands].filter((command) => command.includes(program))).not.toEqual([]);
    }
    for (const command of commands) expectNoTrace(secretForms(), 'a command line', command);
  });
});

test('a bucket whose server goes in the middle of the backup: a failure that tells, and the next attempt makes it good', async () => {
  const tools = await mkdtemp(join(site.workFolder, 'tools-'));
  const [begun, go] = [join(tools, 'begun'), join(tools, 'go')];
  // What is packed for the third place waits in the middle.
  await mkdir(join(tools, 'bin'));
  await writeFile(
    join(tools, 'bin', 'tar'),
    `#!/bin/sh
case "$*" in *-cf*) echo >> ${tools}/packed ;; esac
PATH=/usr/bin:/bin
[ "$(wc -l < ${tools}/packed)" = 3 ] && [ ! -e ${go} ] || exec tar "$@"
tar "$@" | { head -c 5000; touch ${begun}; while [ ! -e ${go} ]; do sleep 0.05; done; cat; }
`,
    { mode: 0o755 },
  );
  const path = `${join(tools, 'bin')}:${process.env.PATH ?? ''}`;
  const [, newest = ''] = backups;
  const before = await systemState(site, plan);
  const runId = '5003';
  const preflight = await step({ entry: 'preflight' }, { runId });
  expect(preflight.code).toBe(0);
  // As the workflow has it, whose failed jobs can be run again.
  const backUp = {
    entry: 'backup-db',
    inputs: { 'window-id': preflight.outputs['window-id'] ?? '' },
  };
  const going = step(backUp, { runId, path });
  try {
    await until('the upload is under way', () =>
      readFile(begun).then(
        () => true,
        () => false,
      ),
    );
    await store.kill();
  } finally {
    await writeFile(go, '');
  }
  const end = await going;
  const { message, state, next } = failureTold(end);
  expect(message).toContain(`s3://backups/shop`);
  expect(message).toContain(`127.0.0.1:${store.port}`);
  expect(state).toMatch(/^The site is unchanged; the backup on the host is verified\. /);
  expect(next).toMatch(/run the (?:phase|step) again/);
  const { stateFiles: _record, ...untouched } = before;
  expect(await systemState(site, plan)).toMatchObject(untouched);
  // Nothing older goes before the new backup is where it shall be.
  expect((await objectsThere()).bucket).toEqual(copiesOf([newest]).bucket);
  expect((await objectsThere()).nas).toContain(`${newest}.tar.age`);

  await store.restart();
  const again = await step(backUp, { runId, attempt: 2, path });
  expect(again.code === 0 ? '' : again.log).toBe('');
  backups.push(backupOf(again));
  expect(await objectsThere()).toEqual(copiesOf(backups.slice(-1)));
  // The dump and the copies that were made are not made again: only the bucket's was packed.
  expect(await readFile(join(tools, 'packed'), 'utf8')).toBe('\n'.repeat(4));
}, 120_000);

function secretForms(): readonly string[] {
  const { VAULT_KEY = '', ...others } = copySecrets({ server, store }, key);
  return formsOf([VAULT_KEY, ...Object.values(others), site.databasePassword]);
}

test('none of it all has a secret of the copies, nor the database’s password', async () => {
  const forms = secretForms();
  for (const { log, outputs, summary } of ends) {
    const { masks, rest } = withoutMasks(log);
    expect(masks.length).toBeGreaterThan(0);
    expectNoTrace(forms, 'a log', rest);
    expectNoTrace(forms, 'an output', JSON.stringify(outputs));
    expectNoTrace(forms, 'a summary', summary);
    if (outputs.record !== undefined) {
      expectNoTrace(forms, 'the travelling record', travellingRecord(outputs.record));
    }
  }
  const places = [plan.stateDir, reports, ...Object.values(folders)];
  const files = (await Promise.all(places.map(filesBelow))).flat();
  const names = files.map(([file]) => file.split('/').at(-1) ?? '');
  expect(names).toEqual(
    expect.arrayContaining(['window.json', 'journal.ndjson', 'report.html', 'manifest.json']),
  );
  expect(names.filter((name) => name.endsWith('.tar.age'))).toHaveLength(3);
  for (const [file, text] of files) expectNoTrace(forms, file, text);
});
