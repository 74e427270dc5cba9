import { spawn } from 'node:child_process';
import { access, chmod, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { makeTemporaryFolder, type TemporaryFolder } from '../../rehearsal/temporary-folder.ts';
import { systemClock } from '../../src/clock/system-clock.ts';
import { previewServers } from '../../src/phases/server-preview.ts';
import { apt } from '../../src/servers/apt.ts';
import { FakeWorld } from '../fixtures/fake-world.ts';
import { makePrivateApt, type PackageSource, type PrivateApt } from '../fixtures/private-apt.ts';
import { until } from '../fixtures/processes.ts';
import { hostWith, runServerTasks, serverContext } from '../fixtures/server-world.ts';

let folder: TemporaryFolder;
let root: PrivateApt;
let world: FakeWorld;

beforeEach(async () => {
  folder = await makeTemporaryFolder('mw-apt');
  root = await makePrivateApt(folder.path);
  world = new FakeWorld();
});

afterEach(async () => {
  await folder.remove();
});

const of = (name: string, version: string, more: Partial<PackageSource> = {}): PackageSource => ({
  name,
  version,
  ...more,
});

/** Four installed packages; what has an update for security, what another, and one that needs a new package. */
async function fillArchives(): Promise<void> {
  for (const name of ['shop-web', 'shop-tool', 'shop-held']) await root.install(of(name, '1.0'));
  await root.publish({
    suite: 'stable',
    label: 'Debian',
    packages: [
      of('shop-web', '1.2', { depends: 'shop-new' }),
      of('shop-tool', '2.0'),
      of('shop-new', '1.0'),
      of('shop-held', '1.0'),
    ],
  });
  await root.publish({
    suite: 'stable-security',
    label: 'Debian-Security',
    packages: [of('shop-web', '1.1'), of('shop-held', '1.1')],
  });
  await root.run('apt-mark', 'hold', 'shop-held');
}

const versions = async () =>
  Object.fromEntries(
    await Promise.all(
      ['shop-web', 'shop-tool', 'shop-held', 'shop-new'].map(
        async (name) => [name, await root.version(name)] as const,
      ),
    ),
  );

const contextFor = (task: object, more: Partial<Parameters<typeof serverContext>[2]> = {}) =>
  serverContext(world, [{ task: 'packages', ...task }], {
    host: hostWith(root.programs),
    ...more,
  });

describe('package updates', () => {
  test('for security take what a security archive has, leave the rest, and name what is on hold', async () => {
    await fillArchives();
    const { outcome, tasks, status } = await runServerTasks(await contextFor({}));
    expect(outcome).toMatchObject({ kind: 'done', outputs: { updated: '1' } });
    // The newer 1.2 is no security update, and is not taken in its place.
    expect(await versions()).toEqual({ 'shop-web': '1.1', 'shop-tool': '1.0', 'shop-held': '1.0' });
    expect(tasks).toMatchObject([
      {
        id: 'packages',
        host: 'local',
        outcome: 'done',
        figures: { packages: 1, 'security-packages': 1, kept: 1, 'kept-security': 1 },
        items: [
          { name: 'shop-web', before: '1.0', after: '1.1' },
          { name: 'shop-held (on hold)', before: '1.0', after: '1.0' },
        ],
      },
    ]);
    expect(tasks[0]?.summary).toContain('not updated: shop-held (on hold)');
    expect(status).toMatchObject({ state: 'changed', blast: 'app' });
  });

  test('of all kinds bring what they need, and mark nothing as asked for by hand', async () => {
    await fillArchives();
    await root.run('apt-mark', 'auto', 'shop-tool');
    const { tasks } = await runServerTasks(
      await contextFor({ upgrade: 'all', exclude: ['shop-held'] }),
    );
    expect(await versions()).toEqual({
      'shop-web': '1.2',
      'shop-tool': '2.0',
      'shop-held': '1.0',
      'shop-new': '1.0',
    });
    expect(tasks[0]).toMatchObject({
      outcome: 'done',
      items: [
        { name: 'shop-new', before: null, after: '1.0' },
        { name: 'shop-tool', before: '1.0', after: '2.0' },
        { name: 'shop-web', before: '1.0', after: '1.2' },
        { name: 'shop-held (excluded by the plan)', before: '1.0', after: '1.0' },
      ],
    });
    const auto = (await root.run('apt-mark', 'showauto')).trim().split('\n').sort();
    expect(auto).toEqual(['shop-new', 'shop-tool']);
  });

  test('are done once; a second window finds nothing', async () => {
    await fillArchives();
    await runServerTasks(await contextFor({}));
    world = new FakeWorld();
    const { outcome, tasks } = await runServerTasks(await contextFor({}));
    expect(outcome.kind).toBe('done');
    expect(tasks).toMatchObject([{ outcome: 'skipped', figures: { packages: 0, kept: 1 } }]);
    expect(tasks[0]?.summary).toMatch(/^no security update to install; not updated: shop-held/);
  });

  test('that need an excluded package are refused before anything is installed', async () => {
    await fillArchives();
    const { outcome } = await runServerTasks(
      await contextFor({ upgrade: 'all', exclude: ['shop-new'] }),
    );
    expect(outcome).toMatchObject({
      kind: 'failed',
      failure: { code: 'packages-need-excluded', message: expect.stringContaining('shop-new 1.0') },
    });
    expect(await versions()).toMatchObject({ 'shop-web': '1.0', 'shop-tool': '1.0' });
  });

  test('keep a configuration file that was changed by hand, and ask nobody', async () => {
    await root.install(of('shop-web', '1.0', { configuration: 'from = package\n' }));
    await writeFile(join(root.root, 'etc/shop-web.conf'), 'from = admin\n');
    await root.publish({
      suite: 'stable-security',
      label: 'Debian-Security',
      packages: [of('shop-web', '1.1', { configuration: 'from = newer package\n' })],
    });
    const { outcome } = await runServerTasks(await contextFor({}));
    expect(outcome.kind).toBe('done');
    expect(await root.version('shop-web')).toBe('1.1');
    expect(await readFile(join(root.root, 'etc/shop-web.conf'), 'utf8')).toBe('from = admin\n');
  });
});

describe('what nothing needs any more', () => {
  const automatic = ['linux-image-6.1.0-1-amd64', 'linux-image-6.1.0-2-amd64', 'shop-leftover'];

  beforeEach(async () => {
    await root.install(of('shop-web', '1.0'));
    for (const name of automatic) await root.install(of(name, '1.0'));
    await root.run('apt-mark', 'auto', ...automatic);
    await writeFile(join(root.programs, 'uname'), '#!/bin/sh\necho 6.1.0-2-amd64\n');
    await chmod(join(root.programs, 'uname'), 0o755);
    await root.publish({ suite: 'stable', label: 'Debian', packages: [of('shop-web', '1.0')] });
  });

  const left = async () =>
    (
      await Promise.all(
        automatic.map(async (name) => ((await root.version(name)) === undefined ? [] : [name])),
      )
    ).flat();

  test('goes, of kernels alone, but for the one that runs; and so do downloads', async () => {
    await writeFile(
      join(root.root, 'var/cache/apt/archives/shop-web_1.0_all.deb'),
      'x'.repeat(500),
    );
    const task = { task: 'clean-up', 'old-kernels': true, 'package-cache': true };
    const context = await serverContext(world, [task], { host: hostWith(root.programs) });
    const { previews } = await previewServers(context);
    expect(previews[0]?.lines).toEqual([
      'packages of old kernels: linux-image-6.1.0-1-amd64',
      'downloaded packages: 500 B',
    ]);
    const { outcome, tasks } = await runServerTasks(context);
    expect(outcome.kind).toBe('done');
    expect(await left()).toEqual(['linux-image-6.1.0-2-amd64', 'shop-leftover']);
    expect(tasks[0]?.figures['freed-bytes']).toBe(500);
    expect(tasks[0]?.items).toContainEqual({
      name: 'linux-image-6.1.0-1-amd64',
      before: 'installed',
      after: null,
    });
  });

  test('goes after the updates where the plan says so, the running kernel never', async () => {
    const { tasks } = await runServerTasks(await contextFor({ autoremove: true }));
    expect(await left()).toEqual(['linux-image-6.1.0-2-amd64']);
    expect(await root.version('shop-web')).toBe('1.0');
    expect(tasks[0]?.summary).toContain('2 removed that nothing needs any more');
    expect(tasks[0]?.figures).toMatchObject({ packages: 0, 'removed-packages': 2 });
    expect(tasks[0]?.items.map(({ name, after }) => `${name} ${after ?? 'gone'}`)).toEqual([
      'linux-image-6.1.0-1-amd64 gone',
      'shop-leftover gone',
    ]);
  });
});

describe('a dry run', () => {
  test('tells what would be updated, and touches nothing', async () => {
    await fillArchives();
    await root.run('apt-get', 'update');
    const before = await versions();
    const { checks, previews } = await previewServers(await contextFor({ upgrade: 'all' }));
    expect(checks).toMatchObject([{ id: 'server-packages', verdict: 'warning' }]);
    expect(previews[0]?.summary).toMatch(/^3 package updates, 0 for security, .* to download/);
    expect(previews[0]?.lines).toEqual([
      expect.stringMatching(/^shop-/),
      expect.stringMatching(/^shop-/),
      expect.stringMatching(/^shop-/),
      'shop-held stays at 1.0 (1.1 is there): on hold',
    ]);
    expect(previews[0]?.lines).toContain('shop-tool 1.0 → 2.0');
    expect(previews[0]?.lines).toContain('shop-new 1.0 (new)');
    expect(await versions()).toEqual(before);
  });
});

describe('when it goes wrong', () => {
  const failing = of('shop-web', '1.1', {
    postinst: 'echo "disk of the shop is broken" >&2; exit 3',
  });

  test('a package whose own script fails is named, with what was changed and what is half-way', async () => {
    await root.install(of('shop-web', '1.0'));
    await root.install(of('shop-tool', '1.0'));
    await root.publish({
      suite: 'stable-security',
      label: 'Debian-Security',
      packages: [failing, of('shop-tool', '1.1')],
    });
    const { outcome, tasks, status } = await runServerTasks(await contextFor({}));
    expect(outcome).toMatchObject({
      kind: 'failed',
      failure: {
        code: 'packages-failed',
        message: expect.stringMatching(/exit code 100.*shop-web/),
        state: expect.stringMatching(/shop-web 1\.0 → 1\.1.*not wholly installed: shop-web/),
      },
    });
    expect(tasks).toMatchObject([{ outcome: 'failed' }]);
    expect(tasks[0]?.items).toContainEqual({ name: 'shop-web', before: '1.0', after: '1.1' });
    // Below `schema`: the smoke tests decide whether the site reopens.
    expect(status).toMatchObject({ state: 'changing', blast: 'app' });
  });

  test('work left half-way by somebody else is refused, or finished with consent', async () => {
    const flag = join(root.root, 'mended');
    const mendable = of('shop-web', '1.0', { postinst: `test -e '${flag}'` });
    await expect(root.install(mendable)).rejects.toThrow();
    await root.publish({
      suite: 'stable-security',
      label: 'Debian-Security',
      packages: [of('shop-web', '1.1')],
    });
    const refused = await runServerTasks(await contextFor({}));
    expect(refused.outcome).toMatchObject({
      kind: 'failed',
      failure: { code: 'packages-interrupted', message: expect.stringContaining('shop-web') },
    });
    await writeFile(flag, '');
    world = new FakeWorld();
    const { outcome } = await runServerTasks(await contextFor({ 'finish-interrupted': true }));
    expect(outcome.kind).toBe('done');
    expect(await root.version('shop-web')).toBe('1.1');
  });

  test('what a killed run of this window left half-way is finished without asking', async () => {
    const flag = join(root.root, 'mended');
    await root.install(of('shop-web', '1.0'));
    await root.publish({
      suite: 'stable-security',
      label: 'Debian-Security',
      packages: [of('shop-web', '1.1', { postinst: `test -e '${flag}'` })],
    });
    const context = await contextFor({});
    await context.record.append({
      phase: 'update-server',
      step: 'task-packages',
      title: 'Install security updates on local',
      event: 'intent',
      blast: 'app',
    });
    await root.run('apt-get', 'update');
    await expect(root.run('apt-get', '--yes', 'upgrade')).rejects.toThrow();
    await writeFile(flag, '');
    const { outcome, tasks } = await runServerTasks(context);
    expect(outcome.kind).toBe('done');
    expect(await root.version('shop-web')).toBe('1.1');
    expect(tasks).toMatchObject([{ host: 'local' }]);
  });

  test('an archive that does not answer is no "nothing to update"', async () => {
    await fillArchives();
    const sources = join(root.root, 'etc/apt/sources.list');
    await writeFile(
      sources,
      `${await readFile(sources, 'utf8')}deb [trusted=yes] file:${folder.path}/gone x main\n`,
    );
    const { outcome } = await runServerTasks(await contextFor({}));
    expect(outcome).toMatchObject({
      kind: 'failed',
      failure: { message: expect.stringContaining('Fetching the lists of packages failed') },
    });
    expect(await versions()).toMatchObject({ 'shop-web': '1.0' });
  });
});

describe('while other package work holds the lock', () => {
  /** dpkg at work until the file is there; it holds the lock as it does on every host. */
  async function otherWork(): Promise<{ release(): Promise<void> }> {
    const flag = join(folder.path, 'release');
    const begun = join(folder.path, 'begun');
    const postinst = `touch '${begun}'; n=0; while [ ! -e '${flag}' ] && [ $n -lt 600 ]; do sleep 0.1; n=$((n+1)); done`;
    const deb = await root.build(of('other', '1.0', { postinst }));
    const child = spawn(join(root.programs, 'dpkg'), ['--install', deb], { stdio: 'ignore' });
    const ended = new Promise<void>((resolve) =>
      child.once('exit', () => {
        resolve();
      }),
    );
    await until('dpkg is at work', () =>
      access(begun).then(
        () => true,
        () => false,
      ),
    );
    return {
      release: async () => {
        await writeFile(flag, '');
        await ended;
      },
    };
  }

  test('it waits for the end, and then updates', async () => {
    await fillArchives();
    const other = await otherWork();
    try {
      const work = runServerTasks(await contextFor({ 'lock-timeout': '60s' }));
      await until('it has begun', async () =>
        world.progress.lines.includes('begin update-server task-packages'),
      );
      await other.release();
      const { outcome } = await work;
      expect(outcome.kind).toBe('done');
      expect(await root.version('shop-web')).toBe('1.1');
    } finally {
      await other.release();
    }
  });

  test('it gives up after its time, and says who holds it', async () => {
    await fillArchives();
    await root.run('apt-get', 'update');
    const other = await otherWork();
    try {
      const packages = apt(hostWith(root.programs), systemClock());
      const plan = await packages.plan({ upgrade: 'security', exclude: [] });
      await expect(
        packages.upgrade(plan, { lockTimeoutSeconds: 1, timeoutSeconds: 60 }),
      ).rejects.toMatchObject({
        failure: {
          code: 'packages-locked',
          message: expect.stringMatching(/process \d+ \(dpkg\)/),
        },
      });
      expect(await root.version('shop-web')).toBe('1.0');
    } finally {
      await other.release();
    }
  });
});
