import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { MigrationFile } from '../../src/ports/database-tasks.ts';
import { failureFrom, limits, TaskCluster, until } from './task-database.ts';

let cluster: TaskCluster;
beforeAll(async () => {
  cluster = await TaskCluster.start();
  await cluster.cluster.psql(`CREATE ROLE clerk LOGIN PASSWORD 'clerk'`);
});
afterAll(() => cluster.stop());

const options = { ...limits, checksumTable: 'maintenance_window_migrations' };

function file(name: string, sql: string): MigrationFile {
  return {
    name,
    sql,
    sha256: createHash('sha256').update(sql).digest('hex'),
    withoutTransaction: sql.startsWith('-- no-transaction'),
  };
}

const people = file(
  '001_people.sql',
  `CREATE TABLE people (id int PRIMARY KEY, name text NOT NULL);\nINSERT INTO people VALUES (1, 'Ada');`,
);
const index = file(
  '002_index.sql',
  `-- no-transaction\nCREATE INDEX CONCURRENTLY people_name ON people (name);\nVACUUM people;\n`,
);
const email = file('003_email.sql', 'ALTER TABLE people ADD email text;');

const rows = `SELECT name, state, window_id, seconds >= 0, sha256 FROM maintenance_window_migrations ORDER BY name`;

