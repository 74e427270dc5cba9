import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { checkVerification } from '../../src/phases/backups/verification-checks.ts';
import type { Host } from '../../src/ports/host.ts';
import { FakeWorld } from '../fixtures/fake-world.ts';
import { failureFrom, PostgresqlBench } from '../fixtures/postgresql-bench.ts';

let bench: PostgresqlBench;
let name: string;
let count = 0;

beforeAll(async () => {
  bench = await PostgresqlBench.start();
  name = await bench.database(`
    CREATE TABLE orders AS SELECT i AS id, 'customer ' || i % 1000 AS customer, md5(i::text) AS token FROM generate_series(1, 120000) AS i;
    CREATE TABLE "odd ""name""" AS SELECT repeat('x', 1000) AS big FROM generate_series(1, 2000);
    ANALYZE`);
});
afterAll(() => bench.stop());

function target(): string {
  count += 1;
  return join(bench.folder, `backups${count}`, 'dump');
}

/** The host as a keeper of streams, of which everything that it is asked for is told. */
function listening(): Host & { readonly names: string[] } {
  const names: string[] = [];
  return {
    ...bench.host,
    names,
    pipe: (stages, ends) => {
      names.push(...stages.map(({ argv }) => argv.join(' ')));
      return bench.host.pipe(stages, ends);
    },
  };
}

/** Clients that say they are of version 16, the first that knows more than gzip; pg_dump takes what 15 takes. */
function newer(builtWithout: string): Promise<string> {
  const version = (program: string) => ({
    [`${program} --version`]: `echo "${program} (PostgreSQL) 16.4"; exit 0`,
  });
  return bench.clients({
    ...version('psql'),
    ...version('pg_dump'),
    ...version('pg_restore'),
    pg_dump: `
first=yes
for argument; do
  [ -z "$first" ] || { first=; set --; }
  case $argument in
    --compress=${builtWithout}*) echo "pg_dump: error: this build does not support compression with ${builtWithout}" >&2; exit 1 ;;
    --compress=*) echo "$argument" >> "$(dirname "$0")/asked"; set -- "$@" --compress=1 ;;
    *) set -- "$@" "$argument" ;;
  esac
done`,
  });
}

