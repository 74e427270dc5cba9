import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFile, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Database, DumpManifest } from '../../src/ports/database.ts';
import { failureFrom, PostgresqlBench, until } from '../fixtures/postgresql-bench.ts';
import { mountTinyDisk } from '../fixtures/tiny-disk.ts';

const run = promisify(execFile);
let bench: PostgresqlBench;
let count = 0;

beforeAll(async () => {
  bench = await PostgresqlBench.start();
  await bench.sql(`
    CREATE ROLE owner LOGIN PASSWORD 'secret' CREATEDB;
    CREATE ROLE reader LOGIN PASSWORD 'secret';
    CREATE ROLE "Eve's ""role"""`);
});
afterAll(() => bench.stop());

/** A target that does not exist yet, alone in its folder. */
function target(): string {
  count += 1;
  return join(bench.folder, `backups${count}`, 'dump');
}

function dump(database: Database, directory: string, windowId = 'w1'): Promise<DumpManifest> {
  return database.dump({ directory, windowId, jobs: 2 });
}

/** Names beside (and including) a target. */
function beside(directory: string): Promise<readonly string[]> {
  return bench.host.list(join(directory, '..'));
}

const believable = `
  CREATE TABLE orders (id int PRIMARY KEY, note text);
  INSERT INTO orders SELECT g, md5(g::text) FROM generate_series(1, 2000) AS g;
  CREATE TABLE nokey (a int); INSERT INTO nokey VALUES (1), (1);
  CREATE SCHEMA "My ""Shop";
  CREATE TABLE "My ""Shop"."or
der $(touch x) 'é;--" (a int); INSERT INTO "My ""Shop"."or
der $(touch x) 'é;--" VALUES (1), (2), (3);
  ALTER TABLE "My ""Shop"."or
der $(touch x) 'é;--" OWNER TO "Eve's ""role""";
  GRANT SELECT ON orders TO reader;
  CREATE TABLE logs (day int) PARTITION BY RANGE (day);
  CREATE TABLE logs1 PARTITION OF logs FOR VALUES FROM (0) TO (10); INSERT INTO logs VALUES (1);
  CREATE TABLE guarded (a int); INSERT INTO guarded VALUES (1); ALTER TABLE guarded ENABLE ROW LEVEL SECURITY;
  CREATE MATERIALIZED VIEW totals AS SELECT count(*) FROM orders;
  CREATE FUNCTION one() RETURNS int LANGUAGE sql AS 'SELECT 1';`;

describe('a dump', () => {
  test('and its restore hold every row, whatever the names', async () => {
    const name = `host=evil "d'b" $(touch x)\n\\ü`;
    await bench.database(believable, name);
    const database = bench.adapter(name);
    const directory = target();
    const lines: string[] = [];
    const manifest = await database.dump({
      directory,
      windowId: `w'1"\n$(touch x)`,
      jobs: 2,
      onProgress: (line) => lines.push(line),
    });
    const rows = await database.countRows(name);
    expect(Object.keys(rows)).toHaveLength(6);
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
      await copyOf(directory),
    ]);
    expect(stdout.split(/\s+/)[0]).toBe(manifest.sha256);
    expect(stdout).toContain(`\n${manifest.bytes}\t`);
    expect(await beside(directory)).toEqual(['dump']);

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

  async function copyOf(directory: string): Promise<string> {
    const copy = target();
    await bench.host.makeDirectory(join(copy, '..'), 0o700);
    await run('cp', ['-a', directory, copy]);
    return copy;
  }

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
    const directory = target();
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
    const directory = target();
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
    const directory = target();
    const manifest = await dump(database, directory);
    await database.createEmpty(`${name}_mw_scratch`, manifest.database);
    await database.restore({ directory, database: `${name}_mw_scratch`, jobs: 2 });
    expect(await database.countRows(`${name}_mw_scratch`)).toEqual({ 'public.t': 1 });
    await database.drop(`${name}_mw_scratch`);
  });

  test('replaces what killed runs left, and their pg_dump', async () => {
    const name = await bench.database('CREATE TABLE t AS SELECT 1 AS a');
    const directory = target();
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
    expect(await beside(directory)).toEqual(['dump', 'dump-of-another.partial']);
  });
});

