import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { unprivilegedUser } from '../../rehearsal/unprivileged-user.ts';
import { localHost } from '../../src/hosts/local.ts';
import type { PhaseContext } from '../../src/phases/phase.ts';
import { checkStandby } from '../../src/phases/restore-points/standby-checks.ts';
import { dropRestorePoint } from '../../src/phases/close-books.ts';
import { FailureError } from '../../src/ports/failure.ts';
import type { Host } from '../../src/ports/host.ts';
import type { Standby } from '../../src/ports/standby.ts';
import { FakeWorld } from '../fixtures/fake-world.ts';
import { until } from '../fixtures/postgresql-bench.ts';
import {
  goBack,
  improvement,
  maintain,
  mortal,
  readAgain,
  StandbyBench,
} from '../fixtures/standby-bench.ts';

let bench: StandbyBench;

beforeAll(async () => {
  bench = await StandbyBench.start();
}, 60_000);
afterAll(() => bench.stop());

/** The replica follows, nothing of a window is in its settings or on the primary. */
async function expectAsBefore(): Promise<void> {
  await bench.sql('INSERT INTO orders SELECT max(id) + 1 FROM orders');
  const newest = 'SELECT max(id) FROM orders';
  const wanted = await bench.sql(newest);
  await until(
    async () => (await bench.replica.psql(newest, { database: 'shop' })) === wanted,
    'the replica follows',
  );
  expect(await bench.primary.psql('SELECT slot_name FROM pg_replication_slots')).toBe('');
  const { standby } = await bench.context();
  const place = { dataDirectory: bench.replica.dataFolder, owner: '' };
  expect(await standby?.ownSettings(place as never, 'mw-20261122-010000-1a2b')).toBe('none');
}

async function settingsOn(server: 'primary' | 'replica', sql: string): Promise<void> {
  const psql = (text: string) =>
    server === 'primary' ? bench.primary.psql(text) : bench.replica.psql(text);
  for (const statement of sql.split(';')) await psql(statement);
  await psql('SELECT pg_reload_conf()');
}

describe('no restore point is', () => {
  test.each<{
    what: string;
    on: 'primary' | 'replica';
    set: string;
    reset: string;
    says: RegExp;
    standby?: Record<string, unknown>;
  }>([
    {
      what: 'a delayed replica',
      on: 'replica',
      set: "ALTER SYSTEM SET recovery_min_apply_delay = '1h'",
      reset: 'ALTER SYSTEM RESET recovery_min_apply_delay',
      says: /holds back on purpose/,
    },
    {
      what: 'the only synchronous standby',
      on: 'primary',
      set: "ALTER SYSTEM SET synchronous_standby_names = '*'",
      reset: 'ALTER SYSTEM RESET synchronous_standby_names',
      says: /stopping it would hang every writer/,
    },
    {
      what: 'a replica whose replay is paused',
      on: 'replica',
      set: 'SELECT pg_wal_replay_pause()',
      reset: 'SELECT pg_wal_replay_resume()',
      says: /is paused/,
    },
    {
      what: 'one that could not find its way again',
      on: 'primary',
      set: "ALTER SYSTEM SET max_slot_wal_keep_size = '8MB'",
      reset: 'ALTER SYSTEM RESET max_slot_wal_keep_size',
      says: /would not keep 16 MiB of log.*max_slot_wal_keep_size is 8 MiB/,
    },
    {
      what: 'one that would take other databases back',
      on: 'primary',
      set: 'CREATE DATABASE wiki',
      reset: 'DROP DATABASE wiki',
      says: /other databases \(wiki\).*standby\.other-databases: accept/,
    },
    {
      what: 'one whose receiver the role may not see',
      on: 'primary',
      set: 'REVOKE pg_monitor FROM shop',
      reset: 'GRANT pg_monitor TO shop',
      says: /GRANT pg_monitor/,
    },
    {
      what: 'one on another host, to which nothing leads',
      on: 'primary',
      set: 'SELECT 1',
      reset: 'SELECT 1',
      says: /no standby\.switch-command/,
      standby: { 'primary-host': 'ssh://db1.example.org' },
    },
  ])(
    '$what',
    async ({ on, set, reset, says, standby }) => {
      await settingsOn(on, set);
      try {
        const hosts =
          standby === undefined
            ? {}
            : { primary: { ...bench.host, name: 'ssh://db1.example.org' } };
        const context = await bench.context({ hosts, ...(standby && { standby }) });
        // Settings are read by each process in its own time.
        let value = '';
        await until(async () => {
          const [check] = await checkStandby(context);
          value = `${check?.verdict ?? ''} ${check?.value ?? ''}`;
          return says.test(value);
        }, `it is refused; it said: ${value}`);
        expect(value).toMatch(/^failed/);
        expect(await maintain(context)).toMatchObject({
          kind: 'failed',
          failure: { code: 'no-restore-point', message: expect.stringMatching(says) as unknown },
        });
      } finally {
        await settingsOn(on, reset);
      }
      await expectAsBefore();
    },
    60_000,
  );

  test('a replica of another cluster', async () => {
    const other = await StandbyBench.start();
    try {
      const context = await bench.context({ replica: other.replica });
      expect(await maintain(context)).toMatchObject({
        kind: 'failed',
        failure: { message: expect.stringMatching(/belongs to another cluster/) as unknown },
      });
      expect(await other.replica.isRunning()).toBe(true);
    } finally {
      await other.stop();
    }
  }, 60_000);

  test('the primary itself', async () => {
    const context = await bench.context({ replica: { url: () => bench.primary.url() } });
    expect(await maintain(context)).toMatchObject({
      kind: 'failed',
      failure: { message: expect.stringMatching(/is no replica/) as unknown },
    });
  });
});

