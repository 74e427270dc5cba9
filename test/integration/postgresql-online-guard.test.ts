import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { ArchiveOptions } from '../../src/ports/database-tasks.ts';
import type { OnlineTerms } from '../../src/ports/online-guard.ts';
import { failureFrom, limits, TaskCluster, until, type TaskDatabase } from './task-database.ts';

let cluster: TaskCluster;
let root: string;
beforeAll(async () => {
  cluster = await TaskCluster.start();
  await cluster.cluster.psql(`CREATE ROLE clerk LOGIN PASSWORD 'clerk'`);
  root = await mkdtemp(join(tmpdir(), 'mw-online-'));
});
afterAll(async () => {
  await cluster.stop();
  await rm(root, { recursive: true, force: true });
});

function terms(change: Partial<OnlineTerms> = {}): OnlineTerms {
  return { maxBlockedSeconds: 0.1, tries: 4, harm: () => undefined, ...change };
}

/** `slow(n)` never ends as long as there is a table `waiting`. */
const shop = `
  CREATE TABLE orders (id int PRIMARY KEY, placed_at int, note text);
  INSERT INTO orders SELECT i, i, 'n' FROM generate_series(1, 250) AS i;
  CREATE INDEX orders_placed ON orders (placed_at);
  CREATE TABLE elsewhere (a int);
  CREATE FUNCTION slow(n int) RETURNS int LANGUAGE plpgsql AS $$ BEGIN
    IF to_regclass('public.waiting') IS NOT NULL THEN PERFORM pg_sleep(300); END IF; RETURN n; END $$;`;
const oldSnapshot = 'BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM elsewhere';

async function invalid(database: TaskDatabase): Promise<string> {
  return database.sql(`SELECT count(*) FROM pg_index WHERE NOT indisvalid`);
}

/** The application's statement, in a session of its own. */
async function application(database: TaskDatabase, sql: string): Promise<string[]> {
  const session = await database.psql({ application: 'shop' }).start();
  try {
    return await session.query(sql);
  } finally {
    await session.close();
  }
}

/** Resolves when a statement of ours, by its beginning (a pattern of LIKE), has its locks and is in `slow`, or waits for one more. */
function begun(database: TaskDatabase, statement: string): Promise<void> {
  return until(
    async () =>
      (await database.sql(
        `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state = 'active'
         AND query LIKE '${statement}%' AND (wait_event_type = 'Lock' OR wait_event = 'PgSleep')`,
      )) !== '0',
    `${statement} has begun`,
  );
}

