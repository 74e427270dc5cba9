import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { makeTemporaryFolder, type TemporaryFolder } from '../../rehearsal/temporary-folder.ts';
import { localHost } from '../../src/hosts/local.ts';
import { commandService } from '../../src/services/command.ts';
import { cronFile } from '../../src/services/cron-file.ts';
import { userCrontab } from '../../src/services/crontab.ts';
import { crontabUser, type CrontabUser } from '../fixtures/crontab-user.ts';

const windowId = 'mw-20261122-010000-1a2b';
const host = localHost({ environment: { PATH: process.env.PATH ?? '' } });
let folder: TemporaryFolder;

beforeEach(async () => {
  folder = await makeTemporaryFolder('cron');
});
afterEach(() => folder.remove());

describe('a file of cron', () => {
  const name = 'shop-reports';
  const text = '# reports\n*/5 * * * * shop /srv/shop/bin/report\n';
  const service = () => cronFile(host, { file: name, windowId, folder: folder.path });
  const files = () => readdir(folder.path);

  beforeEach(() => writeFile(join(folder.path, name), text));

  test('is set aside under a name that no cron takes, and put back', async () => {
    const file = service();
    expect(await file.check()).toMatchObject({ verdict: 'passed' });
    expect(await file.state()).toMatchObject({ kind: 'running' });
    await file.stop(1);
    await file.stop(1);
    const [aside = ''] = await files();
    expect(await files()).toHaveLength(1);
    // Debian's cron wants letters, digits, _ and - only; cronie ignores a leading dot.
    expect(aside).toMatch(/^\./);
    expect(await file.state()).toMatchObject({ kind: 'stopped' });
    await file.start(undefined, 1);
    await file.start(undefined, 1);
    expect(await files()).toEqual([name]);
    expect(await readFile(join(folder.path, name), 'utf8')).toBe(text);
  });

  test('that somebody put there anew stays, and so does the one of before', async () => {
    const file = service();
    await file.stop(1);
    await writeFile(join(folder.path, name), 'new\n');
    expect(await file.state()).toMatchObject({ kind: 'replaced' });
    await expect(file.start(undefined, 1)).rejects.toThrow('put there anew');
    await expect(file.stop(1)).rejects.toThrow('put there anew');
    expect(await files()).toHaveLength(2);
  });

  test('that is not there is refused', async () => {
    await host.remove(join(folder.path, name));
    expect(await service().check()).toMatchObject({ verdict: 'failed' });
    expect(await service().state()).toMatchObject({ kind: 'missing' });
  });
});

