import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { unprivilegedUser } from '../../rehearsal/unprivileged-user.ts';
import { dropRestorePoint } from '../../src/phases/close-books.ts';
import type { PhaseContext } from '../../src/phases/phase.ts';
import { rollback } from '../../src/phases/rollback.ts';
import { runDbMaintenance } from '../../src/phases/run-db-maintenance.ts';
import { differencesBetween, everythingOf } from '../fixtures/catalogue-comparison.ts';
import { FakeWorld } from '../fixtures/fake-world.ts';
import { PostgresqlBench } from '../fixtures/postgresql-bench.ts';
import { at, statusOf } from '../fixtures/record-factory.ts';

const run = promisify(execFile);

let bench: PostgresqlBench;
let script: string;
let snapshots: string;

/**
 * Snapshots as a user would script them: the server is stopped, its folder copied, the server started. `lie` ends
 * well and does nothing, `older` goes back to a state before the snapshot.
 */
const snapshotScript = (as: string, bin: string, data: string, folder: string, log: string) => `
set -eu
pg() { ${as} ${bin}/pg_ctl -D ${data} -w -s -t 60 "$@" > ${folder}/pg_ctl.log 2>&1; }
copy() { rm -rf "$2"; cp -a --reflink=auto "$1" "$2"; }
start() { pg -l ${log} start; }
case "$1" in
  take) pg -m fast stop; copy ${data} ${folder}/"$MW_WINDOW_ID"; start; echo "copying $MW_DATABASE"; echo "$MW_WINDOW_ID" ;;
  go-back) pg -m fast stop; rm -rf ${folder}/failed; mv ${data} ${folder}/failed; copy ${folder}/"$MW_REFERENCE" ${data}; start; echo ${folder}/failed ;;
  older) pg -m fast stop; rm -rf ${folder}/failed; mv ${data} ${folder}/failed; copy ${folder}/older ${data}; start ;;
  release) rm -rf ${folder}/"$MW_REFERENCE" ;;
  mute) echo ;;
  fail) echo "no space left in the pool" >&2; exit 5 ;;
  hang) sleep 60 ;;
  lie) echo done ;;
esac
`;

beforeAll(async () => {
  bench = await PostgresqlBench.start({ authentication: 'trust', settings: { autovacuum: 'off' } });
  const user = unprivilegedUser();
  const as =
    user === undefined ? '' : `setpriv --reuid ${user.uid} --regid ${user.gid} --clear-groups`;
  const { binFolder, dataFolder, folder, socketFolder } = bench.cluster;
  snapshots = folder;
  script = join(bench.folder, 'snapshot');
  await writeFile(
    script,
    snapshotScript(as, binFolder, dataFolder, snapshots, `${socketFolder}/server.log`),
  );
  await bench.sql('CREATE ROLE owner LOGIN CREATEDB');
});
afterAll(async () => {
  const { binFolder, dataFolder } = bench.cluster;
  const user = unprivilegedUser();
  // The scripts have started it anew, so nobody else would stop it.
  await run(join(binFolder, 'pg_ctl'), ['-D', dataFolder, '-m', 'fast', '-w', 'stop'], {
    cwd: '/',
    ...(user === undefined ? {} : { uid: user.uid, gid: user.gid }),
  }).catch(() => undefined);
  await bench.stop();
});

let name: string;

beforeEach(async () => {
  name = await bench.database('CREATE TABLE t AS SELECT generate_series(1, 1000) AS a');
  await bench.sql(`
    COMMENT ON DATABASE ${name} IS 'the shop';
    ALTER DATABASE ${name} SET work_mem = '7MB'; REVOKE CONNECT ON DATABASE ${name} FROM PUBLIC;
    GRANT CONNECT ON DATABASE ${name} TO owner`);
});

function contextWith(command: Record<string, unknown> = {}): Promise<PhaseContext> {
  const world = new FakeWorld();
  world.door = { kind: 'closed', windowId: statusOf().windowId };
  world.isHooked = true;
  const { host } = bench;
  return world.contextOf(
    {
      state: 'closed',
      maintenance: { mode: 'fake', prior: null, closedAt: at(-60) },
    },
    {
      plan: {
        'run-db-maintenance': {
          'restore-point': 'command',
          'restore-point-command': {
            take: ['sh', script, 'take'],
            'go-back': ['sh', script, 'go-back'],
            release: ['sh', script, 'release'],
            on: 'database',
            timeout: '30s',
            ...command,
          },
          tasks: [
            {
              task: 'sql',
              sql: `DROP TABLE t; ALTER DATABASE ${name} RESET ALL; SELECT 1 / 0`,
              transaction: false,
              consent: ['drop'],
            },
          ],
        },
      },
      parts: {
        database: bench.adapter(name),
        fleet: {
          control: host,
          web: [{ host, address: undefined }],
          database: host,
          workers: [],
          parallel: 8,
        },
      },
    },
  );
}

