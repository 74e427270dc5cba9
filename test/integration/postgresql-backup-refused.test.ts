import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { join } from 'node:path';
import { failureFrom, PostgresqlBench } from '../fixtures/postgresql-bench.ts';
import { believable, createRoles, dump, DumpTargets } from '../fixtures/postgresql-dumps.ts';
import { tinyDisk } from '../fixtures/tiny-disk.ts';

let bench: PostgresqlBench;
let targets: DumpTargets;

beforeAll(async () => {
  bench = await PostgresqlBench.start();
  targets = new DumpTargets(bench);
  await createRoles(bench);
});
afterAll(() => bench.stop());

describe('what is no good dump leaves nothing behind', () => {
  let name: string;
  beforeAll(async () => {
    name = await bench.database(believable);
  });

  async function refused(
    scripts: Record<string, string>,
    database = name,
  ): Promise<{ code: string; message: string; state: string }> {
    const directory = targets.next();
    const clientDirectory = await bench.clients(scripts);
    const failure = await failureFrom(
      dump(bench.adapter(database, { clientDirectory }), directory),
    );
    expect(await targets.beside(directory)).toEqual([]);
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
      `CREATE TABLE big AS SELECT g, md5(g::text) || md5((-g)::text) AS x FROM generate_series(1, 300000) AS g`,
    );
    const disk = await tinyDisk(join(bench.folder, 'disk'), 4 * 1024 * 1024);
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
    const directory = targets.next();
    const denied = await failureFrom(dump(bench.adapter(name, { user: 'reader' }), directory));
    expect(denied.code).toBe('database-permission-denied');
    const guarded =
      await bench.database(`CREATE TABLE guarded (a int); INSERT INTO guarded VALUES (1);
      ALTER TABLE guarded ENABLE ROW LEVEL SECURITY; GRANT SELECT ON guarded TO reader`);
    const failure = await failureFrom(dump(bench.adapter(guarded, { user: 'reader' }), directory));
    expect(failure.code).toBe('database-row-security');
    expect(failure.next).toContain('BYPASSRLS');
    expect(await targets.beside(directory)).toEqual([]);
  });

  test('a wrong password and a missing database', async () => {
    const directory = targets.next();
    const wrong = bench.adapter(name, { password: 'hunter2' });
    const failure = await failureFrom(dump(wrong, directory));
    expect(failure.code).toBe('database-authentication-failed');
    expect(JSON.stringify(failure)).not.toContain('hunter2');
    expect((await failureFrom(dump(bench.adapter('nowhere'), directory))).code).toBe(
      'database-missing',
    );
    expect(await targets.beside(directory)).toEqual([]);
  });

  test('a target that is there already is not touched', async () => {
    const directory = targets.next();
    await dump(bench.adapter(name), directory);
    const before = await bench.host.list(directory);
    const failure = await failureFrom(dump(bench.adapter(name), directory));
    expect(failure.code).toBe('database-dump-exists');
    expect(await bench.host.list(directory)).toEqual(before);
  });
});