describe('the compression of a dump', () => {
  test('is measured on the database’s own data', async () => {
    const directory = target();
    const database = bench.adapter(name);
    const manifest = await database.dump({
      directory,
      windowId: 'w1',
      jobs: 2,
      compression: 'auto',
    });
    expect(manifest.compression.chosen).toMatch(/^(?:none|gzip:[16])$/);
    const reason =
      /^measured on ([\d.]+) MB of its data with \d+ free CPUs, 2 workers and \d+ MB\/s for writing: none \d+ MB\/s to 100 %, gzip:1 \d+ MB\/s to (\d+) %, gzip:6 \d+ MB\/s to (\d+) %$/;
    const [, megabytes, fast = '', best = ''] = reason.exec(manifest.compression.reason) ?? [];
    expect(Number(megabytes)).toBeGreaterThan(1);
    expect(Number(megabytes)).toBeLessThan(8.5);
    expect(Number(best)).toBeLessThan(Number(fast));
    expect(Number(fast)).toBeLessThan(80);
    // What was written to measure is gone.
    expect(await bench.host.list(join(directory, '..'))).toEqual(['dump']);
  });

  test('of a stream is measured without a write on the database’s host', async () => {
    const keeper = listening();
    const directory = target();
    const { compression } = await bench
      .adapter(name)
      .dump({ directory, windowId: 'w1', jobs: 4, compression: 'auto', keeper });
    expect(compression.reason).toContain(', 1 workers and ');
    expect(await bench.host.list(join(directory, '..'))).toEqual(['dump']);
    // One to measure, one for the dump, both on the keeping host.
    expect(keeper.names).toHaveLength(2);
    for (const command of keeper.names) expect(command).toContain('.partial');
  });

  test.each([
    [
      'a small database',
      'CREATE TABLE a AS SELECT 1 AS b',
      'the database is too small for a measurement',
    ],
    ['one without tables', 'CREATE SCHEMA a', 'the database is too small for a measurement'],
  ])('of %s is the fast gzip', async (_, sql, reason) => {
    const other = await bench.database(sql);
    const directory = target();
    const dump = bench
      .adapter(other)
      .dump({ directory, windowId: 'w1', jobs: 1, compression: 'auto' });
    const { compression } = await dump;
    expect(compression.chosen).toBe('gzip:1');
    expect(compression.reason).toContain(reason);
  });

  test('is the fast gzip where no sample can be taken, and the reason is told', async () => {
    const clients = await bench.clients({
      psql: 'case $* in *ON_ERROR_STOP*) ;; *) echo "no sample today" >&2; exit 3 ;; esac',
    });
    const { compression } = await bench
      .adapter(name, { clientDirectory: clients })
      .dump({ directory: target(), windowId: 'w1', jobs: 1, compression: 'auto' });
    expect(compression).toEqual({
      chosen: 'gzip:1',
      reason: 'it could not be measured: no sample today',
    });
  });

  test('by name is taken as it is', async () => {
    const sizes: number[] = [];
    for (const compression of ['none', 'gzip'] as const) {
      const directory = target();
      const manifest = await bench
        .adapter(name)
        .dump({ directory, windowId: 'w1', jobs: 2, compression });
      expect(manifest.compression.reason).toBe('as the plan has it');
      sizes.push(manifest.bytes);
    }
    expect(sizes[1]).toBeLessThan((sizes[0] ?? 0) / 2);
  });

  test('that the installed pg_dump does not know is refused, and nothing is written', async () => {
    const directory = target();
    const dump = bench
      .adapter(name)
      .dump({ directory, windowId: 'w1', jobs: 1, compression: 'zstd' });
    expect(await failureFrom(dump)).toMatchObject({
      code: 'database-compression-unsupported',
      message: expect.stringContaining('cannot compress by zstd'),
    });
    expect(await bench.host.list(join(directory, '..'))).toEqual([]);
  });

  test('that pg_dump was built without is refused; another is taken, in the words of that version', async () => {
    const clients = await newer('zstd');
    const database = bench.adapter(name, { clientDirectory: clients });
    const directory = target();
    const options = { directory, windowId: 'w1', jobs: 1 };
    expect(await failureFrom(database.dump({ ...options, compression: 'zstd' }))).toMatchObject({
      code: 'database-compression-unsupported',
    });
    const { compression } = await database.dump({ ...options, compression: 'lz4' });
    expect(compression.chosen).toBe('lz4:1');
    const asked = (await bench.host.readFile(join(clients, 'asked'))) ?? [];
    // Once to find out, once for the dump.
    expect(Buffer.from(asked).toString()).toBe('--compress=lz4:1\n--compress=lz4:1\n');
  });
});

describe('preflight', () => {
  async function check(compression: string, clientDirectory: string) {
    const context = await new FakeWorld().contextOf({}, { plan: { 'backup-db': { compression } } });
    const database = bench.adapter(name, { clientDirectory });
    return checkVerification({ ...context, database });
  }

  test('refuses a compression that the programs are too old for, or were built without', async () => {
    const older = await bench.clients({
      'pg_dump --version': 'echo "pg_dump (PostgreSQL) 15.4"; exit 0',
      pg_dump: 'echo "$@" >> "$(dirname "$0")/asked"; exit 1',
    });
    expect(await check('zstd', older)).toEqual([
      {
        id: 'compression',
        title: 'Compression of the backup',
        verdict: 'failed',
        value: `backup-db.compression is zstd, by which pg_dump 15.4 on ${bench.host.name} cannot compress`,
        limit: 'backup-db.compression is auto, none or gzip',
        next: 'Set backup-db.compression to auto, none or gzip, or install client programs of PostgreSQL 16 or newer that were built with zstd.',
      },
    ]);
    // Its version says enough.
    expect(await bench.host.readFile(join(older, 'asked'))).toBeUndefined();
    expect(await check('lz4', await newer('lz4'))).toMatchObject([
      { verdict: 'failed', limit: 'backup-db.compression is auto, none, gzip or zstd' },
    ]);
  });

  test('lets pass what they can do, and asks nothing about what all can', async () => {
    const clients = await newer('zstd');
    expect(await check('lz4', clients)).toMatchObject([
      { verdict: 'passed', value: `pg_dump 16.4 on ${bench.host.name} can compress by lz4` },
    ]);
    for (const compression of ['auto', 'none', 'gzip']) {
      expect(await check(compression, '/nowhere')).toEqual([]);
    }
  });
});
