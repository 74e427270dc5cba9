import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import {
  archiveManifest,
  fateOf,
  type ArchiveManifest,
} from '../../src/databases/postgresql/tasks/archive-manifest.ts';
import type { ArchiveOptions } from '../../src/ports/database-tasks.ts';
import { failureFrom, limits, TaskCluster, until, type TaskDatabase } from './task-database.ts';

let cluster: TaskCluster;
let root: string;
beforeAll(async () => {
  cluster = await TaskCluster.start();
  await cluster.cluster.psql(`CREATE ROLE clerk LOGIN PASSWORD 'clerk'`);
  root = await mkdtemp(join(tmpdir(), 'mw-archive-'));
});
afterAll(async () => {
  await cluster.stop();
  await rm(root, { recursive: true, force: true });
});

const into = (name: string, change: Partial<ArchiveOptions> = {}): ArchiveOptions => ({
  ...limits,
  table: 'orders',
  where: 'placed_at < 100',
  target: { kind: 'table', name },
  batchSize: 30,
  pauseSeconds: 0,
  ...change,
});
async function manifestOf(folder: string, batch: number): Promise<ArchiveManifest> {
  const text = await readFile(join(folder, `batch-00000${batch}.json`), 'utf8');
  return archiveManifest.parse(JSON.parse(text));
}

let folders = 0;
function intoFolder(change: Partial<ArchiveOptions> = {}): ArchiveOptions & { folder: string } {
  folders += 1;
  const folder = join(root, `window ${folders}`, `it's $(date) ü`);
  return { ...into('', change), target: { kind: 'folder', path: folder }, folder };
}

const orders = `
  CREATE TABLE orders (id int PRIMARY KEY, placed_at int NOT NULL, note text);
  INSERT INTO orders SELECT i, i, 'note ' || i FROM generate_series(1, 250) AS i;`;

/** What all archives must leave: each row in one place. */
async function places(database: TaskDatabase, archive: string): Promise<string> {
  return database.sql(
    `SELECT (SELECT count(*) FROM orders), (SELECT count(*) FROM ${archive}),
       (SELECT count(*) FROM orders WHERE placed_at < 100), (SELECT count(DISTINCT id) FROM (SELECT id FROM orders UNION ALL SELECT id FROM ${archive}) AS a)`,
  );
}

