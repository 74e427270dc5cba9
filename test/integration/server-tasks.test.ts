import { execFile, spawn } from 'node:child_process';
import {
  access,
  chmod,
  link,
  mkdir,
  readFile,
  readdir,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { createServer, type Server as TlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { makeTemporaryFolder, type TemporaryFolder } from '../../rehearsal/temporary-folder.ts';
import { previewServers } from '../../src/phases/server-preview.ts';
import { FakeWorld } from '../fixtures/fake-world.ts';
import { until } from '../fixtures/processes.ts';
import { hostWith, runServerTasks, serverContext } from '../fixtures/server-world.ts';

const run = promisify(execFile);
const day = 86_400;

let folder: TemporaryFolder;
let world: FakeWorld;
let programs: string;

beforeEach(async () => {
  folder = await makeTemporaryFolder('mw-server');
  world = new FakeWorld();
  programs = join(folder.path, 'programs');
  await mkdir(programs);
});

afterEach(async () => {
  await folder.remove();
});

const contextFor = (tasks: readonly object[], plan: Record<string, unknown> = {}) =>
  serverContext(world, tasks, { host: hostWith(programs), plan });

/** A program in front of the host's own. */
async function program(name: string, script: string): Promise<string> {
  const path = join(programs, name);
  await writeFile(path, `#!/bin/sh\n${script}\n`);
  await chmod(path, 0o755);
  return path;
}

const isThere = (path: string) =>
  access(path).then(
    () => true,
    () => false,
  );

describe('clean-up', () => {
  const hostile = ['plain.log', '-rf', 'two\nlines.log', 'with space.log', "quote'$(x).log"];
  let old: string;

  async function file(path: string, ageDays: number, text = 'x'.repeat(1000)): Promise<void> {
    await writeFile(path, text);
    const moment = Date.now() / 1000 - ageDays * day;
    await utimes(path, moment, moment);
  }

  beforeEach(async () => {
    old = join(folder.path, 'old');
    await mkdir(join(old, 'below'), { recursive: true });
    for (const name of hostile) await file(join(old, name), 40);
    await file(join(old, 'below', 'deep.log'), 40);
    await file(join(old, 'young.log'), 1);
  });

  test('removes old files under hostile names, and nothing else', async () => {
    await symlink('/etc', join(old, 'etc'));
    await mkdir(join(folder.path, 'elsewhere'));
    await file(join(folder.path, 'elsewhere', 'kept.log'), 40);
    await symlink(join(folder.path, 'elsewhere'), join(old, 'linked'));
    await symlink(join(folder.path, 'elsewhere', 'kept.log'), join(old, 'linked.log'));
    const etc = (await readdir('/etc')).length;
    await file(join(folder.path, 'other-name'), 40);
    await link(join(folder.path, 'other-name'), join(old, 'hard.log'));
    const { outcome, tasks } = await runServerTasks(
      await contextFor([{ task: 'clean-up', folders: [{ path: old, 'older-than': '30d' }] }]),
    );
    expect(outcome.kind).toBe('done');
    expect((await readdir(old)).sort()).toEqual([
      'below',
      'etc',
      'linked',
      'linked.log',
      'young.log',
    ]);
    expect(await readdir(join(old, 'below'))).toEqual([]);
    expect(await isThere(join(folder.path, 'elsewhere', 'kept.log'))).toBe(true);
    expect(await isThere(join(folder.path, 'other-name'))).toBe(true);
    expect((await readdir('/etc')).length).toBe(etc);
    // A file with another name is not gone, and frees nothing.
    expect(tasks[0]).toMatchObject({
      outcome: 'done',
      stage: 'online',
      figures: { 'removed-files': 7, 'freed-bytes': 6000 },
      items: [{ name: old, before: '7 files, 5.9 KiB', after: '0 files' }],
    });
  });

  test('keeps the newest, and what another name has', async () => {
    for (const [name, age] of [
      ['a.dump', 60],
      ['b.dump', 50],
      ['c.dump', 45],
    ] as const) {
      await file(join(old, name), age);
    }
    const settings = { path: old, 'older-than': '30d', name: '*.dump', 'keep-newest': 2 };
    await runServerTasks(await contextFor([{ task: 'clean-up', folders: [settings] }]));
    expect((await readdir(old)).filter((name) => name.endsWith('.dump'))).toEqual([
      'b.dump',
      'c.dump',
    ]);
    expect(await isThere(join(old, 'plain.log'))).toBe(true);
    world = new FakeWorld();
    const more = { ...settings, 'keep-newest': 5 };
    const again = await runServerTasks(await contextFor([{ task: 'clean-up', folders: [more] }]));
    expect(again.tasks).toMatchObject([{ outcome: 'skipped', figures: { 'removed-files': 0 } }]);
  });

  test('stays on one file system', async () => {
    const disk = join(old, 'disk');
    await mkdir(disk);
    await run('mount', ['-t', 'tmpfs', 'tmpfs', disk]);
    try {
      await file(join(disk, 'other-disk.log'), 40);
      await runServerTasks(
        await contextFor([{ task: 'clean-up', folders: [{ path: old, 'older-than': '30d' }] }]),
      );
      expect(await isThere(join(disk, 'other-disk.log'))).toBe(true);
      expect(await isThere(join(old, 'plain.log'))).toBe(false);
    } finally {
      await run('umount', [disk]);
    }
  });

  test('shows in a dry run what would go, and leaves it', async () => {
    const context = await contextFor([
      { task: 'clean-up', folders: [{ path: old, 'older-than': '30d' }] },
    ]);
    const { checks, previews } = await previewServers(context);
    expect(checks).toMatchObject([{ verdict: 'passed', value: 'frees at least 5.9 KiB' }]);
    expect(previews[0]?.lines).toContain(join(old, 'below', 'deep.log'));
    expect((await readdir(old)).length).toBe(hostile.length + 2);
  });

  test.each([
    ['/', 'holds more than old files'],
    ['/etc', '/etc belongs to the system'],
    ['/var/lib/dpkg/info', '/var/lib/dpkg belongs to the system'],
    ['/home', 'holds more than old files'],
    ['/no/such/folder', 'it is not there'],
    ['/etc/passwd', 'it is no folder'],
  ])('refuses %s before anything is removed', async (path, why) => {
    const { outcome } = await runServerTasks(
      await contextFor([
        {
          task: 'clean-up',
          folders: [
            { path: old, 'older-than': '30d' },
            { path, 'older-than': '3650d', name: 'no-such-name-anywhere' },
          ],
        },
      ]),
    );
    expect(outcome).toMatchObject({
      kind: 'failed',
      failure: { code: 'clean-up-refused', message: expect.stringContaining(why) },
    });
    expect(await isThere(join(old, 'plain.log'))).toBe(true);
  });

  test('refuses a link to a system folder, our own folders and the data of a database', async () => {
    await symlink('/etc', join(folder.path, 'innocent'));
    const state = join(folder.path, 'state');
    await mkdir(state);
    const data = join(folder.path, 'srv', 'pg', 'main');
    await mkdir(data, { recursive: true });
    await file(join(data, 'PG_VERSION'), 400, '15\n');
    for (const [path, why] of [
      [join(folder.path, 'innocent'), '/etc belongs to the system'],
      [folder.path, `${state} belongs to this window`],
      [join(folder.path, 'srv'), `${data} is a database's data folder`],
    ] as const) {
      world = new FakeWorld();
      const context = await contextFor(
        [{ task: 'clean-up', folders: [{ path, 'older-than': '3650d' }] }],
        { 'backup-db': { directory: state } },
      );
      const { outcome } = await runServerTasks(context);
      expect(outcome).toMatchObject({
        kind: 'failed',
        failure: { code: 'clean-up-refused', message: expect.stringContaining(why) },
      });
    }
  });

  test('shortens the journal and prunes Docker of what is named alone', async () => {
    const said = join(folder.path, 'said');
    await program(
      'journalctl',
      `echo "journalctl $*" >>'${said}'; test -e '${said}.after' && size=8.0M || size=120.0M
       [ "$1" != --disk-usage ] && touch '${said}.after'
       echo "Archived and active journals take up $size in the file system."`,
    );
    await program(
      'docker',
      `echo "docker $*" >>'${said}'; [ "$1" = version ] && echo 28.2.2 || echo 'Total reclaimed space: 1.2GB'`,
    );
    const { outcome, tasks } = await runServerTasks(
      await contextFor([
        {
          task: 'clean-up',
          journal: { 'keep-time': '7d', 'keep-size': '16 MiB' },
          docker: ['images', 'build-cache'],
        },
      ]),
    );
    expect(outcome.kind).toBe('done');
    expect((await readFile(said, 'utf8')).trim().split('\n')).toEqual([
      'docker version --format {{.Server.Version}}',
      'docker version --format {{.Server.Version}}',
      'journalctl --disk-usage',
      'journalctl --vacuum-time=604800s --vacuum-size=16777216',
      'journalctl --disk-usage',
      'docker image prune --force',
      'docker builder prune --force',
    ]);
    expect(tasks[0]?.figures['freed-bytes']).toBe(112 * 1024 * 1024);
    expect(tasks[0]?.items).toContainEqual({
      name: 'Docker images',
      before: '1.2GB unused',
      after: 'pruned',
    });
  });

  test('leaves named volumes alone where Docker would not', async () => {
    const said = join(folder.path, 'said');
    await program('docker', `echo "docker $*" >>'${said}'; echo 20.10.24`);
    const { outcome } = await runServerTasks(
      await contextFor([{ task: 'clean-up', docker: ['volumes'] }]),
    );
    expect(outcome).toMatchObject({
      kind: 'failed',
      failure: { code: 'clean-up-refused', message: expect.stringContaining('20.10.24') },
    });
    expect(await readFile(said, 'utf8')).not.toContain('prune');
  });
});

describe('log rotation', () => {
  /** A log with a service that writes to it, and after SIGHUP to the file of that name anew (or not). */
  async function service(reopens: boolean) {
    const log = join(folder.path, 'app.log');
    await writeFile(log, 'line\n');
    const code = `const fs = require('fs');
let fd = fs.openSync(process.argv[1], 'a');
process.on('SIGHUP', () => { ${reopens ? "fd = fs.openSync(process.argv[1], 'a');" : ''} });
setInterval(() => fs.writeSync(fd, 'line\\n'), 20);`;
    const child = spawn(process.execPath, ['-e', code, log], { stdio: 'ignore' });
    const ended = new Promise((resolve) => child.once('exit', resolve));
    await until('it writes', async () => (await readFile(log, 'utf8')).length > 5);
    const config = join(folder.path, 'logrotate.conf');
    await writeFile(
      config,
      `${log} {\n  rotate 3\n  daily\n  create\n  postrotate\n    kill -HUP ${child.pid}\n  endscript\n}\n`,
      { mode: 0o644 },
    );
    await chmod(config, 0o644);
    const task = {
      task: 'rotate-logs',
      config,
      state: join(folder.path, 'state'),
      force: true,
      'still-written': [log],
      within: '10s',
    };
    const stop = async () => {
      child.kill('SIGKILL');
      await ended;
    };
    return { log, task, stop };
  }

  test('is proved by the memory of logrotate and a service that goes on writing', async () => {
    const { log, task, stop } = await service(true);
    try {
      const { outcome, tasks } = await runServerTasks(await contextFor([task]));
      expect(outcome.kind).toBe('done');
      expect(await isThere(`${log}.1`)).toBe(true);
      expect(tasks).toMatchObject([
        { summary: '1 of 1 logs rotated', figures: { logs: 1 }, items: [{ name: log }] },
      ]);
      world = new FakeWorld();
      const again = await runServerTasks(await contextFor([{ ...task, force: false }]));
      expect(again.tasks).toMatchObject([
        { outcome: 'skipped', summary: 'no log is due for rotation, of 1' },
      ]);
    } finally {
      await stop();
    }
  });

  test('is a failure when the service still writes to the old file', async () => {
    const { log, task, stop } = await service(false);
    try {
      const { outcome } = await runServerTasks(await contextFor([{ ...task, within: '1s' }]));
      expect(outcome).toMatchObject({
        kind: 'failed',
        failure: { code: 'logs-not-written', message: expect.stringContaining(log) },
      });
    } finally {
      await stop();
    }
  });

  test('is shown in a dry run and not done; a missing configuration is refused', async () => {
    const { log, task, stop } = await service(true);
    try {
      const context = await contextFor([task, { ...task, config: '/no/logrotate.conf' }]);
      const { checks, previews } = await previewServers(context);
      expect(previews[0]).toMatchObject({ summary: 'rotates 1 of 1 logs', lines: [log] });
      expect(await isThere(`${log}.1`)).toBe(false);
      expect(checks[1]).toMatchObject({
        id: 'server-rotate-logs-2',
        verdict: 'failed',
        value: expect.stringContaining('/no/logrotate.conf'),
      });
    } finally {
      await stop();
    }
  });
});

describe('certificates', () => {
  let tls: TlsServer | undefined;
  let pem: { key: string; cert: string };

  afterEach(async () => {
    const server = tls;
    tls = undefined;
    server?.closeAllConnections();
    if (server !== undefined) await new Promise((resolve) => server.close(resolve));
  });

  beforeEach(() => {
    pem = { key: join(folder.path, 'key.pem'), cert: join(folder.path, 'cert.pem') };
  });

  const issueLine = (days: number) =>
    `openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=shop.example.org -days ${days} -keyout '${pem.key}' -out '${pem.cert}'`;
  const issue = (days: number) => run('sh', ['-c', issueLine(days)]);

  /** Serves the certificate; a file at `reload` makes it take the new one. */
  async function serve(): Promise<{ address: string; reload: string }> {
    const context = async () => ({
      key: await readFile(pem.key, 'utf8'),
      cert: await readFile(pem.cert, 'utf8'),
    });
    const reload = join(folder.path, 'reloaded');
    const server = createServer(await context(), (_request, answer) => answer.end());
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    tls = server;
    server.on('connection', () => {
      void isThere(reload).then(async (now) => {
        if (now) server.setSecureContext(await context());
      });
    });
    return { address: `127.0.0.1:${(server.address() as AddressInfo).port}`, reload };
  }

  test('that are due are renewed, reloaded, and proved where they lie and where they are served', async () => {
    await issue(5);
    const { address, reload } = await serve();
    const renew = await program('renew', issueLine(90));
    const { outcome, tasks } = await runServerTasks(
      await contextFor([
        {
          task: 'renew-certificates',
          by: 'command',
          command: [renew],
          reload: ['touch', reload],
          certificates: [{ file: pem.cert }, { address, name: 'shop.example.org' }],
        },
      ]),
    );
    expect(outcome.kind).toBe('done');
    expect(tasks[0]).toMatchObject({ summary: '2 of 2 certificates renewed' });
    const days = (text: string | null | undefined) =>
      Math.round((Date.parse(text ?? '') - Date.now()) / 1000 / day);
    for (const item of tasks[0]?.items ?? []) {
      expect([days(item.before), days(item.after)]).toEqual([5, 90]);
    }
    expect(tasks[0]?.items).toHaveLength(2);
  });

  test('that are not due are left alone, with the days that are left', async () => {
    await issue(60);
    const renew = await program('renew', `touch '${folder.path}/ran'`);
    const task = {
      task: 'renew-certificates',
      by: 'command',
      command: [renew],
      certificates: [{ file: pem.cert }],
    };
    const { tasks } = await runServerTasks(await contextFor([task]));
    expect(tasks).toMatchObject([{ outcome: 'skipped' }]);
    expect(tasks[0]?.summary).toMatch(/no certificate is due: .*cert\.pem, (?:59|60) days left/);
    expect(await isThere(join(folder.path, 'ran'))).toBe(false);
  });

  test('that the renewal left as they were are a failure', async () => {
    await issue(5);
    await program('certbot', 'echo "Certificate not yet due for renewal"');
    const { outcome } = await runServerTasks(
      await contextFor([{ task: 'renew-certificates', certificates: [{ file: pem.cert }] }]),
    );
    expect(outcome).toMatchObject({
      kind: 'failed',
      failure: { code: 'certificate-not-renewed', message: expect.stringContaining(pem.cert) },
    });
    await program('certbot', 'exit 1');
    const { checks } = await previewServers(
      await contextFor([{ task: 'renew-certificates', certificates: [{ file: pem.cert }] }]),
    );
    expect(checks).toMatchObject([{ verdict: 'failed' }]);
  });
});

describe('commands', () => {
  const status = { state: 'changing' as const };
  const intent = {
    phase: 'update-server',
    step: 'task-cache',
    title: 'Run cache',
    event: 'intent' as const,
    blast: 'app' as const,
  };

  test('get what the plan names, without a shell, and are proved', async () => {
    const command = await program('clear', 'printf "%s|" "$@" "$PWD" "$TOKEN" >"$1"');
    const out = join(folder.path, 'a $(b) "c"');
    const context = await serverContext(
      world,
      [
        {
          task: 'command',
          id: 'cache',
          command: [command, out, ';rm -rf'],
          'working-directory': folder.path,
          environment: ['TOKEN'],
          verify: ['test', '-s', out],
          'verify-sql': 'select true',
        },
      ],
      { host: hostWith(programs), parts: { variable: () => 'a secret' } },
    );
    const database = { ...world.database, queryValue: async () => 'true' };
    const { outcome, tasks } = await runServerTasks({ ...context, database });
    expect(outcome.kind).toBe('done');
    expect(await readFile(out, 'utf8')).toBe(`${out}|;rm -rf|${folder.path}|a secret|`);
    expect(tasks).toMatchObject([{ proof: '`test` and its query show its effect' }]);
  });

  test('that change data come after a restore point', async () => {
    const { outcome, status: ended } = await runServerTasks(
      await contextFor([{ task: 'command', id: 'move', command: ['true'], blast: 'data' }]),
    );
    expect(outcome.kind).toBe('done');
    expect(world.effects).toEqual(['seal shop', 'clone shop', 'unseal shop']);
    expect(ended).toMatchObject({
      state: 'changed',
      blast: 'data',
      restorePoint: { kind: 'clone' },
    });
  });

  test.each([
    [{ command: ['false'] }, 'server-task-failed'],
    [{ command: ['true'], verify: ['false'] }, 'server-task-not-verified'],
    [{ command: ['sleep', '60'], timeout: '200ms' }, 'server-task-failed'],
    [{ command: ['/no/such/program'] }, 'server-task-failed'],
  ])('that do not prove themselves fail: %j', async (task, code) => {
    const { outcome, tasks } = await runServerTasks(
      await contextFor([{ task: 'command', id: 'cache', ...task }]),
    );
    expect(outcome).toMatchObject({ kind: 'failed', failure: { code } });
    expect(tasks).toMatchObject([{ id: 'cache', outcome: 'failed' }]);
  });

  test.each([
    ['is not run again', {}, 'failed', false],
    ['is run again when that does no harm', { repeatable: true }, 'done', true],
    ['is found done by its own proof', { verify: ['true'] }, 'done', false],
  ])('one that was killed half-way %s', async (_what, more, kind, runs) => {
    const ran = join(folder.path, 'ran');
    const tasks = [{ task: 'command', id: 'cache', command: ['touch', ran], ...more }];
    const context = await serverContext(world, tasks, { host: hostWith(programs), status });
    await context.record.append(intent);
    const { outcome } = await runServerTasks(context);
    expect(outcome.kind).toBe(kind);
    if (kind === 'failed') expect(outcome).toMatchObject({ failure: { code: 'task-unfinished' } });
    expect(await isThere(ran)).toBe(runs);
  });
});
