import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { writeCanary } from '../../src/databases/postgresql/tasks/write-canary.ts';
import type { WriteCanary } from '../../src/ports/database.ts';
import { failureFrom, TaskCluster, type TaskDatabase } from './task-database.ts';

let cluster: TaskCluster;
let database: TaskDatabase;
const schema = `
  CREATE ROLE shop_app LOGIN PASSWORD 'shop_app';
  CREATE ROLE shop_reader LOGIN PASSWORD 'shop_reader';
  CREATE TABLE customers (id int PRIMARY KEY);
  CREATE TABLE orders (
    id bigserial PRIMARY KEY,
    customer int REFERENCES customers DEFERRABLE INITIALLY DEFERRED,
    note text NOT NULL DEFAULT ''
  );
  CREATE TABLE audit (what text);
  CREATE FUNCTION told() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN INSERT INTO audit VALUES (NEW.note); RETURN NEW; END $$;
  CREATE TRIGGER told AFTER INSERT ON orders FOR EACH ROW EXECUTE FUNCTION told();
  INSERT INTO customers VALUES (1);
  INSERT INTO orders (customer) VALUES (1);
  GRANT SELECT, INSERT ON orders, audit, customers TO shop_app;
  GRANT SELECT ON orders TO shop_reader;
`;

beforeAll(async () => {
  cluster = await TaskCluster.start();
  database = await cluster.database(schema);
});
afterAll(() => cluster.stop());

const contents = (): Promise<string> =>
  database.sql(
    'SELECT count(*), (SELECT count(*) FROM audit), (SELECT last_value FROM orders_id_seq) FROM orders',
  );

function canary(
  insert: string,
  change: { read?: string; role?: string; user?: string; timeoutSeconds?: number } = {},
): Promise<WriteCanary> {
  const { user, ...options } = change;
  return writeCanary(database.psql(user === undefined ? {} : { user }), {
    insert,
    timeoutSeconds: 10,
    ...options,
  });
}

describe('a write that is taken back', () => {
  test('was there, and leaves nothing: no row, no row of a trigger, no number of a sequence', async () => {
    const before = await contents();
    const found = await canary(
      "INSERT INTO orders (id, customer, note) VALUES (-1, 1, 'canary; -- it''s one')",
      { read: 'SELECT note FROM orders WHERE id = -1 -- mine' },
    );
    expect(found).toEqual({
      wrote: true,
      transaction: expect.stringMatching(/^\d+$/),
      rolledBack: true,
      read: { value: "canary; -- it's one" },
      sequences: [],
      role: undefined,
    });
    expect(await contents()).toBe(before);
    expect(await database.sql(`SELECT pg_xact_status('${found.transaction}'::xid8)`)).toBe(
      'aborted',
    );
  });

  test('tells the sequence that it drew from, which is not given back', async () => {
    const found = await canary('INSERT INTO orders (customer) VALUES (1)');
    expect(found).toMatchObject({
      rolledBack: true,
      sequences: [{ name: 'public.orders_id_seq', before: '1', after: '2' }],
    });
    expect(await contents()).toBe('1|1|2');
  });

  test('is refused by a deferred constraint as a COMMIT would be', async () => {
    const before = await contents();
    const failure = await failureFrom(canary('INSERT INTO orders (id, customer) VALUES (-1, 999)'));
    expect(failure.message).toMatch(/^The write was refused: .*orders_customer_fkey/);
    expect(failure.state).toBe('The transaction was rolled back; no row was left.');
    expect(await contents()).toBe(before);
  });

  test('that writes nothing is told', async () => {
    expect(await canary('INSERT INTO audit SELECT note FROM orders WHERE false')).toMatchObject({
      wrote: false,
    });
    expect(await canary('SELECT 1')).toMatchObject({ wrote: false, rolledBack: true });
  });

  test('that is not read back is told', async () => {
    const found = await canary("INSERT INTO audit VALUES ('canary')", {
      read: "SELECT what FROM audit WHERE what = 'another'",
    });
    expect(found.read).toEqual({ value: undefined });
  });

  test('is tried as another role, and as one that may only read is refused', async () => {
    const insert = 'INSERT INTO orders (id, customer) VALUES (-1, 1)';
    expect(await canary(insert, { role: 'shop_app' })).toMatchObject({
      wrote: true,
      rolledBack: true,
      sequences: [],
      role: 'shop_app',
    });
    for (const who of [{ role: 'shop_reader' }, { user: 'shop_reader' }]) {
      const failure = await failureFrom(canary(insert, who));
      expect(failure.message).toContain('permission denied for table orders');
    }
    const failure = await failureFrom(canary(insert, { role: 'no "such" role' }));
    expect(failure.message).toContain('role "no "such" role" does not exist');
  });

  test('in a database that takes no writes is refused', async () => {
    const sealed = await cluster.database('CREATE TABLE t (i int)');
    await sealed.sql(
      `DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_read_only = on', current_database()); END $$`,
    );
    const failure = await failureFrom(
      writeCanary(sealed.psql(), { insert: 'INSERT INTO t VALUES (1)', timeoutSeconds: 10 }),
    );
    expect(failure.message).toContain('cannot execute INSERT in a read-only transaction');
  });

  test('that waits for a lock is given up in time, and leaves nothing', async () => {
    const before = await contents();
    const holder = await database.hold('BEGIN; LOCK TABLE orders IN ACCESS EXCLUSIVE MODE');
    const failure = await failureFrom(
      canary('INSERT INTO orders (id, customer) VALUES (-1, 1)', { timeoutSeconds: 0.5 }),
    );
    await holder.query('ROLLBACK');
    expect(failure.code).toMatch(/^database-(?:lock|statement)-timeout$/);
    expect(await contents()).toBe(before);
  });

  test.each([
    ["INSERT INTO audit VALUES ('x'); COMMIT; SELECT 1", 'COMMIT would break the transaction'],
    ["INSERT INTO audit VALUES ('x'); ROLLBACK", 'ROLLBACK would break the transaction'],
    ["INSERT INTO audit VALUES ('x'); PREPARE TRANSACTION 'x'", 'PREPARE would break'],
    ['BEGIN', 'BEGIN would break'],
    ['DROP TABLE audit', 'DROP is no statement that writes rows'],
    ["COPY audit TO PROGRAM 'touch /tmp/x'", 'COPY is no statement that writes rows'],
    ['DO $$ BEGIN COMMIT; END $$', 'DO is no statement that writes rows'],
    ['CALL anything()', 'CALL is no statement that writes rows'],
    ['-- nothing', 'there is no SQL statement'],
  ])('%s is not even sent', async (insert, words) => {
    const before = await contents();
    const failure = await failureFrom(canary(insert));
    expect([failure.code, failure.message]).toEqual([
      'database-sql-refused',
      expect.stringContaining(words),
    ]);
    expect(await contents()).toBe(before);
  });

  test('cannot be kept by a function that commits', async () => {
    const other = await cluster.database(
      `CREATE TABLE kept (i int); CREATE FUNCTION keep() RETURNS int LANGUAGE plpgsql AS $$
         BEGIN INSERT INTO kept VALUES (1); COMMIT; RETURN 1; END $$;`,
    );
    const failure = await failureFrom(
      writeCanary(other.psql(), { insert: 'SELECT keep()', timeoutSeconds: 10 }),
    );
    expect(failure.message).toContain('invalid transaction termination');
    expect(await other.sql('SELECT count(*) FROM kept')).toBe('0');
  });
});
