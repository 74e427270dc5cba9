import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { systemClock } from '../../src/clock/system-clock.ts';
import { postgresql } from '../../src/databases/postgresql.ts';
import { clonePoint } from '../../src/phases/restore-points/clone.ts';
import type { Database } from '../../src/ports/database.ts';
import { FakeWorld } from '../fixtures/fake-world.ts';
import { failureFrom, PostgresqlBench } from '../fixtures/postgresql-bench.ts';

let bench: PostgresqlBench;

beforeAll(async () => {
  bench = await PostgresqlBench.start({
    authentication: 'trust',
    settings: { autovacuum: 'off', log_connections: 'on' },
  });
  await bench.sql('CREATE ROLE owner LOGIN CREATEDB');
});
afterAll(() => bench.stop());

/** One row of this fills a page of a table with this fill factor. */
const wide = `repeat('x', 700)`;
const onePerPage = 'WITH (fillfactor = 10)';

/** Some 8 MB for each thousand rows. */
function filled(name: string, thousands: number): string {
  return `INSERT INTO ${name} SELECT i, ${wide} FROM generate_series(1, ${thousands * 1000}) AS i;`;
}

function table(name: string, thousands: number): string {
  return `CREATE TABLE ${name} (a int PRIMARY KEY, b text) ${onePerPage}; ${filled(name, thousands)}`;
}

const refusing = `
  CREATE FUNCTION refuse() RETURNS event_trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE LOG 'the trigger ran in %', current_database(); RAISE EXCEPTION 'not with me'; END $$;
  CREATE EVENT TRIGGER at_start ON ddl_command_start EXECUTE FUNCTION refuse();
  CREATE EVENT TRIGGER "at the ""end" ON ddl_command_end EXECUTE FUNCTION refuse();
  CREATE EVENT TRIGGER at_drop ON sql_drop EXECUTE FUNCTION refuse();
  ALTER EVENT TRIGGER at_drop ENABLE ALWAYS;`;

/** The files of these relations, as the log of changes names them. */
async function filesOf(database: string, names: readonly string[]): Promise<Map<string, string>> {
  const lines = await bench.sql(
    `SELECT pg_relation_filepath(name::regclass) || ' ' || name FROM unnest('{${names.map((name) => `"${name.replaceAll('"', '\\"')}"`).join(',')}}'::text[]) AS name`,
    { database },
  );
  return new Map(
    lines.split('\n').map((line): [string, string] => {
      const space = line.indexOf(' ');
      return [line.slice(0, space), line.slice(space + 1)];
    }),
  );
}

/**
 * What the server's log of changes has of the work: for each transaction that removed files those that we know, and
 * `DATABASE` for the end of a whole one.
 */
async function removals(
  files: ReadonlyMap<string, string>,
  work: () => Promise<unknown>,
): Promise<string[]> {
  const position = 'SELECT pg_current_wal_insert_lsn()';
  const from = await bench.sql(position);
  await work();
  const { stdout, exitCode, stderr } = await bench.host.run({
    argv: [
      join(bench.cluster.binFolder, 'pg_waldump'),
      `--path=${join(bench.cluster.dataFolder, 'pg_wal')}`,
      `--start=${from}`,
      `--end=${await bench.sql(`SELECT pg_switch_wal()`)}`,
    ],
  });
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
  return stdout.split('\n').flatMap((line) => {
    if (line.includes('desc: DROP dir ')) return ['DATABASE'];
    const removed = /desc: COMMIT .*rels: ([^;]+)/.exec(line)?.[1]?.split(' ') ?? [];
    const known = removed.flatMap((file) => files.get(file) ?? []);
    return known.length === 0 ? [] : [known.sort().join('+')];
  });
}

/** A copy of a database as a restore point is one. */
async function pointOf(name: string, login?: { user: string }): Promise<[Database, string]> {
  const database = bench.adapter(name, login);
  const point = `${name}_mw_restore_point`;
  await database.clone(name, point);
  return [database, point];
}

async function serverLog(): Promise<string> {
  return readFile(join(bench.cluster.folder, 'postgresql.log'), 'utf8');
}

const large = ['public.one', 'public.two', 'public."Thr""ee"', 'public.four'];

