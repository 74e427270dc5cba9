import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { systemClock } from '../../src/clock/system-clock.ts';
import { postgresql } from '../../src/databases/postgresql.ts';
import { PostgresqlBench, until } from '../fixtures/postgresql-bench.ts';
import { believable, createRoles, dump, DumpTargets } from '../fixtures/postgresql-dumps.ts';

const run = promisify(execFile);
let bench: PostgresqlBench;
let targets: DumpTargets;

beforeAll(async () => {
  bench = await PostgresqlBench.start();
  targets = new DumpTargets(bench);
  await createRoles(bench);
});
afterAll(() => bench.stop());

describe('a dump', () => {
  test('and its restore hold every row, whatever the names', async () => {
    const name = `host=evil "d'b" $(touch x)\n\\ü`;
    await bench.database(believable, name);
    const database = bench.adapter(name);
    const directory = targets.next();
    const lines: string[] = [];
    const manifest = await database.dump({
      directory,
      windowId: `w'1"\n$(touch x)`,
      jobs: 2,
      onProgress: (line) => lines.push(line),
    });
    const rows = await database.countRows(name);
    // A materialized view is derived: a restore refreshes it, so it is not counted.
    expect(Object.keys(rows)).toHaveLength(5);
    expect(manifest.rows).toEqual(rows);
    expect(manifest.rows['public.orders']).toBe(2000);
    expect(manifest.database).toEqual(await database.properties());
    expect(manifest.roles).toEqual(['Eve\'s "role"', 'postgres', 'reader']);
    expect(manifest.tocEntries).toBeGreaterThan(10);
    expect(lines).toContain('dumping "public.orders"');
    expect(manifest.windowId).toBe(`w'1"\n$(touch x)`);

    // The manifest in the folder, private, and true of the files.
    expect(JSON.parse(await readFile(join(directory, 'manifest.json'), 'utf8'))).toEqual(manifest);
    expect((await stat(directory)).mode & 0o777).toBe(0o700);
    const names = await bench.host.list(directory);
    expect(names).toEqual([...manifest.files.map((file) => file.name), 'manifest.json'].sort());
    for (const file of names) {
      expect((await stat(join(directory, file))).mode & 0o777).toBe(0o600);
    }
    const { stdout } = await run('sh', [
      '-c',
      'cd "$1" && rm manifest.json && sha256sum * | LC_ALL=C sort | sha256sum && du -bc * | tail -n 1',
      'sh',
      await targets.copyOf(directory),
    ]);
    expect(stdout.split(/\s+/)[0]).toBe(manifest.sha256);
    expect(stdout).toContain(`\n${manifest.bytes}\t`);
    expect(await targets.beside(directory)).toEqual(['dump']);

    const scratch = `host=evil '_mw_"\n\\scratch`;
    await database.createEmpty(scratch, manifest.database);
    const { seconds } = await database.restore({ directory, database: scratch, jobs: 2 });
    expect(seconds).toBeGreaterThan(0);
    expect(await database.countRows(scratch)).toEqual(manifest.rows);
    const owner = `SELECT tableowner FROM pg_tables WHERE schemaname LIKE 'My%'`;
    expect(await bench.sql(owner, { database: scratch })).toBe('Eve\'s "role"');
    await database.drop(scratch);
    expect(await database.databasesWithPrefix('host=evil')).toEqual([name]);
  });

  test('counts rows in its own snapshot while others write', async () => {
    const name = await bench.database(`CREATE TABLE a (n int); CREATE TABLE b (n int);
      INSERT INTO a SELECT generate_series(1, 200000); INSERT INTO b SELECT generate_series(1, 200000)`);
    const database = bench.adapter(name);
    const writer = spawn(join(bench.cluster.binFolder, 'psql'), ['-X', '-q'], {
      env: bench.cluster.psqlEnvironment({ database: name }),
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    const ended = once(writer, 'exit');
    writer.stdin.write(`
      CREATE PROCEDURE keep_writing() LANGUAGE plpgsql AS $$ BEGIN
        WHILE (SELECT count(*) FROM pg_tables WHERE tablename = 'stop') = 0 LOOP
          INSERT INTO a VALUES (0); INSERT INTO b VALUES (0); COMMIT;
        END LOOP; END $$;
      CALL keep_writing();\n`);
    const written = async (): Promise<number> =>
      Number(await bench.sql('SELECT count(*) FROM a WHERE n = 0', { database: name }));
    await until(async () => (await written()) > 10, 'rows are being written');
    const directory = targets.next();
    const manifest = await dump(database, directory);
    expect(await written()).toBeGreaterThan((manifest.rows['public.a'] ?? 0) - 200_000);
    await bench.sql('CREATE TABLE stop ()', { database: name });
    writer.stdin.end();
    await ended;
    expect(manifest.rows['public.a']).toBe(manifest.rows['public.b']);
    await database.createEmpty(`${name}_mw_scratch`, manifest.database);
    await database.restore({ directory, database: `${name}_mw_scratch`, jobs: 2 });
    expect(await database.countRows(`${name}_mw_scratch`)).toEqual(manifest.rows);
  });

  test('of a database without tables is one too', async () => {
    const name = await bench.database('CREATE SCHEMA bare');
    const database = bench.adapter(name);
    const directory = targets.next();
    const manifest = await dump(database, directory);
    expect(manifest.rows).toEqual({});
    await database.createEmpty(`${name}_mw_scratch`, manifest.database);
    await database.restore({ directory, database: `${name}_mw_scratch`, jobs: 1 });
    expect(await database.countRows(`${name}_mw_scratch`)).toEqual({});
  });

  test('works for an owner who is no superuser', async () => {
    const name = await bench.database();
    await bench.sql(`ALTER DATABASE ${name} OWNER TO owner`);
    await bench.sql('CREATE TABLE t AS SELECT 1 AS a; ALTER TABLE t OWNER TO owner', {
      database: name,
    });
    const database = bench.adapter(name, { user: 'owner' });
    const directory = targets.next();
    const manifest = await dump(database, directory);
    await database.createEmpty(`${name}_mw_scratch`, manifest.database);
    await database.restore({ directory, database: `${name}_mw_scratch`, jobs: 2 });
    expect(await database.countRows(`${name}_mw_scratch`)).toEqual({ 'public.t': 1 });
    await database.drop(`${name}_mw_scratch`);
  });

  test('replaces what killed runs left, and their pg_dump', async () => {
    const name = await bench.database('CREATE TABLE t AS SELECT 1 AS a');
    const directory = targets.next();
    await bench.host.makeDirectory(`${directory}.0a1b2c3d.partial`, 0o700);
    await writeFile(`${directory}.0a1b2c3d.partial/toc.dat`, 'half');
    await bench.host.makeDirectory(join(directory, '..', 'dump-of-another.partial'), 0o700);
    const orphan = spawn(
      join(bench.cluster.binFolder, 'psql'),
      ['-X', '-q', '-c', 'SELECT pg_sleep(600)'],
      {
        env: {
          ...bench.cluster.psqlEnvironment({ database: name }),
          PGAPPNAME: 'maintenance-window dump w1',
        },
        stdio: 'ignore',
      },
    );
    const ended = once(orphan, 'exit');
    await until(
      async () =>
        (await bench.sql(
          `SELECT count(*) FROM pg_stat_activity WHERE application_name = 'maintenance-window dump w1'`,
        )) === '1',
      'the earlier dump is connected',
    );
    await dump(bench.adapter(name), directory, 'w2');
    expect(orphan.exitCode).toBeNull();
    await rm(directory, { recursive: true });
    await dump(bench.adapter(name), directory, 'w1');
    await ended;
    expect(await targets.beside(directory)).toEqual(['dump', 'dump-of-another.partial']);
  });
});

test('neither password nor data are in the arguments of the clients', async () => {
  const log = join(bench.folder, 'arguments');
  const note = `printf '%s\\n' "$0" "$@" >> '${log}'`;
  const clientDirectory = await bench.clients({ psql: note, pg_dump: note, pg_restore: note });
  const name = await bench.database('CREATE TABLE t AS SELECT 1 AS a');
  const database = bench.adapter(name, { clientDirectory });
  const directory = targets.next();
  const manifest = await dump(database, directory);
  await database.createEmpty(`${name}_mw_scratch`, manifest.database);
  await database.restore({ directory, database: `${name}_mw_scratch`, jobs: 2 });
  const seen = await readFile(log, 'utf8');
  expect(seen).toContain('pg_dump\n');
  expect(seen).toContain('pg_restore\n');
  expect(seen).not.toContain(bench.cluster.superuserPassword);
});

test('whoever dumps, or proves the dump, hands on what he writes as it comes, and keeps the options of the URL', async () => {
  const log = join(bench.folder, 'options');
  const clientDirectory = await bench.clients({
    pg_dump: `printf '%s|%s\\n' "$PGAPPNAME" "$PGOPTIONS" >> '${log}'`,
  });
  const name = await bench.database(
    `CREATE MATERIALIZED VIEW seen AS SELECT current_setting('backend_flush_after') AS value`,
  );
  const database = postgresql({
    host: bench.host,
    clock: systemClock(),
    url: `${bench.cluster.url({ database: name })}?options=-c%20search_path%3Dapp`,
    clientDirectory,
  });
  const directory = targets.next();
  const manifest = await dump(database, directory, 'w7');
  const seen = (await readFile(log, 'utf8')).split('\n');
  expect(seen).toContain(
    'maintenance-window dump w7|-c search_path=app -c backend_flush_after=256kB',
  );
  const scratch = `${name}_mw_scratch`;
  await database.createScratch(scratch, { like: manifest.database, mark: 'test' });
  await database.restore({ directory, database: scratch, jobs: 1 });
  expect(await bench.sql('SELECT value FROM seen', { database: scratch })).toBe('256kB');
  // What the application would work on has only what it had.
  await database.createEmpty(`${name}_restored`, manifest.database);
  await database.restore({ directory, database: `${name}_restored`, jobs: 1 });
  expect(await bench.sql('SELECT value FROM seen', { database: `${name}_restored` })).toBe('0');
});
