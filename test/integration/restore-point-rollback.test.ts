import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { PhaseContext } from '../../src/phases/phase.ts';
import { rollback } from '../../src/phases/rollback.ts';
import { runDbMaintenance } from '../../src/phases/run-db-maintenance.ts';
import {
  differencesBetween,
  everythingButOids,
  everythingOf,
} from '../fixtures/catalogue-comparison.ts';
import { FakeWorld } from '../fixtures/fake-world.ts';
import { PostgresqlBench } from '../fixtures/postgresql-bench.ts';
import { at, statusOf } from '../fixtures/record-factory.ts';
import { forgetSubscription, makeRichDatabase, richRoles } from '../fixtures/rich-database.ts';

let bench: PostgresqlBench;

beforeAll(async () => {
  // Nothing but the window may change what the catalogues hold.
  bench = await PostgresqlBench.start({ authentication: 'trust', settings: { autovacuum: 'off' } });
  await bench.sql(`${richRoles} CREATE ROLE other LOGIN`);
});
afterAll(() => bench.stop());

/** A rich database with everything that the server keeps of it outside of it. */
async function makeDatabase(): Promise<string> {
  const name = await makeRichDatabase(bench);
  await forgetSubscription(bench, name);
  await bench.sql(`
    ALTER DATABASE ${name} OWNER TO rich_owner;
    REVOKE CONNECT, TEMPORARY ON DATABASE ${name} FROM PUBLIC;
    GRANT CONNECT ON DATABASE ${name} TO rich_reader WITH GRANT OPTION;
    SET ROLE rich_reader; GRANT CONNECT ON DATABASE ${name} TO other; RESET ROLE;
    ALTER DATABASE ${name} SET search_path = "$user", shop, public;
    ALTER DATABASE ${name} SET work_mem = '7MB';
    ALTER ROLE rich_reader IN DATABASE ${name} SET statement_timeout = '9s';
    COMMENT ON DATABASE ${name} IS 'the ''rich'' one';
    ALTER DATABASE ${name} CONNECTION LIMIT 40`);
  return name;
}

/** Takes everything apart, in the database and around it, and then fails. */
const ruin = (name: string) => `
  ALTER EVENT TRIGGER refuse_views DISABLE;
  DROP SCHEMA shop CASCADE;
  DROP PUBLICATION everything;
  CREATE TABLE public.left_behind AS SELECT generate_series(1, 1000) AS a;
  ALTER DATABASE ${name} RESET ALL;
  ALTER DATABASE ${name} SET work_mem = '1MB';
  ALTER ROLE rich_reader IN DATABASE ${name} RESET ALL;
  GRANT ALL ON DATABASE ${name} TO PUBLIC;
  REVOKE ALL ON DATABASE ${name} FROM rich_reader CASCADE;
  COMMENT ON DATABASE ${name} IS 'ruined';
  ALTER DATABASE ${name} CONNECTION LIMIT 3;
  ALTER DATABASE ${name} OWNER TO other;
  SELECT 1 / 0;`;

/** A window whose only task ruins the database and fails; then its rollback. */
async function ruinAndGoBack(
  name: string,
  restorePoint: string,
): Promise<{ context: PhaseContext; failedDatabase: string; seconds: number }> {
  const world = new FakeWorld();
  world.door = { kind: 'closed', windowId: statusOf().windowId };
  world.isHooked = true;
  const { host } = bench;
  const context = await world.contextOf(
    { state: 'closed', maintenance: { mode: 'fake', prior: null, closedAt: at(-60) } },
    {
      plan: {
        'backup-db': { directory: `${bench.folder}/backups` },
        'run-db-maintenance': {
          'restore-point': restorePoint,
          tasks: [
            {
              task: 'sql',
              sql: ruin(name),
              transaction: false,
              consent: ['drop', 'drop-column', 'truncate', 'delete-all', 'update-all'],
            },
          ],
        },
      },
      parts: {
        database: bench.adapter(name),
        runner: host,
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
  const broken = await runDbMaintenance(context, { stage: 'closed' });
  expect(broken).toMatchObject({
    kind: 'failed',
    failure: { message: expect.stringContaining('division by zero') as unknown },
  });
  expect(context.record.status.restorePoint?.kind).toBe(restorePoint);
  expect(
    await bench.sql(`SELECT count(*) FROM pg_namespace WHERE nspname = 'shop'`, { database: name }),
  ).toBe('0');
  const begun = performance.now();
  const back = await rollback(context, { force: false, acceptDataLoss: false, reason: 'a test' });
  const seconds = (performance.now() - begun) / 1000;
  expect(back).toMatchObject({ kind: 'done', outputs: { outcome: 'restored' } });
  return { context, failedDatabase: back.outputs['failed-database'] ?? '', seconds };
}

describe('a rollback gives back everything that the catalogue holds', () => {
  test('by a clone, while six clients come back all the time', async () => {
    const name = await makeDatabase();
    const before = await everythingOf(bench, name);
    expect(Object.keys(before).length).toBeGreaterThan(70);
    let failed = '';
    await bench.withClients(name, 6, true, async () => {
      ({ failedDatabase: failed } = await ruinAndGoBack(name, 'clone'));
    });
    expect(differencesBetween(before, await everythingOf(bench, name))).toEqual({});
    // What went wrong can still be looked into.
    await bench.sql(`ALTER DATABASE ${failed} ALLOW_CONNECTIONS true`);
    expect(await bench.sql('SELECT count(*) FROM public.left_behind', { database: failed })).toBe(
      '1000',
    );
  });

  test('by a dump that is retaken while closed', async () => {
    const name = await makeDatabase();
    const before = await everythingButOids(bench, name);
    await ruinAndGoBack(name, 'dump');
    expect(differencesBetween(before, await everythingButOids(bench, name))).toEqual({});
  });

  test('and the comparison sees what is not given back', async () => {
    const name = await makeDatabase();
    const before = await everythingOf(bench, name);
    await bench.sql(
      `GRANT TEMPORARY ON DATABASE ${name} TO other; ALTER ROLE other IN DATABASE ${name} SET work_mem = '1MB'`,
    );
    await bench.sql(
      `ALTER TABLE shop.customers ALTER COLUMN name SET STATISTICS 7; SELECT nextval('shop.untouched')`,
      { database: name },
    );
    const found = differencesBetween(before, await everythingOf(bench, name));
    expect(Object.keys(found).sort()).toEqual([
      'grants on the database',
      'pg_attribute',
      'pg_db_role_setting',
      // Its own event trigger notes commands.
      'rows of shop.audit',
      'sequence shop.audit_id_seq',
      'sequence shop.untouched',
    ]);
  });
});