describe('what is no good dump leaves nothing behind', () => {
  let name: string;
  beforeAll(async () => {
    name = await bench.database(believable);
  });

  async function refused(
    scripts: Record<string, string>,
    database = name,
  ): Promise<{ code: string; message: string; state: string }> {
    const directory = target();
    const clientDirectory = await bench.clients(scripts);
    const failure = await failureFrom(
      dump(bench.adapter(database, { clientDirectory }), directory),
    );
    expect(await beside(directory)).toEqual([]);
    return failure;
  }

  test('pg_dump killed half-way', async () => {
    const big = await bench.database(
      `CREATE TABLE big AS SELECT g, md5(g::text) || md5((-g)::text) AS x FROM generate_series(1, 600000) AS g`,
    );
    const failure = await refused(
      {
        // Lets pg_dump write some rows, then kills it.
        pg_dump: `
          for argument do case $argument in --file=*) folder=\${argument#--file=};; esac; done
          "$REAL" "$@" & child=$!
          until [ -n "$(find "$folder" -name '*.dat.gz' -size +0 2>/dev/null)" ]; do kill -0 $child || break; done
          kill -9 $child; wait $child; exit $?`,
      },
      big,
    );
    expect(failure.code).toBe('database-statement-failed');
    expect(failure.message).toContain('exit code 137');
    expect(failure.state).toContain('Nothing of the dump is left');
  });

  test('pg_dump that writes nothing and reports success', async () => {
    const failure = await refused({ pg_dump: 'exit 0' });
    expect(failure.code).toMatch(/^database-/);
    expect(failure.message).toContain('table of contents');
  });

  test('pg_dump that leaves out a table’s rows and reports success', async () => {
    const failure = await refused({
      pg_dump: 'exec "$REAL" "$@" --exclude-table-data=orders',
    });
    expect(failure.code).toBe('database-dump-incomplete');
    expect(failure.message).toContain('data of 4 tables, the database has 5');
  });

  test('pg_dump that fails at the end', async () => {
    const failure = await refused({ pg_dump: '"$REAL" "$@"; exit 1' });
    expect(failure.code).toBe('database-statement-failed');
  });

  test('of a database that holds nothing at all', async () => {
    const failure = await refused({}, await bench.database());
    expect(failure.code).toBe('database-empty');
  });

  test('clients older than the server', async () => {
    const old = (program: string): string => `echo '${program} (PostgreSQL) 12.3'; exit 0`;
    const failure = await refused({
      'psql --version': old('psql'),
      'pg_dump --version': old('pg_dump'),
      'pg_restore --version': old('pg_restore'),
    });
    expect(failure.code).toBe('database-client-too-old');
    expect(failure.message).toContain('12.3');
  });

  test('a full disk', async () => {
    const big = await bench.database(
      `CREATE TABLE big AS SELECT g, md5(g::text) || md5((-g)::text) AS x FROM generate_series(1, 100000) AS g`,
    );
    const disk = await mountTinyDisk(join(bench.folder, 'disk'), 1024);
    try {
      const directory = join(disk.path, 'dump');
      const failure = await failureFrom(dump(bench.adapter(big), directory));
      expect(failure.code).toBe('database-disk-full');
      expect(failure.message).toMatch(/\d+ bytes were free on the file system of .*disk\./);
      expect(failure.state).toContain('Nothing of the dump is left');
      expect(await bench.host.list(disk.path)).toEqual([]);
    } finally {
      await disk.remove();
    }
  });

  test('a role that may not read a table, or not all its rows', async () => {
    const directory = target();
    const denied = await failureFrom(dump(bench.adapter(name, { user: 'reader' }), directory));
    expect(denied.code).toBe('database-permission-denied');
    const guarded =
      await bench.database(`CREATE TABLE guarded (a int); INSERT INTO guarded VALUES (1);
      ALTER TABLE guarded ENABLE ROW LEVEL SECURITY; GRANT SELECT ON guarded TO reader`);
    const failure = await failureFrom(dump(bench.adapter(guarded, { user: 'reader' }), directory));
    expect(failure.code).toBe('database-row-security');
    expect(failure.next).toContain('BYPASSRLS');
    expect(await beside(directory)).toEqual([]);
  });

  test('a wrong password and a missing database', async () => {
    const directory = target();
    const wrong = bench.adapter(name, { password: 'hunter2' });
    const failure = await failureFrom(dump(wrong, directory));
    expect(failure.code).toBe('database-authentication-failed');
    expect(JSON.stringify(failure)).not.toContain('hunter2');
    expect((await failureFrom(dump(bench.adapter('nowhere'), directory))).code).toBe(
      'database-missing',
    );
    expect(await beside(directory)).toEqual([]);
  });

  test('a target that is there already is not touched', async () => {
    const directory = target();
    await dump(bench.adapter(name), directory);
    const before = await bench.host.list(directory);
    const failure = await failureFrom(dump(bench.adapter(name), directory));
    expect(failure.code).toBe('database-dump-exists');
    expect(await bench.host.list(directory)).toEqual(before);
  });
});