test('with consent, other databases go back as well, and preflight says so', async () => {
  await bench.primary.psql('CREATE DATABASE wiki');
  try {
    const context = await bench.context({ standby: { 'other-databases': 'accept' } });
    expect(await checkStandby(context)).toMatchObject([
      { verdict: 'warning', value: expect.stringMatching(/takes wiki back as well/) as unknown },
    ]);
  } finally {
    await bench.primary.psql('DROP DATABASE wiki');
  }
});

describe('a replica that fails while it is taken', () => {
  test('by falling behind is told with both positions, and is as it was', async () => {
    let looking: Promise<unknown> = Promise.resolve();
    const pausing = (standby: Standby): Standby => ({
      ...standby,
      facts: () => {
        const facts = standby.facts();
        looking = facts;
        return facts;
      },
      markPosition: async (windowId) => {
        // Both are asked for at once; it is paused after it was found fit.
        await looking;
        await bench.replica.psql('SELECT pg_wal_replay_pause()');
        return standby.markPosition(windowId);
      },
    });
    const context = await bench.context({ wrap: pausing });
    const outcome = await maintain(context);
    await bench.replica.psql('SELECT pg_wal_replay_resume()');
    expect(outcome).toMatchObject({
      kind: 'failed',
      failure: {
        code: 'replica-lags',
        message: expect.stringMatching(
          /the replica is at [0-9A-F]+\/[0-9A-F]+ and the primary at [0-9A-F]+\/[0-9A-F]+ .*paused/,
        ) as unknown,
        state: 'The site is closed; nothing of the database was changed.',
      },
    });
    expect(context.record.status.state).toBe('closed');
    expect(context.record.status.restorePoint).toBeUndefined();
    await expectAsBefore();
  }, 60_000);

  test('by a receiver that stands still is told, and rollback reopens', async () => {
    const receiver = await bench.replica.psql('SELECT pid FROM pg_stat_wal_receiver');
    process.kill(Number(receiver), 'SIGSTOP');
    try {
      const context = await bench.context({ standby: { 'catch-up': '300ms' } });
      expect(await maintain(context)).toMatchObject({
        kind: 'failed',
        failure: { code: 'replica-lags', message: expect.stringMatching(/too slowly/) as unknown },
      });
      expect(await goBack(context)).toMatchObject({ kind: 'done' });
      expect(context.record.status.state).toBe('rolled-back');
    } finally {
      process.kill(Number(receiver), 'SIGCONT');
    }
    await expectAsBefore();
  }, 60_000);

  test('by a network that is cut after its stop is given back by rollback, when the network is there again', async () => {
    let isCut = false;
    const unless = <T>(act: () => Promise<T>): Promise<T> =>
      isCut
        ? Promise.reject(
            new FailureError({
              code: 'host-unreachable',
              message: 'ssh://db2 does not answer.',
              state: 's',
              next: 'n',
            }),
          )
        : act();
    const { host } = bench;
    const far: Host = {
      ...host,
      run: (command) => unless(() => host.run(command)),
      readFile: (path) => unless(() => host.readFile(path)),
      writeFile: (...args) => unless(() => host.writeFile(...args)),
      status: (path) => unless(() => host.status(path)),
    };
    const cutting = (standby: Standby): Standby => ({
      ...standby,
      writeOwnSettings: (...args) => {
        isCut = true;
        return standby.writeOwnSettings(...args);
      },
    });
    const world = new FakeWorld();
    const hosts = { replica: far, primary: far };
    const context = await bench.context({ world, hosts, wrap: cutting });
    expect(await maintain(context)).toMatchObject({
      kind: 'failed',
      failure: {
        code: 'host-unreachable',
        state: expect.stringMatching(
          /The replica is not back: ssh:\/\/db2 does not answer/,
        ) as unknown,
      },
    });
    expect(await bench.replica.isRunning()).toBe(false);
    isCut = false;
    const record = await readAgain(world);
    expect(await goBack(await bench.context({ world, record, hosts }))).toMatchObject({
      kind: 'done',
    });
    await expectAsBefore();
  }, 60_000);

  test('by a run that is killed at any change is given back by rollback', async () => {
    for (let changes = 1; changes < 60; changes += 1) {
      const world = new FakeWorld();
      await bench.context({ world });
      const { wrap, end } = mortal(world, changes);
      const record = await readAgain(world);
      await maintain(await bench.context({ world, record, wrap, tasks: improvement }));
      end();
      const next = await readAgain(world);
      // From here on a kill is one of a window that changes the database.
      if (next.status.restorePoint !== undefined) {
        await goBackWithout(world);
        break;
      }
      expect(await goBack(await bench.context({ world, record: next }))).toMatchObject({
        kind: 'done',
      });
      expect(next.status.state).toBe('rolled-back');
      expect(await bench.replica.isRunning()).toBe(true);
      expect(await bench.primary.psql('SELECT count(*) FROM pg_replication_slots')).toBe('0');
    }
    await expectAsBefore();
  }, 120_000);
});