const back = (context: PhaseContext) =>
  rollback(context, { force: true, acceptDataLoss: false, reason: 'a test' });
const tableIsThere = () =>
  bench.sql(`SELECT count(*) FROM pg_class WHERE relname = 't'`, { database: name });
const comment = () =>
  bench.sql(
    `SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = '${name}'`,
  );
const allowsConnections = () =>
  bench.sql(`SELECT datallowconn FROM pg_database WHERE datname = '${name}'`);

describe('a snapshot by the user’s own commands', () => {
  test('is gone back to, and everything is as it was', async () => {
    const before = await everythingOf(bench, name);
    const context = await contextWith();
    expect(await runDbMaintenance(context, { stage: 'closed' })).toMatchObject({ kind: 'failed' });
    expect(context.record.status.restorePoint).toMatchObject({
      kind: 'command',
      reference: context.record.status.windowId,
    });
    expect([await tableIsThere(), await comment()]).toEqual(['0', 'the shop']);
    expect(await back(context)).toMatchObject({
      kind: 'done',
      outputs: { outcome: 'restored', 'failed-database': `${snapshots}/failed` },
    });
    expect(differencesBetween(before, await everythingOf(bench, name))).toEqual({});
    await dropRestorePoint(context);
    expect(context.record.status.restorePoint?.droppedAt).toBeDefined();
    await expect(run('ls', [`${snapshots}/${context.record.status.windowId}`])).rejects.toThrow();
  });

  test('whose go-back does nothing is found out, and the window held until somebody does it', async () => {
    const context = await contextWith({ 'go-back': ['sh', script, 'lie'] });
    await runDbMaintenance(context, { stage: 'closed' });
    expect(await back(context)).toMatchObject({
      failure: {
        code: 'snapshot-not-restored',
        message: expect.stringContaining('does not have the mark') as unknown,
      },
    });
    expect(context.record.status.state).toBe('held');
    expect(await tableIsThere()).toBe('0');
    // By hand, as the message asks.
    await run('sh', [script, 'go-back'], {
      env: { PATH: process.env.PATH ?? '', MW_REFERENCE: context.record.status.windowId },
    });
    expect(await back(context)).toMatchObject({ outputs: { outcome: 'restored' } });
    expect([await tableIsThere(), await comment(), await allowsConnections()]).toEqual([
      '1',
      'the shop',
      't',
    ]);
  });

  test('that is another one than was taken is found out', async () => {
    const context = await contextWith({ 'go-back': ['sh', script, 'older'] });
    // Taken before the mark was set.
    await run('sh', [script, 'take'], {
      env: { PATH: process.env.PATH ?? '', MW_WINDOW_ID: 'older', MW_DATABASE: name },
    });
    await runDbMaintenance(context, { stage: 'closed' });
    expect(await back(context)).toMatchObject({ failure: { code: 'snapshot-not-restored' } });
    expect(context.record.status.state).toBe('held');
  });

  test.each([
    ['fails', ['fail'], 'snapshot-failed', 'ended with exit code 5'],
    ['prints no reference', ['mute'], 'snapshot-unnamed', 'printed no reference'],
    ['hangs', ['hang'], 'snapshot-failed', 'did not end within 1 s'],
  ])('whose taking %s ends before anything is changed', async (_what, args, code, words) => {
    const context = await contextWith({ take: ['sh', script, ...args], timeout: '1s' });
    expect(await runDbMaintenance(context, { stage: 'closed' })).toMatchObject({
      failure: { code, message: expect.stringContaining(words) as unknown },
    });
    expect(context.record.status.restorePoint).toBeUndefined();
    expect([await tableIsThere(), await comment(), await allowsConnections()]).toEqual([
      '1',
      'the shop',
      't',
    ]);
    expect(await back(context)).toMatchObject({ outputs: { outcome: 'reopened' } });
  });

  test('that is not there is told', async () => {
    const context = await contextWith({ take: ['/no/such/program'] });
    expect(await runDbMaintenance(context, { stage: 'closed' })).toMatchObject({
      failure: {
        code: 'snapshot-failed',
        message: expect.stringContaining('is not there') as unknown,
      },
    });
  });

  test('whose taking was killed leaves no mark after the rollback', async () => {
    const context = await contextWith();
    const killed: PhaseContext = {
      ...context,
      database: {
        ...bench.adapter(name),
        // As a process that is killed: nothing that follows is done.
        seal: () => new Promise(() => undefined),
      },
    };
    void runDbMaintenance(killed, { stage: 'closed' });
    const deadline = Date.now() + 20_000;
    while (!(await comment()).startsWith('restore point of') && Date.now() < deadline);
    expect(await comment()).toContain('restore point of');
    expect(await back(context)).toMatchObject({ outputs: { outcome: 'reopened' } });
    expect([await comment(), await allowsConnections()]).toEqual(['the shop', 't']);
  });
});
