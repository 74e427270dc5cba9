import { chmod, copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { makeTemporaryFolder, type TemporaryFolder } from '../../rehearsal/temporary-folder.ts';
import { localHost } from '../../src/hosts/local.ts';
import { composeService, type ComposeOptions } from '../../src/services/compose.ts';

// There is no Docker daemon where these tests run: test/fixtures/fake-docker.mjs stands in for it, by Docker's reference.
let folder: TemporaryFolder;
let project: string;

beforeEach(async () => {
  folder = await makeTemporaryFolder('compose');
  project = join(folder.path, 'my shop');
  await mkdir(project);
  const program = join(folder.path, 'docker');
  await copyFile(fileURLToPath(new URL('../fixtures/fake-docker.mjs', import.meta.url)), program);
  await chmod(program, 0o755);
  await put([container('a1'), container('a2'), container('a3', 'exited')]);
});
afterEach(() => folder.remove());

const container = (Id: string, Status = 'running', more: object = {}) => ({
  Id,
  service: 'worker',
  RestartCount: 0,
  State: { Status, ExitCode: 0, OOMKilled: false, StartedAt: '2026-11-22T01:00:00Z' },
  ...more,
});
const put = (containers: readonly object[]) =>
  writeFile(join(folder.path, 'docker.json'), JSON.stringify(containers));
const get = async (): Promise<ReturnType<typeof container>[]> =>
  JSON.parse(await readFile(join(folder.path, 'docker.json'), 'utf8')) as ReturnType<
    typeof container
  >[];
const statuses = async () => (await get()).map(({ Id, State }) => `${Id} ${State.Status}`);
const calls = async () =>
  (await readFile(join(folder.path, 'calls'), 'utf8'))
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { argv: string[]; cwd: string });

function worker(change: Partial<ComposeOptions> = {}) {
  const PATH = `${folder.path}:${process.env.PATH ?? ''}`;
  const host = localHost({ environment: { PATH, HOME: folder.path } });
  return composeService(host, { service: 'worker', directory: project, ...change });
}

describe('a compose service', () => {
  test('is stopped without a limit after which it would be killed, and only what ran is started', async () => {
    const service = worker();
    const before = await service.state();
    expect(before).toMatchObject({
      kind: 'running',
      detail: '2 of 3 containers run',
      mark: 'a1 a2',
    });
    await service.stop(10);
    expect(await service.state()).toMatchObject({ kind: 'stopped' });
    expect((await calls()).at(-3)?.argv).toEqual(['stop', '-t', '-1', 'a1', 'a2']);
    await service.start('a1 a2', 10);
    expect(await statuses()).toEqual(['a1 running', 'a2 running', 'a3 exited']);
    expect(await service.state()).not.toMatchObject({ run: (before as { run: string }).run });
  });

  test('is looked at in the folder of its project, with its file and name', async () => {
    await worker({ file: '/srv/a b.yml', project: 'shop' }).state();
    expect((await calls()).slice(1, 2)).toEqual([
      {
        argv: ['compose', '-f', '/srv/a b.yml', '-p', 'shop', 'ps', '--all', '--quiet', 'worker'],
        cwd: project,
      },
    ]);
  });

  test('that does not end goes on running, until it is killed with consent', async () => {
    await put([container('a1', 'running', { deaf: true })]);
    const service = worker();
    await service.stop(1);
    expect(await service.state()).toMatchObject({ kind: 'running' });
    await service.kill?.();
    expect(await service.state()).toMatchObject({ kind: 'stopped', killed: true });
  });

  test('whose containers were made anew meanwhile is started as a whole', async () => {
    const service = worker();
    await service.stop(10);
    await put([container('b1', 'created'), container('b2', 'created')]);
    await service.start('a1 a2', 10);
    expect(await statuses()).toEqual(['b1 running', 'b2 running']);
  });

  test('that is restarted again and again has failed', async () => {
    await put([container('a1', 'exited', { crashes: true })]);
    const service = worker();
    await service.start('a1', 10);
    expect(await service.state()).toMatchObject({ kind: 'failed' });
    expect(await service.log()).toEqual(['worker-1  | cannot connect']);
  });

  test.each([
    ['is not in the compose file', 'nobody', 'failed', 'the compose file has no service nobody'],
    [
      'is there',
      'worker',
      'passed',
      '2 of 3 containers run; it is stopped while the site is closed',
    ],
  ])('that %s', async (_what, service, verdict, value) => {
    expect(await worker({ service }).check()).toMatchObject({ verdict, value });
  });

  test('without Docker on the host is told as that', async () => {
    const host = localHost({ environment: { PATH: project, HOME: folder.path } });
    await expect(
      composeService(host, { service: 'worker', directory: project }).state(),
    ).rejects.toThrow('there is neither `docker compose` nor `docker-compose`');
  });
});