describe('an online task that somebody waits for', () => {
  test('is cancelled while it holds the lock, and done when nobody is in its way', async () => {
    const database = await cluster.database(`${shop}
      CREATE MATERIALIZED VIEW totals AS SELECT slow(count(*)::int) AS n FROM orders; CREATE TABLE waiting ();`);
    const work = database.tasks().refresh(['totals'], {
      ...limits,
      statementTimeoutSeconds: 0,
      concurrently: true,
      online: terms(),
    });
    await begun(database, 'REFRESH');
    // Readers are locked out for as long as the refresh runs: only its end lets this one through.
    expect(await application(database, 'SELECT n FROM totals')).toEqual(['250']);
    await database.sql('DROP TABLE waiting');
    const result = await work;
    expect(result.figures).toMatchObject({ views: 1 });
    expect(result.figures['statements-that-gave-way']).toBeGreaterThan(0);
    expect(result.figures['longest-wait-of-others-seconds']).toBeGreaterThan(0);
    expect(result.summary).toMatch(
      /; it gave way \d times? \(the last time, pid \d+ \(user postgres, application shop\) waited for AccessShareLock on public\.totals behind us\)/,
    );
  });

  test('does not queue for a lock that it cannot have, and names who holds it', async () => {
    const database = await cluster.database(
      `${shop} CREATE MATERIALIZED VIEW totals AS SELECT count(*) AS n FROM orders;`,
    );
    const holder = await database.hold('BEGIN; SELECT n FROM totals', 'forgotten report');
    const work = failureFrom(
      database.tasks().refresh(['totals'], {
        lockTimeoutSeconds: 60,
        statementTimeoutSeconds: 0,
        concurrently: true,
        online: terms({ tries: 2, maxBlockedSeconds: 0.5 }),
      }),
    );
    await begun(database, 'REFRESH');
    // The reader's lock does not conflict with the holder's: without us in the queue it goes through at once.
    expect(await application(database, 'SELECT n FROM totals')).toEqual(['250']);
    const failure = await work;
    expect(failure.code).toBe('database-online-harmful');
    expect(failure.message).toContain('given up after 2 tries, so as not to harm the public');
    expect(failure.message).toMatch(
      /held by pid \d+ \(user postgres, application forgotten report/,
    );
    expect(failure.state).toContain('0 of 1 materialized views are refreshed');
    // Other people's sessions go on.
    expect(await holder.query('SELECT n FROM totals')).toEqual(['250']);
    await holder.close();
  });

  test('leaves no invalid index when a concurrent rebuild is cancelled, and goes on later', async () => {
    const database = await cluster.database(shop);
    const holder = await database.hold(oldSnapshot, 'forgotten report');
    const lines: string[] = [];
    const work = database.tasks().reindex(['orders'], {
      lockTimeoutSeconds: 60,
      statementTimeoutSeconds: 0,
      concurrently: true,
      online: terms({ tries: 20 }),
      onProgress: (line) => lines.push(line),
    });
    await until(() => lines.some((line) => line.includes('It waited for')), 'it waits');
    expect(lines.join()).toMatch(/held by pid \d+ \(user postgres, application forgotten report/);
    // Of its locks only that on the table is in the way, of changes to its definition.
    await application(database, 'ALTER TABLE orders ADD COLUMN fresh int');
    await holder.close();
    const result = await work;
    expect(result.figures['statements-that-gave-way']).toBeGreaterThan(0);
    expect(result.figures.indexes).toBe(3);
    expect(await invalid(database)).toBe('0');
  });

  test('is given up after its tries with everything as it was', async () => {
    const database = await cluster.database(shop);
    const holder = await database.hold(oldSnapshot);
    const work = failureFrom(
      database.tasks().reindex(['orders'], {
        lockTimeoutSeconds: 60,
        statementTimeoutSeconds: 0,
        concurrently: true,
        online: terms({ tries: 1 }),
      }),
    );
    await begun(database, 'REINDEX');
    await application(database, 'ALTER TABLE orders ADD COLUMN fresh int');
    const failure = await work;
    expect(failure.code).toBe('database-online-harmful');
    expect(failure.message).toMatch(/waited for AccessExclusiveLock on public\.orders behind us/);
    expect(failure.state).toMatch(/is as it was: valid\. .*(dropped|Nothing was left behind)\.$/);
    expect(await invalid(database)).toBe('0');
    await holder.close();
  });

  test('vacuums without cutting tables off, and gives way in the middle', async () => {
    const database = await cluster.database(`${shop}
      ALTER FUNCTION slow IMMUTABLE; CREATE INDEX orders_slow ON orders (slow(id));
      DELETE FROM orders WHERE id > 100; CREATE TABLE waiting ();`);
    const bytes = await database.sql(`SELECT pg_relation_size('orders')`);
    const work = database.tasks().vacuum(['orders'], {
      ...limits,
      statementTimeoutSeconds: 0,
      analyze: true,
      full: false,
      jobs: 2,
      online: terms(),
    });
    await begun(database, 'VACUUM');
    await application(database, 'ALTER TABLE orders ADD COLUMN fresh int');
    await database.sql('DROP TABLE waiting');
    const result = await work;
    expect(result.figures['statements-that-gave-way']).toBeGreaterThan(0);
    expect(await database.sql(`SELECT pg_relation_size('orders')`)).toBe(bytes);
  });
});

describe('an archive while the public is served', () => {
  const slowDelete = `${shop}
    CREATE FUNCTION waits() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM slow(1); RETURN OLD; END $$;
    CREATE TRIGGER waits BEFORE DELETE ON orders FOR EACH ROW WHEN (OLD.id = 70) EXECUTE FUNCTION waits();
    CREATE TABLE waiting ();`;
  const options = (change: Partial<ArchiveOptions>): ArchiveOptions => ({
    ...limits,
    statementTimeoutSeconds: 0,
    table: 'orders',
    where: 'placed_at < 100',
    target: { kind: 'table', name: 'orders_old' },
    batchSize: 40,
    pauseSeconds: 0,
    online: terms({ tries: 10 }),
    ...change,
  });

  test.each(['table', 'folder'] as const)(
    'lets go of rows that others change, and moves each row once (%s)',
    async (kind) => {
      const database = await cluster.database(slowDelete);
      const path = join(root, database.name.replaceAll(/\W/g, ''));
      const work = database.tasks({ windowId: 'mw-1' }).archive(
        options({
          target: kind === 'table' ? { kind, name: 'orders_old' } : { kind, path },
        }),
      );
      await begun(database, '%DELETE');
      // The row belongs to the second batch, the one that does not end.
      expect(await database.sql('SELECT count(*) FROM orders')).toBe('210');
      await application(database, `UPDATE orders SET note = 'changed' WHERE id = 50`);
      await database.sql('DROP TABLE waiting');
      const result = await work;
      expect(result.figures).toMatchObject({ 'rows-archived': 99, 'rows-after': 151 });
      expect(result.figures['statements-that-gave-way']).toBeGreaterThan(0);
      // Fewer rows at a time after it had to give way.
      expect(result.figures.batches).toBeGreaterThan(3);
      expect(await database.sql('SELECT count(*), min(id) FROM orders')).toBe('151|100');
      if (kind === 'table') {
        expect(
          await database.sql(
            `SELECT count(*), count(DISTINCT id), min(note) FILTER (WHERE id = 50) FROM orders_old`,
          ),
        ).toBe('99|99|changed');
      }
    },
  );

  test('that is given up leaves no file whose rows are in the table', async () => {
    const database = await cluster.database(slowDelete);
    const path = join(root, 'given-up');
    const work = failureFrom(
      database
        .tasks({ windowId: 'mw-1' })
        .archive(options({ target: { kind: 'folder', path }, online: terms({ tries: 1 }) })),
    );
    await until(
      async () => (await database.sql('SELECT count(*) FROM orders')) === '210',
      'the first batch is moved',
    );
    await until(
      async () => (await readdir(path)).includes('batch-000002.json'),
      'the second is written',
    );
    await application(database, `UPDATE orders SET note = 'changed' WHERE id = 50`);
    const failure = await work;
    expect(failure.code).toBe('database-online-harmful');
    expect(failure.state).toContain('40 rows of public.orders are archived and removed');
    expect((await readdir(path)).sort()).toEqual(['batch-000001.csv.gz', 'batch-000001.json']);
    expect(await database.sql('SELECT count(*) FROM orders')).toBe('210');
  });
});

describe('load', () => {
  test('that slows the application down ends the statement, and holds work back until it is over', async () => {
    const database = await cluster.database(`${shop}
      ALTER FUNCTION slow IMMUTABLE; CREATE INDEX orders_slow ON orders (slow(id)); CREATE TABLE waiting ();`);
    let harm: string | undefined;
    const work = database.tasks().analyze(['orders', 'elsewhere'], {
      ...limits,
      statementTimeoutSeconds: 0,
      jobs: 1,
      online: terms({ harm: () => harm }),
    });
    await begun(database, 'ANALYZE');
    harm = 'the application answers in 900 ms instead of 80 ms';
    await until(async () => (await database.running('ANALYZE%')) === 0, 'it gave way');
    await database.sql('DROP TABLE waiting');
    harm = undefined;
    const result = await work;
    expect(result.figures).toMatchObject({ tables: 2, 'statements-that-gave-way': 1 });
    expect(result.summary).toContain('the application answers in 900 ms instead of 80 ms');
  });
});

describe('pg_repack', () => {
  const withRepack = `CREATE EXTENSION pg_repack; ${shop}`;

  test('lets those through that queue behind it, and leaves nothing when it is given up', async () => {
    const database = await cluster.database(withRepack);
    const holder = await database.hold('BEGIN; SELECT count(*) FROM orders', 'forgotten report');
    const work = failureFrom(
      database.tasks().repack(['orders'], { ...limits, online: terms({ tries: 1 }) }),
    );
    await until(
      async () =>
        (await database.sql(
          `SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'orders'::regclass`,
        )) !== '0',
      'it waits for its lock',
    );
    // Readers do not conflict with the holder: only pg_repack's wait is in their way.
    expect(await application(database, 'SELECT count(*) FROM orders')).toEqual(['250']);
    const failure = await work;
    expect(failure.code).toBe('database-online-harmful');
    expect(failure.state).toMatch(/^0 of 1 tables are written anew\. public\.orders is as it was/);
    expect(
      await database.sql(
        `SELECT (SELECT count(*) FROM pg_trigger WHERE tgname = 'repack_trigger'),
           (SELECT count(*) FROM pg_class WHERE relnamespace = 'repack'::regnamespace AND relname ~ '^(log|table)_')`,
      ),
    ).toBe('0|0');
    expect(await holder.query('SELECT 1')).toEqual(['1']);
    await holder.close();
  });
});

describe('a guard', () => {
  test('that cannot see any more ends the work, which goes on when it is watched again', async () => {
    const database = await cluster.database(`${shop}
      ALTER FUNCTION slow IMMUTABLE; CREATE INDEX orders_slow ON orders (slow(id));
      ALTER TABLE orders OWNER TO clerk; CREATE TABLE waiting ();`);
    const work = database.tasks({ user: 'clerk' }).analyze(['orders'], {
      ...limits,
      statementTimeoutSeconds: 0,
      jobs: 1,
      online: terms({ tries: 20 }),
    });
    await begun(database, 'ANALYZE');
    await database.sql(`ALTER ROLE clerk CONNECTION LIMIT 0`);
    await database.sql(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'WITH mw_waiting%' AND usename = 'clerk'`,
    );
    await until(async () => (await database.running('ANALYZE%')) === 0, 'the work is ended');
    await database.sql(`DROP TABLE waiting; ALTER ROLE clerk CONNECTION LIMIT -1`);
    const result = await work;
    expect(result.figures).toMatchObject({ tables: 1, 'statements-that-gave-way': 1 });
    expect(result.summary).toContain('who waits for us could not be seen any more');
  });

  test('ends what a killed run of the same window still does, and nothing of another', async () => {
    const database = await cluster.database(shop);
    const reader = 'BEGIN; LOCK TABLE orders IN SHARE UPDATE EXCLUSIVE MODE';
    const killed = await database.hold(reader, 'maintenance-window online mw-1 0123456789ab');
    const other = await database.hold('SELECT 1', 'maintenance-window online mw-2 0123456789ab');
    const result = await database
      .tasks({ windowId: 'mw-1' })
      .analyze(['orders'], { ...limits, jobs: 1, online: terms() });
    expect(result.figures).toMatchObject({ tables: 1, 'statements-that-gave-way': 0 });
    await expect(killed.query('SELECT 1')).rejects.toThrow();
    expect(await other.query('SELECT 1')).toEqual(['1']);
  });
});

describe('the watch over client programs', () => {
  test('ends a session of the dump that idles on its locks, and no other', async () => {
    const database = await cluster.database(shop);
    const reader = 'BEGIN; SELECT count(*) FROM orders';
    const dump = await database.hold(reader, 'maintenance-window dump mw-7');
    const other = await database.hold(
      'BEGIN; SELECT count(*) FROM elsewhere',
      'maintenance-window dump mw-8',
    );
    const watch = await database.tasks().watch({ kind: 'dump', windowId: 'mw-7' }, terms());
    await application(database, 'TRUNCATE orders');
    expect(watch.cancelled).toBe(1);
    expect(watch.lastReason).toContain('waited for AccessExclusiveLock on public.orders');
    const figures = await watch.end();
    expect(figures).toMatchObject({ cancelled: 1, heldBack: 0 });
    await expect(dump.query('SELECT 1')).rejects.toThrow();
    expect(await other.query('SELECT 1')).toEqual(['1']);
    await other.close();
  });

  test('cannot begin blind', async () => {
    const database = await cluster.database();
    await database.sql(
      `ALTER DATABASE "${database.name.replaceAll('"', '""')}" CONNECTION LIMIT 0`,
    );
    await cluster.cluster.psql(`CREATE ROLE outsider LOGIN PASSWORD 'outsider'`);
    const failure = await failureFrom(
      database.tasks({ user: 'outsider' }).watch({ kind: 'dump', windowId: 'mw-7' }, terms()),
    );
    expect(failure.code).toBe('database-too-many-connections');
  });
});