describe('a restore is refused', () => {
  let database: Database;
  let manifest: DumpManifest;
  let directory: string;
  let scratch: string;

  beforeAll(async () => {
    const name = await bench.database(`${believable} CREATE TYPE mood AS ENUM ('good')`);
    database = bench.adapter(name);
    directory = target();
    manifest = await dump(database, directory);
    scratch = `${name}_mw_scratch`;
    await database.createEmpty(scratch, manifest.database);
  });

  async function refused(from = directory, into = scratch): Promise<string> {
    const failure = await failureFrom(
      database.restore({ directory: from, database: into, jobs: 2 }),
    );
    expect(await database.countRows(scratch)).toEqual({});
    return `${failure.code}: ${failure.message}`;
  }

  async function damagedCopy(): Promise<string> {
    const copy = target();
    await bench.host.makeDirectory(join(copy, '..'), 0o700);
    await run('cp', ['-a', directory, copy]);
    return copy;
  }

  test('from files that are missing, cut or changed', async () => {
    const [first] = manifest.files.filter(({ bytes }) => bytes > 1000);
    const file = first!.name;
    const cut = await damagedCopy();
    await truncate(join(cut, file), 100);
    expect(await refused(cut)).toContain(
      `database-dump-damaged: The dump in ${cut} cannot be used: the file ${file} has 100 bytes`,
    );
    const changed = await damagedCopy();
    await truncate(join(changed, file), first!.bytes - 1);
    await appendFile(join(changed, file), '!');
    expect(await refused(changed)).toContain('another checksum');
    const gone = await damagedCopy();
    await rm(join(gone, file));
    expect(await refused(gone)).toContain('is missing');
    const unfinished = await damagedCopy();
    await rm(join(unfinished, 'manifest.json'));
    expect(await refused(unfinished)).toContain('never finished');
    const broken = await damagedCopy();
    await writeFile(join(broken, 'manifest.json'), '{}');
    expect(await refused(broken)).toContain('cannot be read');
    expect(await refused(join(bench.folder, 'nothing here'))).toContain('never finished');
  });

  test('into a database that holds something', async () => {
    expect(await refused(directory, database.name)).toContain('database-not-empty');
    expect(await database.countRows(database.name)).toEqual(manifest.rows);
  });

  test('without the roles', async () => {
    await bench.sql(`ALTER ROLE "Eve's ""role""" RENAME TO adam`);
    expect(await refused()).toMatch(/database-roles-missing: .*Eve's/);
    await bench.sql(`ALTER ROLE adam RENAME TO "Eve's ""role"""`);
  });

  test('and stops at the first error', async () => {
    // Types are no relations, so the database counts as empty, but the dump's own type has no room.
    await bench.sql(`CREATE TYPE mood AS ENUM ('bad')`, { database: scratch });
    const failure = await failureFrom(database.restore({ directory, database: scratch, jobs: 2 }));
    expect(failure.code).toBe('database-statement-failed');
    expect(failure.message).toContain('type "mood" already exists');
    expect(failure.state).toContain('must not be used');
  });
});

test('neither password nor data are in the arguments of the clients', async () => {
  const log = join(bench.folder, 'arguments');
  const note = `printf '%s\\n' "$0" "$@" >> '${log}'`;
  const clientDirectory = await bench.clients({ psql: note, pg_dump: note, pg_restore: note });
  const name = await bench.database('CREATE TABLE t AS SELECT 1 AS a');
  const database = bench.adapter(name, { clientDirectory });
  const directory = target();
  const manifest = await dump(database, directory);
  await database.createEmpty(`${name}_mw_scratch`, manifest.database);
  await database.restore({ directory, database: `${name}_mw_scratch`, jobs: 2 });
  const seen = await readFile(log, 'utf8');
  expect(seen).toContain('pg_dump\n');
  expect(seen).toContain('pg_restore\n');
  expect(seen).not.toContain(bench.cluster.superuserPassword);
});