describe('into a table', () => {
  test('moves the rows in batches, and makes the archive like the source', async () => {
    const database = await cluster.database(`${orders}
      ALTER TABLE orders ADD COLUMN total int GENERATED ALWAYS AS (placed_at * 2) STORED,
        ADD COLUMN number bigint GENERATED ALWAYS AS IDENTITY; CREATE SCHEMA old;`);
    const before = await database.sql(
      'SELECT md5(string_agg(o::text, chr(10) ORDER BY id)) FROM orders AS o WHERE placed_at < 100',
    );
    const lines: string[] = [];
    const result = await database
      .tasks()
      .archive(into('old.orders', { onProgress: (line) => lines.push(line) }));
    expect(result.figures).toEqual({
      'rows-archived': 99,
      'rows-removed': 99,
      batches: 4,
      'rows-before': 250,
      'rows-after': 151,
      'archive-rows-before': 0,
      'archive-rows-after': 99,
    });
    expect(result.summary).toBe('99 rows of public.orders moved to old.orders in 4 batches');
    expect(lines).toContain('archive public.orders: 60 of 99 rows');
    expect(await places(database, 'old.orders')).toBe('151|99|0|250');
    expect(
      await database.sql(
        'SELECT md5(string_agg(o::text, chr(10) ORDER BY id)) FROM old.orders AS o',
      ),
    ).toBe(before);
    // A second time there is nothing to do.
    const again = await database.tasks().archive(into('old.orders'));
    expect(again.figures).toMatchObject({ 'rows-archived': 0, 'archive-rows-before': 99 });
  });

  test('takes any names, and an archive with more columns', async () => {
    const odd = `"Odd ""schema"" ü"."semi;colon -- 'x' \\gexec $$ :v"`;
    const database = await cluster.database(`
      CREATE SCHEMA "Odd ""schema"" ü";
      CREATE TABLE ${odd} ("Select" text, "a ""b"" 'c' :d" timestamptz DEFAULT now(), "ключ" numeric(10,2),
        PRIMARY KEY ("ключ", "Select"));
      INSERT INTO ${odd} SELECT E'it''s\\n"' || i, now(), i % 7 FROM generate_series(1, 40) AS i;
      CREATE TABLE "Old Rows" (LIKE ${odd}, archived_at timestamptz DEFAULT now());`);
    const result = await database.tasks().archive({
      ...into('"Old Rows"', { batchSize: 7 }),
      table: odd,
      where: `"ключ" < 3 OR "Select" = E'it''s\\n"6' -- a comment at the end`,
    });
    expect(result.figures).toMatchObject({ 'rows-archived': 18, 'rows-after': 22 });
    expect(await database.sql('SELECT count(*), count(archived_at) FROM "Old Rows"')).toBe('18|18');
  });

  test('works on partitioned tables and on tables without a primary key', async () => {
    const database = await cluster.database(`
      CREATE TABLE orders (id int, placed_at int, note text) PARTITION BY RANGE (placed_at);
      CREATE TABLE orders_1 PARTITION OF orders FOR VALUES FROM (0) TO (50);
      CREATE TABLE orders_2 (note text, gone int, id int, placed_at int); ALTER TABLE orders_2 DROP COLUMN gone;
      ALTER TABLE orders ATTACH PARTITION orders_2 FOR VALUES FROM (50) TO (1000);
      INSERT INTO orders SELECT i, i, 'n' FROM generate_series(1, 250) AS i;
      -- Rows that are alike stay apart.
      INSERT INTO orders VALUES (1, 1, 'n'), (1, 1, 'n');`);
    const result = await database.tasks().archive(into('orders_old'));
    expect(result.figures).toMatchObject({ 'rows-archived': 101, 'rows-after': 151 });
    expect(result.summary).toContain('has no primary key');
    expect(await database.sql('SELECT count(*) FROM orders_old WHERE id = 1')).toBe('3');
  });

  test('goes on after its session was ended in the middle, without losing or doubling a row', async () => {
    const database = await cluster.database(`${orders}
      CREATE TABLE orders_old (LIKE orders);
      CREATE FUNCTION wait_at_70() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF OLD.id = 70 AND current_setting('application_name') = 'maintenance-window'
          AND EXISTS (SELECT FROM pg_class WHERE relname = 'waiting') THEN PERFORM pg_sleep(300); END IF; RETURN OLD; END $$;
      CREATE TRIGGER waits BEFORE DELETE ON orders FOR EACH ROW EXECUTE FUNCTION wait_at_70();
      CREATE TABLE waiting ();`);
    const killed = failureFrom(database.tasks().archive(into('orders_old')));
    await until(async () => (await database.running('WITH mw_chosen%')) === 1, 'a batch waits');
    await database.sql(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'WITH mw_chosen%' AND pid <> pg_backend_pid()`,
    );
    expect((await killed).state).toContain('Nothing of this batch was moved');
    expect(await places(database, 'orders_old')).toBe('190|60|39|250');
    await database.sql('DROP TABLE waiting');
    const result = await database.tasks().archive(into('orders_old'));
    expect(result.figures).toMatchObject({ 'rows-archived': 39, 'archive-rows-after': 99 });
    expect(result.summary).toContain(
      'row triggers fire for each row removed: waits on public.orders',
    );
    expect(await places(database, 'orders_old')).toBe('151|99|0|250');
  });

  test.each([
    ['a missing column', 'id int, placed_at int', 'column "note" (text) is missing'],
    [
      'another type',
      'id bigint, placed_at int, note text',
      'column "id" is bigint there and integer here',
    ],
    [
      'a computed column',
      'id int, placed_at int GENERATED ALWAYS AS (id) STORED, note text',
      'column "placed_at" is computed there',
    ],
  ])('refuses an archive with %s, before anything is moved', async (_, columns, problem) => {
    const database = await cluster.database(`${orders} CREATE TABLE o2 (${columns});`);
    for (const action of ['archive', 'previewArchive'] as const) {
      const failure = await failureFrom(database.tasks()[action](into('o2')));
      expect(failure.code).toBe('database-archive-misfit');
      expect(failure.message).toContain(problem);
    }
    expect(await database.sql('SELECT count(*) FROM orders')).toBe('250');
  });

  test('refuses rows that others refer to, also where they would go with them', async () => {
    const database = await cluster.database(`${orders}
      CREATE TABLE items ("order id" int REFERENCES orders ON DELETE CASCADE, n int);
      INSERT INTO items VALUES (10, 1), (11, 1), (200, 1);`);
    const failure = await failureFrom(database.tasks().previewArchive(into('orders_old')));
    expect(failure.code).toBe('database-archive-referenced');
    expect(failure.message).toContain('2 of the rows that the condition names in public.orders');
    expect(failure.message).toContain('public.items');
    expect((await failureFrom(database.tasks().archive(into('orders_old')))).code).toBe(
      'database-archive-referenced',
    );
    expect(
      await database.sql(`SELECT to_regclass('orders_old') IS NULL, (SELECT count(*) FROM items)`),
    ).toBe('t|3');
    await database.sql('DELETE FROM items WHERE "order id" < 100');
    expect((await database.tasks().archive(into('orders_old'))).figures['rows-archived']).toBe(99);
  });

  test('takes nothing when a trigger swallows rows on their way', async () => {
    const database = await cluster.database(`${orders}
      CREATE TABLE orders_old (LIKE orders);
      CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.id = 7 THEN RETURN NULL; END IF; RETURN NEW; END $$;
      CREATE TRIGGER swallows BEFORE INSERT ON orders_old FOR EACH ROW EXECUTE FUNCTION swallow();`);
    const failure = await failureFrom(database.tasks().archive(into('orders_old')));
    expect(failure.code).toBe('database-archive-mismatch');
    expect(failure.message).toContain('30 were removed and 29 arrived');
    expect(await places(database, 'orders_old')).toBe('250|0|99|250');
  });

  test.each([
    ['id < 5) OR (true', 'closes a parenthesis'],
    ['id < 5; DROP TABLE orders', 'semicolon'],
    ["note = 'open", 'does not end'],
    ['(id < 5', 'does not close'],
    ['WHERE id < 5', 'the word WHERE'],
    ['-- nothing', 'is empty'],
    ['no_such_column = 1', 'no_such_column'],
    ['id', 'boolean'],
  ])('refuses the condition %j', async (where, problem) => {
    const database = await shared();
    const failure = await failureFrom(database.tasks().archive(into('orders_old', { where })));
    expect(failure.message).toContain(problem);
    expect(await database.sql('SELECT count(*) FROM orders')).toBe('250');
  });

  test.each([
    ['nowhere', 'orders_old', 'database-table-unknown'],
    ['glance', 'orders_old', 'database-table-unknown'],
    ['parent', 'orders_old', 'database-archive-refused'],
    ['ruled', 'orders_old', 'database-archive-refused'],
    ['orders', 'orders', 'database-archive-misfit'],
    ['orders', 'glance', 'database-archive-misfit'],
    ['orders', 'no_schema.orders', 'database-schema-unknown'],
    ['a; DROP TABLE b', 'orders_old', 'database-name-refused'],
  ])('refuses from %s into %s', async (table, name, code) => {
    const database = await shared();
    const failure = await failureFrom(
      database.tasks().archive({ ...into(name), table, where: 'true' }),
    );
    expect(failure.code).toBe(code);
  });

  test('refuses a role that may not, and rows that the role cannot see', async () => {
    const database = await cluster.database(`${orders} GRANT SELECT ON orders TO clerk;`);
    const clerk = database.tasks({ user: 'clerk' });
    expect((await failureFrom(clerk.previewArchive(into('orders_old')))).code).toBe(
      'database-permission-denied',
    );
    await database.sql(`GRANT DELETE, UPDATE ON orders TO clerk; GRANT CREATE ON SCHEMA public TO clerk;
      ALTER TABLE orders ENABLE ROW LEVEL SECURITY; CREATE POLICY visible ON orders USING (id > 50);`);
    expect((await failureFrom(clerk.archive(into('orders_old')))).code).toBe(
      'database-row-security',
    );
    expect(await database.sql('SELECT count(*) FROM orders')).toBe('250');
  });

  let one: Promise<TaskDatabase> | undefined;
  function shared(): Promise<TaskDatabase> {
    one ??= cluster.database(`${orders} CREATE VIEW glance AS SELECT 1 AS a;
      CREATE TABLE parent (a int); CREATE TABLE child (b int) INHERITS (parent);
      CREATE TABLE ruled (a int); CREATE RULE r AS ON DELETE TO ruled DO INSTEAD NOTHING;`);
    return one;
  }
});

describe('into compressed CSV files', () => {
  const kinds = `
    CREATE TABLE orders (id int PRIMARY KEY, placed_at int, "Odd ""name""" text, j jsonb, b bytea, t timestamptz,
      n numeric, f float8, a text[], d int GENERATED ALWAYS AS (id + 1) STORED, i interval, num bigint GENERATED ALWAYS AS IDENTITY);
    INSERT INTO orders (id, placed_at, "Odd ""name""", j, b, t, n, f, a, i)
    SELECT i, i, CASE i % 5 WHEN 0 THEN NULL WHEN 1 THEN '' WHEN 2 THEN E'two\\nlines,"quotes"\\\\.\\r' WHEN 3 THEN '\\N' ELSE 'ü€😀' END,
      jsonb_build_object('k', E'a"\\n'), decode('00ff0a22', 'hex'), '2020-02-29 12:00:00.123456+03', 1.10, 0.1::float8 + 0.2, ARRAY['a,"b', NULL], '1 month 3.5s'
    FROM generate_series(1, 250) AS i;`;
  const content = (table: string): string =>
    `SELECT md5(string_agg(o::text, chr(10) ORDER BY id)) FROM ${table} AS o WHERE placed_at < 100`;

  test('a restore of them equals the removed rows', async () => {
    const database = await cluster.database(kinds);
    await database.sql(
      `SET intervalstyle = iso_8601; ALTER ROLE postgres IN DATABASE "${database.name.replaceAll('"', '""')}" SET datestyle = 'SQL, DMY'`,
    );
    const before = await database.sql(content('orders'));
    const options = intoFolder();
    const result = await database.tasks({ windowId: 'mw-1' }).archive(options);
    expect(result.figures).toMatchObject({
      'rows-archived': 99,
      'rows-removed': 99,
      batches: 4,
      'rows-after': 151,
    });
    const names = await readdir(options.folder);
    expect(names).toHaveLength(8);
    const manifest = await manifestOf(options.folder, 1);
    expect(manifest).toMatchObject({
      state: 'removed',
      windowId: 'mw-1',
      table: 'public.orders',
      rows: 30,
    });
    expect(manifest.keys).toBeUndefined();
    const columns = manifest.columns.map((name) => `"${name.replaceAll('"', '""')}"`).join(', ');
    for (const name of names.filter((entry) => entry.endsWith('.gz'))) {
      const csv = join(root, 'plain.csv');
      await writeFile(csv, gunzipSync(await readFile(join(options.folder, name))), { mode: 0o644 });
      await database.sql(`\\copy orders (${columns}) from '${csv}' with (format csv, header true)`);
    }
    expect(await database.sql(content('orders'))).toBe(before);
    expect(await database.sql('SELECT count(*) FROM orders')).toBe('250');
  });

  test('has nothing to do without matching rows', async () => {
    const database = await cluster.database(orders);
    const result = await database.tasks().archive(intoFolder({ where: 'false' }));
    expect(result.figures).toMatchObject({ 'rows-archived': 0, batches: 0, 'file-bytes': 0 });
  });

  test('works without a primary key', async () => {
    const database =
      await cluster.database(`${orders} ALTER TABLE orders DROP CONSTRAINT orders_pkey;
      INSERT INTO orders SELECT * FROM orders WHERE id < 3;`);
    const options = intoFolder();
    const result = await database.tasks().archive(options);
    expect(result.figures).toMatchObject({ 'rows-archived': 101, 'rows-after': 151 });
  });

  /** Ends the session of an archive at the statement, and returns when the archive has given up. */
  async function killedAt(
    database: TaskDatabase,
    options: ArchiveOptions,
    pattern: string,
  ): Promise<void> {
    const killed = failureFrom(database.tasks().archive(options));
    await until(async () => (await database.running(pattern)) === 1, `${pattern} waits`);
    await database.sql(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '${pattern}' AND pid <> pg_backend_pid()`,
    );
    await killed;
  }

  test('killed before the rows were removed, it drops the file and writes them again', async () => {
    const database = await cluster.database(`${orders}
      CREATE FUNCTION waits() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF OLD.id = 40 AND to_regclass('waiting') IS NOT NULL THEN PERFORM pg_sleep(300); END IF; RETURN OLD; END $$;
      CREATE TRIGGER waits BEFORE DELETE ON orders FOR EACH ROW EXECUTE FUNCTION waits(); CREATE TABLE waiting ();`);
    const options = intoFolder();
    await killedAt(database, options, 'WITH mw_gone%');
    const half = await manifestOf(options.folder, 2);
    expect(half).toMatchObject({ state: 'written', rows: 30 });
    expect(half.keys).toHaveLength(30);
    expect(await database.sql('SELECT count(*) FROM orders')).toBe('220');
    await database.sql(
      `DROP TABLE waiting; UPDATE orders SET note = 'changed since' WHERE id = 40`,
    );
    // What a kill in the middle of writing leaves.
    await writeFile(join(options.folder, 'batch-000007.csv.gz.partial'), 'half');
    await writeFile(join(options.folder, 'batch-000008.csv.gz'), 'without manifest');
    const result = await database.tasks().archive(options);
    expect(result.figures).toMatchObject({
      'rows-archived': 99,
      'rows-removed': 99,
      'rows-after': 151,
    });
    expect(result.summary).toContain('30 rows of them by an earlier attempt');
    const csv = gunzipSync(await readFile(join(options.folder, 'batch-000002.csv.gz'))).toString();
    expect(csv).toContain('changed since');
    expect(
      (await readdir(options.folder)).filter(
        (name) => name.includes('partial') || name.includes('8'),
      ),
    ).toEqual([]);
  });

  test('killed after they were removed, it counts the file', async () => {
    const database = await cluster.database(orders);
    const options = intoFolder();
    await database.tasks().archive(options);
    // As it was between the COMMIT and the last mark.
    const path = join(options.folder, 'batch-000004.json');
    const done = await manifestOf(options.folder, 4);
    const keys = Array.from({ length: 9 }, (_, at) => [String(91 + at)]);
    await writeFile(path, JSON.stringify({ ...done, state: 'written', keys }));
    // The same key may have come back since: the transaction tells.
    await database.sql(`INSERT INTO orders VALUES (91, 500, 'new')`);
    const result = await database.tasks().archive(options);
    expect(result.figures).toMatchObject({ 'rows-archived': 99, batches: 4 });
    expect(await manifestOf(options.folder, 4)).toMatchObject({ state: 'removed' });
    expect(await database.sql('SELECT count(*) FROM orders')).toBe('152');
  });

  test('says when a file was changed or is gone', async () => {
    const database = await cluster.database(orders);
    const options = intoFolder();
    await database.tasks().archive(options);
    await writeFile(join(options.folder, 'batch-000001.csv.gz'), 'other');
    expect((await failureFrom(database.tasks().archive(options))).message).toContain(
      'is not as it was written',
    );
    await rm(join(options.folder, 'batch-000001.csv.gz'));
    expect((await failureFrom(database.tasks().archive(options))).message).toContain('is gone');
    await writeFile(join(options.folder, 'batch-000001.json'), '{}');
    expect((await failureFrom(database.tasks().archive(options))).message).toContain(
      'is no manifest',
    );
  });

  test('refuses a folder that cannot be, and removes nothing when the file cannot be written', async () => {
    const database = await cluster.database(orders);
    const file = join(root, 'a file');
    await writeFile(file, '');
    const options = { ...intoFolder(), target: { kind: 'folder', path: join(file, 'x') } as const };
    expect((await failureFrom(database.tasks().previewArchive(options))).message).toContain(
      'is no folder',
    );
    const full = intoFolder();
    await database.tasks().archive({ ...full, where: 'false' });
    // A folder stands where the file would be written.
    const { mkdir } = await import('node:fs/promises');
    await mkdir(join(full.folder, 'batch-000001.csv.gz.partial', 'x'), { recursive: true });
    await mkdir(join(full.folder, 'batch-000001.csv.gz', 'x'), { recursive: true });
    await database.tasks().archive(full);
    expect(await database.sql('SELECT count(*) FROM orders')).toBe('151');
  });

  test('a second archive of the database waits for the first', async () => {
    const database = await cluster.database(orders);
    const holder = await database.hold('SELECT pg_advisory_lock(28023, 2)', 'other window');
    const options = { ...intoFolder(), lockTimeoutSeconds: 1 };
    const failure = await failureFrom(database.tasks().archive(options));
    await holder.close();
    expect(failure.code).toBe('database-lock-timeout');
    expect(failure.message).toContain('other window');
    expect(await database.sql('SELECT count(*) FROM orders')).toBe('250');
  });
});

test.each([
  ['committed', 5, true, 'removed'],
  ['committed', 0, false, 'removed'],
  ['aborted', 0, true, 'not-removed'],
  ['in progress', 5, true, 'unknown'],
  [null, 0, true, 'removed'],
  [null, 5, true, 'not-removed'],
  [null, 3, true, 'unknown'],
  [null, 0, false, 'unknown'],
] as const)(
  'a batch of 5 rows whose transaction is %s with %i of its rows there (primary key: %s) is %s',
  (transaction, present, hasPrimaryKey, fate) => {
    expect(fateOf({ transaction, present, rows: 5, hasPrimaryKey })).toBe(fate);
  },
);