/** More than is dropped at once: tables that refer to each other in a circle, one of them larger than a piece. */
function circle(): string {
  return `${table('one', 5)} ${table('two', 3)} ${table('"Thr""ee"', 2)} ${table('four', 1)} CREATE TABLE small (a int);
    ALTER TABLE one ADD FOREIGN KEY (a) REFERENCES two NOT VALID;
    ALTER TABLE two ADD FOREIGN KEY (a) REFERENCES "Thr""ee" NOT VALID;
    ALTER TABLE "Thr""ee" ADD FOREIGN KEY (a) REFERENCES one NOT VALID;`;
}

const pieces = ['public.one', 'public.two', 'public."Thr""ee"+public.four', 'DATABASE'];

describe('dropping gently', () => {
  test('a restore point: large tables go piece by piece, before the rest, and no event trigger fires', async () => {
    const name = await bench.database(`${circle()} ${refusing}`);
    const [database, point] = await pointOf(name);
    // They would refuse, in the original and in its copy.
    await expect(bench.sql('DROP TABLE small', { database: name })).rejects.toThrow('not with me');
    const files = await filesOf(name, large);
    const ofPoint = await atPoint(files, name, point);
    expect(await removals(ofPoint, () => database.drop(point, { gently: true }))).toEqual(pieces);
    expect(await database.identify({ name: point })).toBeUndefined();
    expect(await serverLog()).not.toContain(`the trigger ran in ${point}`);
    expect(await serverLog()).toContain(`the trigger ran in ${name}`);
    expect(await database.identify({ name })).toMatchObject({ allowsConnections: true });
  });

  test('all at once where it was not asked for, and where there is little', async () => {
    const name = await bench.database(circle());
    const [database, point] = await pointOf(name);
    const files = await filesOf(name, large);
    expect(await removals(await atPoint(files, name, point), () => database.drop(point))).toEqual([
      'DATABASE',
    ]);
    const little = await bench.database(table('one', 5));
    const [, second] = await pointOf(little);
    const ofLittle = await atPoint(await filesOf(little, ['public.one']), little, second);
    expect(await removals(ofLittle, () => database.drop(second, { gently: true }))).toEqual([
      'DATABASE',
    ]);
    expect(await serverLog()).not.toContain(`database=${second}`);
  });

  test('partitions, heirs and views go before what they hang on', async () => {
    const name = await bench.database(`
      CREATE TABLE parted (a int, b text) PARTITION BY RANGE (a);
      CREATE TABLE low PARTITION OF parted FOR VALUES FROM (0) TO (2000) ${onePerPage};
      CREATE TABLE high PARTITION OF parted FOR VALUES FROM (2000) TO (9000) ${onePerPage};
      ${filled('parted', 3)}
      CREATE TABLE old (a int, b text) ${onePerPage}; ${filled('old', 5)}
      CREATE TABLE heir () INHERITS (old) ${onePerPage}; ${filled('heir', 4)}
      CREATE MATERIALIZED VIEW seen ${onePerPage} AS SELECT a, ${wide} AS b FROM ONLY old LIMIT 3000;
      CREATE MATERIALIZED VIEW "seen again" ${onePerPage} AS SELECT * FROM seen`);
    const names = ['low', 'high', 'old', 'heir', 'seen', '"seen again"'];
    const [database, point] = await pointOf(name);
    const files = await atPoint(await filesOf(name, names), name, point);
    const order = await removals(files, () => database.drop(point, { gently: true }));
    expect(order.at(-1)).toBe('DATABASE');
    const place = (relation: string): number =>
      order.findIndex((each) => each.split('+').includes(relation));
    expect(names.map(place)).not.toContain(-1);
    expect(place('"seen again"')).toBeLessThan(place('seen'));
    expect(place('seen')).toBeLessThan(place('old'));
    expect(place('heir')).toBeLessThan(place('old'));
    expect(order).toContain('heir');
    expect(order).toContain('old');
  });

  test('what belongs to an extension stays until the end', async () => {
    const name = await bench.database(`
      CREATE EXTENSION amcheck; ${table('member', 5)} ${table('other', 5)}
      ALTER EXTENSION amcheck ADD TABLE member; ${refusing}`);
    // Only the one that fires always is left to do so, and not for this.
    await bench.sql(
      'SET session_replication_role = replica; ALTER EXTENSION amcheck ADD EVENT TRIGGER at_drop',
      { database: name },
    );
    await expect(bench.sql('DROP EVENT TRIGGER at_drop', { database: name })).rejects.toThrow(
      'extension amcheck requires it',
    );
    const [database, point] = await pointOf(name);
    const files = await atPoint(await filesOf(name, ['member', 'other']), name, point);
    expect(await removals(files, () => database.drop(point, { gently: true }))).toEqual([
      'other',
      'DATABASE',
    ]);
  });

  test('a role that may not switch off an event trigger drops all at once, and it does not fire', async () => {
    const name = await bench.database(`${circle()} ${refusing}`);
    await bench.sql(`ALTER DATABASE ${name} OWNER TO owner`);
    const [database, point] = await pointOf(name, { user: 'owner' });
    const files = await atPoint(await filesOf(name, large), name, point);
    expect(await removals(files, () => database.drop(point, { gently: true }))).toEqual([
      'DATABASE',
    ]);
    expect(await database.identify({ name: point })).toBeUndefined();
    expect(await serverLog()).not.toContain(`the trigger ran in ${point}`);
  });

  test('a scratch database, for a role that is no superuser; what belongs to others goes at the end', async () => {
    const name = await bench.database();
    await bench.sql(`ALTER DATABASE ${name} OWNER TO owner`);
    const database = bench.adapter(name, { user: 'owner' });
    const scratch = `${name}_mw_scratch`;
    const like = await database.properties();
    await database.createScratch(scratch, { like, mark: 'test' });
    await bench.sql(circle(), { database: scratch, user: 'owner' });
    await bench.sql('ALTER SCHEMA public OWNER TO postgres; ALTER TABLE one OWNER TO postgres', {
      database: scratch,
    });
    const files = await filesOf(scratch, large);
    const done = removals(files, () => database.dropScratch(scratch, 'test', { gently: true }));
    expect(await done).toEqual(pieces.slice(1));
    expect(await database.identify({ name: scratch })).toBeUndefined();
  });

  test('one that is cut off leaves a database that lets people in, and the next drop ends it', async () => {
    const name = await bench.database(circle());
    const [, point] = await pointOf(name);
    const whole = (await bench.adapter(name).identify({ name: point }))!;
    const killed = new Error('killed');
    let waits = 0;
    const database = postgresql({
      host: bench.host,
      url: bench.cluster.url({ database: name }),
      clock: {
        ...systemClock(),
        wait: async () => {
          waits += 1;
          throw killed;
        },
      },
    });
    await expect(database.drop(point, { gently: true })).rejects.toBe(killed);
    expect(waits).toBe(1);
    const half = (await database.identify({ oid: whole.oid }))!;
    expect(half).toMatchObject({ name: point, allowsConnections: true, connectionLimit: 1 });
    expect(half.bytes).toBeLessThan(whole.bytes);
    const world = new FakeWorld();
    // Even if no byte were missing: that it is open is what keeps a rollback from it.
    const record = {
      kind: 'clone',
      takenAt: '2026-11-22T01:00:00.000Z',
      seconds: 1,
      database: point,
      oid: half.oid,
      bytes: half.bytes,
    } as const;
    const context = { ...(await world.contextOf()), database };
    expect(await failureFrom(clonePoint.goBack(context, record))).toMatchObject({
      code: 'restore-point-changed',
      message: expect.stringContaining('allows connections') as unknown,
    });
    expect(await database.identify({ name })).toBeDefined();
    await bench.adapter(name).drop(point, { gently: true });
    expect(await database.identify({ oid: whole.oid })).toBeUndefined();
  });

  test('opens a restore point to nobody else', async () => {
    const name = await bench.database(circle());
    await bench.sql('CREATE ROLE stranger LOGIN');
    const [, point] = await pointOf(name);
    let found = '';
    const database = postgresql({
      host: bench.host,
      url: bench.cluster.url({ database: name }),
      clock: {
        ...systemClock(),
        wait: async () => {
          found ||= await bench
            .sql('SELECT 1', { database: point, user: 'stranger' })
            .catch((error: unknown) => String(error));
        },
      },
    });
    await database.drop(point, { gently: true });
    expect(found).toMatch(/permission denied for database|too many connections/);
  });
});

/** The same files in a copy of the database. */
async function atPoint(
  files: ReadonlyMap<string, string>,
  name: string,
  point: string,
): Promise<Map<string, string>> {
  const oid = (database: string): Promise<string> =>
    bench.sql(`SELECT oid FROM pg_database WHERE datname = '${database}'`);
  const [from, to] = [await oid(name), await oid(point)];
  return new Map(
    [...files].map(([path, relation]) => [path.replace(`base/${from}/`, `base/${to}/`), relation]),
  );
}