describe("a user's crontab", () => {
  let accounts: TemporaryFolder;
  let crontabOf: CrontabUser;
  const jobs =
    'PASSWORD=s3cret\n# nightly\n0 3 * * * /srv/shop/bin/nightly "a b" %\n@hourly /bin/true\n';

  beforeAll(async () => {
    accounts = await makeTemporaryFolder('cron-accounts');
    crontabOf = await crontabUser(61_300, accounts.path);
  });
  afterAll(async () => {
    crontabOf.remove();
    await accounts.remove();
  });
  beforeEach(() => {
    crontabOf.write(jobs);
  });
  const service = () =>
    userCrontab(localHost({ environment: crontabOf.environment }), {
      user: crontabOf.name,
      windowId,
      folder: join(folder.path, 'services'),
    });

  async function paused() {
    const crontab = service();
    const before = await crontab.state();
    await crontab.stop(1);
    return { crontab, mark: before.kind === 'running' ? before.mark : undefined };
  }

  test('is replaced by a comment and comes back as it was; the record holds no line of it', async () => {
    const before = await service().state();
    expect(before).toMatchObject({ kind: 'running', detail: `2 cron jobs of ${crontabOf.name}` });
    expect(JSON.stringify(before)).not.toContain('s3cret');
    const { crontab, mark } = await paused();
    await crontab.stop(1);
    expect(crontabOf.list()).toContain(`# Paused by maintenance window ${windowId}`);
    expect(crontabOf.list()).not.toContain('nightly');
    expect(await crontab.state()).toMatchObject({ kind: 'stopped' });
    const [saved = ''] = await readdir(join(folder.path, 'services'));
    expect((await host.status(join(folder.path, 'services', saved)))?.mode).toBe(0o600);
    expect((await host.status(join(folder.path, 'services')))?.mode).toBe(0o700);
    await crontab.start(mark, 1);
    expect(crontabOf.list()).toBe(jobs);
    expect(await readdir(join(folder.path, 'services'))).toEqual([]);
  });

  test('killed after it was saved and before it was replaced is paused by the next run', async () => {
    const saved = join(folder.path, 'services', `crontab-${crontabOf.name}-${windowId}`);
    await mkdir(join(folder.path, 'services'));
    await writeFile(saved, jobs);
    expect(await service().state()).toMatchObject({ kind: 'running' });
    const { crontab, mark } = await paused();
    await crontab.start(mark, 1);
    expect(crontabOf.list()).toBe(jobs);
  });

  test('killed after its jobs were put back leaves no copy of them: the next run removes it', async () => {
    const { crontab, mark } = await paused();
    crontabOf.write(jobs);
    expect(await crontab.state()).toMatchObject({ kind: 'running', leftover: true });
    await crontab.start(mark, 1);
    expect(await readdir(join(folder.path, 'services'))).toEqual([]);
    expect(crontabOf.list()).toBe(jobs);
    expect(await crontab.state()).not.toHaveProperty('leftover');
  });

  test('that was changed while it was paused is not overwritten', async () => {
    const { crontab, mark } = await paused();
    crontabOf.write('@daily /bin/new\n');
    expect(await crontab.state()).toMatchObject({ kind: 'replaced' });
    await expect(crontab.start(mark, 1)).rejects.toThrow('was changed while it was paused');
    expect(crontabOf.list()).toBe('@daily /bin/new\n');
  });

  test('whose saved jobs are not the ones of before is not put back', async () => {
    const { crontab, mark } = await paused();
    await writeFile(
      join(folder.path, 'services', `crontab-${crontabOf.name}-${windowId}`),
      '@daily /bin/evil\n',
    );
    await expect(crontab.start(mark, 1)).rejects.toThrow('not the one that was saved');
    expect(crontabOf.list()).not.toContain('evil');
  });

  test('of somebody without jobs has nothing to pause', async () => {
    crontabOf.remove();
    expect(await service().state()).toEqual({
      kind: 'stopped',
      detail: `${crontabOf.name} has no cron jobs`,
    });
  });
});

describe("a user's own commands", () => {
  const stopped = (code: number) => ({
    id: 'workers',
    stop: ['rm', '-f', 'running'] as const,
    start: ['touch', 'running'] as const,
    status: ['sh', '-c', `test -e running || { echo gone >&2; exit ${code}; }`] as const,
    stoppedCodes: [3],
    directory: folder.path,
  });

  test('stop, start and tell how it is, without a shell of ours', async () => {
    const service = commandService(host, stopped(3));
    expect(await service.state()).toMatchObject({ kind: 'stopped' });
    await service.start(undefined, 5);
    expect(await service.state()).toMatchObject({ kind: 'running' });
    expect(await service.check()).toMatchObject({ verdict: 'passed' });
    await service.stop(5);
    expect(await service.state()).toMatchObject({ kind: 'stopped' });
  });

  test.each([
    [4, 'failed', 'its status command ended with exit code 4: gone'],
    [127, 'missing', 'its status command ended with exit code 127: gone'],
  ])('whose status ends with %i is not taken for stopped', async (code, kind, detail) => {
    const service = commandService(host, stopped(code));
    expect(await service.state()).toEqual({ kind, detail });
    expect(await service.check()).toMatchObject({ verdict: 'failed' });
  });

  test('that fail are told with what they said', async () => {
    const service = commandService(host, {
      ...stopped(3),
      stop: ['sh', '-c', 'echo busy >&2; exit 1'],
    });
    await expect(service.stop(5)).rejects.toThrow(
      'ended with exit code 1 when it was to stop workers: busy',
    );
  });
});