async function goBackWithout(world: FakeWorld): Promise<void> {
  const record = await readAgain(world);
  const context = await bench.context({ world, record });
  expect(await goBack(context)).toMatchObject({ kind: 'done' });
}

describe('a replica that pg_ctl is not to stop and start', () => {
  const own =
    process.getuid?.() === 0 ? ['runuser', '-u', unprivilegedUser()?.name ?? '', '--'] : [];
  const pgCtl = (...args: string[]) => [
    ...own,
    join(bench.primary.binFolder, 'pg_ctl'),
    ...args,
    ...['-D', bench.replica.dataFolder, '-w', '-s', '-l', '/dev/null'],
  ];

  async function throughWindow(context: PhaseContext): Promise<void> {
    expect(await maintain(context)).toMatchObject({ kind: 'done' });
    expect(await bench.replica.isRunning()).toBe(false);
    await context.record.become('reopening');
    await context.record.become('reopened');
    await dropRestorePoint(context);
    await bench.sql('DELETE FROM orders WHERE id = 100001');
    await expectAsBefore();
  }
  const tasks = [{ task: 'sql', blast: 'data', sql: "INSERT INTO orders VALUES (100001, 'new')" }];

  test('is so by the commands of the plan', async () => {
    const context = await bench.context({
      tasks,
      standby: { 'stop-command': pgCtl('stop'), 'start-command': pgCtl('start') },
    });
    await throughWindow(context);
    expect(context.record.status.standby?.replica.control).toEqual({ kind: 'commands' });
  }, 60_000);

  test('is so by its unit of systemd', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'mw-systemctl-'));
    const quoted = (argv: string[]) => argv.map((word) => `'${word}'`).join(' ');
    // Stands for systemd, which does not run here: it is asked for no more than this.
    await writeFile(
      join(folder, 'systemctl'),
      `#!/bin/sh
echo "$*" >> ${folder}/asked
case "$*" in
  '--no-ask-password stop -- postgresql@15-replica.service') exec ${quoted(pgCtl('stop'))} ;;
  '--no-ask-password start -- postgresql@15-replica.service') exec ${quoted(pgCtl('start'))} ;;
  *) exit 1 ;;
esac
`,
      { mode: 0o755 },
    );
    const host = localHost({ environment: { PATH: `${folder}:${process.env.PATH ?? ''}` } });
    const byUnit = (standby: Standby): Standby => ({
      ...standby,
      places: async (facts) => {
        const { primary, replica } = await standby.places(facts);
        const unit = 'postgresql@15-replica.service';
        return { primary, replica: { ...replica, control: { kind: 'unit', unit } } };
      },
    });
    try {
      await throughWindow(
        await bench.context({ tasks, hosts: { replica: host, primary: host }, wrap: byUnit }),
      );
      const asked = await readFile(join(folder, 'asked'), 'utf8');
      expect(asked.match(/stop|start/g)).toEqual(['stop', 'start']);
    } finally {
      await rm(folder, { recursive: true });
    }
  }, 60_000);
});

test('a replica whose log was removed meanwhile is told, and the site is open all the same', async () => {
  const alone = await StandbyBench.start({ cluster: { settings: { wal_keep_size: '16MB' } } });
  try {
    await alone.primary.psql('ALTER ROLE shop NOREPLICATION');
    const context = await alone.context({ tasks: improvement, standby: { 'catch-up': '2s' } });
    expect(await maintain(context)).toMatchObject({ kind: 'done' });
    for (let segment = 0; segment < 5; segment += 1) {
      await alone.sql('INSERT INTO orders SELECT max(id) + 1 FROM orders');
      await alone.primary.psql('SELECT pg_switch_wal()');
    }
    await alone.primary.psql('CHECKPOINT');
    await context.record.become('reopening');
    await context.record.become('reopened');
    await expect(dropRestorePoint(context)).rejects.toMatchObject({
      failure: {
        code: 'standby-not-following',
        next: expect.stringMatching(/pg_basebackup/) as unknown,
      },
    });
    expect(context.record.status).toMatchObject({ state: 'reopened' });
    expect(await alone.replica.log()).toMatch(/has already been removed/);
  } finally {
    await alone.stop();
  }
}, 60_000);