describe('migrate', () => {
  test('applies new files in order, each with its row, and again nothing', async () => {
    const database = await cluster.database();
    const tasks = database.tasks({ windowId: 'w-2026-11' });
    const lines: string[] = [];
    const result = await tasks.migrate([people, index], {
      ...options,
      onProgress: (line) => lines.push(line),
    });
    expect(result.summary).toBe('2 migrations applied: 001_people.sql, 002_index.sql');
    expect(lines).toEqual(['migrate 001_people.sql (1 of 2)', 'migrate 002_index.sql (2 of 2)']);
    expect(await database.sql(rows)).toBe(
      `001_people.sql|applied|w-2026-11|t|${people.sha256}\n002_index.sql|applied|w-2026-11|t|${index.sha256}`,
    );
    expect(await database.sql(`SELECT 'people_name'::regclass, count(*) FROM people`)).toBe(
      'people_name|1',
    );

    const again = await tasks.migrate([people, index], options);
    expect(again.summary).toBe('no migration was pending; applied before: 2');
    const more = await tasks.migrate([people, index, email], options);
    expect(more.figures).toEqual({ 'migrations-applied': 1, 'migrations-total': 3 });
  });

  test('needs one session for each file and one besides, and one to say what is pending', async () => {
    const database = await cluster.database();
    let sessions = 0;
    const tasks = database.tasks({
      onStart: () => {
        sessions += 1;
      },
    });
    const sessionsOf = async (work: () => Promise<unknown>): Promise<number> => {
      const before = sessions;
      await work();
      return sessions - before;
    };
    // While the site is closed each start of psql, with its login, is time that the public waits.
    const files = [people, email];
    expect(await sessionsOf(() => tasks.pendingMigrations(files, options))).toBe(1);
    expect(await sessionsOf(() => tasks.migrate(files, options))).toBe(3);
    expect(await sessionsOf(() => tasks.pendingMigrations(files, options))).toBe(1);
    expect(await sessionsOf(() => tasks.migrate(files, options))).toBe(1);
    const more = file('004_index.sql', '-- no-transaction\nVACUUM people;');
    expect(await sessionsOf(() => tasks.migrate([...files, more], options))).toBe(2);
  });

  test('shows what is pending before anything is changed, and ends by what that throws', async () => {
    const database = await cluster.database();
    const refused = database.tasks().migrate([people, email], {
      ...options,
      onPending: (pending) => {
        throw new Error(pending.map(({ name }) => name).join());
      },
    });
    await expect(refused).rejects.toThrow('001_people.sql,003_email.sql');
    expect(await database.sql(`SELECT to_regclass('maintenance_window_migrations') IS NULL`)).toBe(
      't',
    );
    // The lock is free again.
    expect((await database.tasks().migrate([people], options)).figures['migrations-applied']).toBe(
      1,
    );
  });

  test('hands no SET on to the next file, but the defaults that a file gives', async () => {
    const database = await cluster.database();
    const first = file(
      '001_defaults.sql',
      `CREATE SCHEMA app;
       SET work_mem = '77MB';
       ALTER DATABASE "${database.name.replaceAll('"', '""')}" SET search_path = app, public;`,
    );
    const second = file(
      '002_next.sql',
      `CREATE TABLE seen AS SELECT current_setting('work_mem') AS work_mem;`,
    );
    await database.tasks().migrate([first, second], options);
    expect(await database.sql(`SELECT count(*) FROM app.seen WHERE work_mem <> '77MB'`)).toBe('1');
  });

  test.each([
    ['', ''],
    [' without transaction', '-- no-transaction\n'],
  ])('a file%s may end all other sessions: the proof is read in a new one', async (_, head) => {
    const database = await cluster.database();
    const alone = file(
      '001_alone.sql',
      `${head}SELECT pg_terminate_backend(pid) FROM pg_stat_activity
       WHERE datname = current_database() AND pid <> pg_backend_pid()`,
    );
    const result = await database.tasks().migrate([alone, people], options);
    expect(result.figures['migrations-applied']).toBe(2);
  });

  test('takes a schema-qualified, hostile name for its table', async () => {
    const database = await cluster.database('CREATE SCHEMA "o\'dd ""schema"');
    const checksumTable = `"o'dd ""schema"."drop table x; -- $$ :a"`;
    await database.tasks().migrate([people], { ...options, checksumTable });
    expect(await database.sql(`SELECT name FROM ${checksumTable}`)).toBe('001_people.sql');
    await database.tasks().migrate([people, email], { ...options, checksumTable });
    expect(await database.sql(`SELECT count(*) FROM ${checksumTable}`)).toBe('2');
    const failure = await failureFrom(
      database.tasks().migrate([people], { ...options, checksumTable: 'a b; DROP TABLE people' }),
    );
    expect(failure.code).toBe('database-name-refused');
  });

  test('runs files as written: psql interprets nothing, whatever the file’s name', async () => {
    const database = await cluster.database();
    const hostile = file(
      `004_'); DROP TABLE people; -- \\gexec :x $$.sql`,
      `\uFEFFCREATE TABLE notes (t text);
INSERT INTO notes VALUES ('\\! touch /tmp/never'), (':name :''name'''), ($a$;COMMIT;$a$);
CREATE FUNCTION f() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT 1; SELECT CASE WHEN true THEN 2 END; END;
DO $do$ BEGIN INSERT INTO notes VALUES ('from do; done'); END $do$;`,
    );
    await database.tasks().migrate([people, hostile], options);
    expect(await database.sql('SELECT t FROM notes ORDER BY t')).toBe(
      [":name :'name'", ';COMMIT;', '\\! touch /tmp/never', 'from do; done'].join('\n'),
    );
    expect(await database.sql('SELECT f()')).toBe('2');
  });

  test('a failed file leaves nothing and is named with its line; those before it stay', async () => {
    const database = await cluster.database();
    const broken = file(
      '002_broken.sql',
      `CREATE TABLE half (a int);\n\nINSERT INTO half VALUES (1);\nSELECT\n  nowhere FROM half;\n`,
    );
    const failure = await failureFrom(database.tasks().migrate([people, broken, email], options));
    expect(failure.code).toBe('database-statement-failed');
    expect(failure.message).toMatch(
      /^Migration "002_broken\.sql", line 5, failed: column "nowhere" does not exist.*\(SQLSTATE 42703, line 5\)\.$/,
    );
    expect(failure.state).toBe(
      'The file’s transaction was rolled back and left nothing. Applied by this run and staying: 001_people.sql.',
    );
    expect(await database.sql(`SELECT to_regclass('half') IS NULL`)).toBe('t');
    expect(await database.sql(rows)).toBe(`001_people.sql|applied||t|${people.sha256}`);
    expect(
      await database.sql(
        `SELECT count(*) FROM information_schema.columns WHERE column_name = 'email'`,
      ),
    ).toBe('0');
  });

  test('a deferred constraint that fails at COMMIT leaves nothing either', async () => {
    const database = await cluster.database();
    const deferred = file(
      '001_deferred.sql',
      `CREATE TABLE a (id int PRIMARY KEY);
       CREATE TABLE b (a int REFERENCES a DEFERRABLE INITIALLY DEFERRED);
       INSERT INTO b VALUES (7);`,
    );
    const failure = await failureFrom(database.tasks().migrate([deferred], options));
    expect(failure.message).toContain('COMMIT of Migration "001_deferred.sql" failed:');
    expect(failure.message).not.toContain('(7)');
    expect(await database.sql(`SELECT to_regclass('b') IS NULL`)).toBe('t');
    expect(await database.sql(rows)).toBe('');
  });

  test('refuses a changed file before anything runs', async () => {
    const database = await cluster.database();
    await database.tasks().migrate([people], options);
    const changed = file(people.name, `${people.sql} `);
    const failure = await failureFrom(database.tasks().migrate([changed, email], options));
    expect(failure.code).toBe('database-migration-changed');
    expect(failure.message).toContain(people.sha256);
    expect(failure.message).toContain(changed.sha256);
    expect(await database.sql(rows)).toBe(`001_people.sql|applied||t|${people.sha256}`);
  });

  test('refuses a missing, an early and a doubled file before anything runs', async () => {
    const database = await cluster.database();
    const tasks = database.tasks();
    await tasks.migrate([people, index], options);
    expect((await failureFrom(tasks.migrate([people, email], options))).code).toBe(
      'database-migration-missing',
    );
    const early = file('001a_early.sql', 'CREATE TABLE early (a int)');
    expect((await failureFrom(tasks.migrate([people, early, index], options))).code).toBe(
      'database-migration-out-of-order',
    );
    expect((await failureFrom(tasks.migrate([people, index, email, email], options))).code).toBe(
      'database-migration-duplicate',
    );
    expect(
      await database.sql(
        `SELECT count(*), to_regclass('early') IS NULL FROM maintenance_window_migrations`,
      ),
    ).toBe('2|t');
  });

  test('refuses what would break its transaction before anything runs', async () => {
    const database = await cluster.database();
    for (const [sql, problem] of [
      ['CREATE TABLE x (a int);\nCOMMIT;', 'line 2: COMMIT would break the transaction'],
      ['SELECT 1;\n\nCOPY people FROM STDIN;', 'line 3: COPY cannot exchange data'],
      ['COPY people TO STDOUT', 'line 1: COPY cannot exchange data'],
      ['-- nothing', 'line 1: there is no SQL statement'],
      ["SELECT 'open", 'a string that begins on line 1'],
    ] as const) {
      const failure = await failureFrom(
        database.tasks().migrate([people, file('002.sql', sql)], options),
      );
      expect(failure.message).toContain('Migration "002.sql"');
      expect(failure.message).toContain(problem);
    }
    expect(await database.sql(`SELECT to_regclass('people') IS NULL`)).toBe('t');
  });

  test('a file cannot take its own row away or hide behind another role', async () => {
    const database = await cluster.database();
    const thief = file('001_thief.sql', 'DELETE FROM maintenance_window_migrations');
    expect((await failureFrom(database.tasks().migrate([thief], options))).code).toBe(
      'database-migration-row-lost',
    );
    const actor = file(
      '001_actor.sql',
      'SET SESSION AUTHORIZATION clerk; SET search_path = nowhere',
    );
    await database.tasks().migrate([actor], options);
    expect(await database.sql('SELECT name FROM maintenance_window_migrations')).toBe(
      '001_actor.sql',
    );
  });

  test('a file without transaction that fails is refused next time, with the next step', async () => {
    const database = await cluster.database();
    const tasks = database.tasks();
    const partial = file(
      "002_partial'.sql",
      '-- no-transaction\nCREATE TABLE first_half (a int);\nCREATE TABLE first_half (a int);\n',
    );
    const failure = await failureFrom(tasks.migrate([people, partial], options));
    expect(failure.message).toContain(`Migration "002_partial'.sql", line 3, failed:`);
    expect(failure.state).toContain('its statements before the failing one are done and stay');
    const next = await failureFrom(tasks.migrate([people, partial, email], options));
    expect(next.code).toBe('database-migration-interrupted');
    expect(next.next).toContain(
      `DELETE FROM "public"."maintenance_window_migrations" WHERE name = '002_partial''.sql'`,
    );
    // The next step works as told.
    await database.sql(
      `DROP TABLE first_half; DELETE FROM "public"."maintenance_window_migrations" WHERE name = '002_partial''.sql'`,
    );
    const mended = file(partial.name, '-- no-transaction\nCREATE TABLE first_half (a int);');
    const result = await tasks.migrate([people, mended, email], options);
    expect(result.figures['migrations-applied']).toBe(2);
  });

  test('a file without transaction that forgets its COMMIT is not taken for applied', async () => {
    const database = await cluster.database();
    const open = file('001_open.sql', '-- no-transaction\nBEGIN; CREATE TABLE lost (a int);');
    const failure = await failureFrom(database.tasks().migrate([open], options));
    expect(failure.code).toBe('database-migration-transaction-left-open');
    expect(
      await database.sql(
        `SELECT state, to_regclass('lost') IS NULL FROM maintenance_window_migrations`,
      ),
    ).toBe('applying|t');
  });

  test('a run that is cancelled in a file without transaction is found next time', async () => {
    const database = await cluster.database();
    await database.tasks().migrate([people], options);
    const holder = await database.hold('BEGIN; LOCK TABLE people');
    const controller = new AbortController();
    const work = failureFrom(
      database.tasks({ signal: controller.signal }).migrate([people, index], {
        ...options,
        lockTimeoutSeconds: 0,
        statementTimeoutSeconds: 0,
      }),
    );
    await until(async () => (await database.running('%CREATE INDEX%')) === 1, 'the file waits');
    controller.abort();
    expect((await work).code).toBe('cancelled');
    await until(async () => (await database.running('%CREATE INDEX%')) === 0, 'the server gave up');
    await holder.close();
    const failure = await failureFrom(database.tasks().migrate([people, index], options));
    expect(failure.code).toBe('database-migration-interrupted');
  });

  test('a run that is cancelled in a transaction leaves nothing, and the next one applies the file', async () => {
    const database = await cluster.database();
    await database.tasks().migrate([people], options);
    const holder = await database.hold('BEGIN; LOCK TABLE people');
    const controller = new AbortController();
    const work = failureFrom(
      database.tasks({ signal: controller.signal }).migrate([people, email], {
        ...options,
        lockTimeoutSeconds: 0,
        statementTimeoutSeconds: 0,
      }),
    );
    await until(async () => (await database.running('%ALTER TABLE people%')) === 1, 'it waits');
    controller.abort();
    expect((await work).code).toBe('cancelled');
    await until(async () => (await database.running('%ALTER TABLE people%')) === 0, 'it is gone');
    await holder.close();
    const result = await database.tasks().migrate([people, email], options);
    expect(result.figures['migrations-applied']).toBe(1);
  });

  test('a second migrator is kept out while the first is at work', async () => {
    const database = await cluster.database('CREATE TABLE gate (a int)');
    const holder = await database.hold('BEGIN; LOCK TABLE gate');
    const slow = file('001_slow.sql', 'ALTER TABLE gate ADD b int');
    const first = database.tasks().migrate([slow], { ...options, lockTimeoutSeconds: 0 });
    await until(
      async () => (await database.running('%ALTER TABLE gate%')) === 1,
      'the first waits',
    );
    const failure = await failureFrom(database.tasks().migrate([slow], options));
    expect(failure.code).toBe('database-migration-locked');
    expect(failure.message).toMatch(/pid \d+ \(user postgres, application maintenance-window/);
    await holder.close();
    expect((await first).figures['migrations-applied']).toBe(1);
  });

  test('a lock timeout names the holder and the file', async () => {
    const database = await cluster.database('CREATE TABLE gate (a int)');
    const holder = await database.hold('BEGIN; LOCK TABLE gate', 'shop');
    const failure = await failureFrom(
      database.tasks().migrate([file('001_slow.sql', '-- why\nALTER TABLE gate ADD b int')], {
        ...options,
        lockTimeoutSeconds: 2,
      }),
    );
    await holder.close();
    expect(failure.code).toBe('database-lock-timeout');
    expect(failure.message).toMatch(
      /^Migration "001_slow\.sql", line 2, was given up by the server after waiting 2 seconds for a lock\. It waited for AccessExclusiveLock on public\.gate, held by pid \d+ \(user postgres, application shop/,
    );
    expect(failure.state).toContain('left nothing');
  });

  test('takes no table of somebody else for its own', async () => {
    const database = await cluster.database(
      'CREATE TABLE maintenance_window_migrations (version int); CREATE VIEW looks AS SELECT 1',
    );
    const failure = await failureFrom(database.tasks().migrate([people], options));
    expect(failure.code).toBe('database-checksum-table-unknown');
    expect(failure.message).toContain('name, sha256, state');
    const view = await failureFrom(
      database.tasks().migrate([people], { ...options, checksumTable: 'looks' }),
    );
    expect(view.code).toBe('database-checksum-table-unknown');
  });

  test('tells a role that may not create the table so, before any file runs', async () => {
    const database = await cluster.database();
    const failure = await failureFrom(
      database.tasks({ user: 'clerk' }).migrate([file('1.sql', 'SELECT 1')], options),
    );
    expect(failure.code).toBe('database-permission-denied');
    expect(failure.message).toContain('Creating the checksum table');
  });
});
