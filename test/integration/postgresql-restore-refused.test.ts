import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { appendFile, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Database } from '../../src/ports/database.ts';
import type { DumpManifest } from '../../src/ports/dump-manifest.ts';
import { failureFrom, PostgresqlBench } from '../fixtures/postgresql-bench.ts';
import { believable, createRoles, dump, DumpTargets } from '../fixtures/postgresql-dumps.ts';

let bench: PostgresqlBench;
let targets: DumpTargets;

beforeAll(async () => {
  bench = await PostgresqlBench.start();
  targets = new DumpTargets(bench);
  await createRoles(bench);
});
afterAll(() => bench.stop());

describe('a restore is refused', () => {
  let database: Database;
  let manifest: DumpManifest;
  let directory: string;
  let scratch: string;

  beforeAll(async () => {
    const name = await bench.database(`${believable} CREATE TYPE mood AS ENUM ('good')`);
    database = bench.adapter(name);
    directory = targets.next();
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

  test('from files that are missing, cut or changed', async () => {
    const [first] = manifest.files.filter(({ bytes }) => bytes > 1000);
    const file = first!.name;
    const cut = await targets.copyOf(directory);
    await truncate(join(cut, file), 100);
    expect(await refused(cut)).toContain(
      `database-dump-damaged: The dump in ${cut} cannot be used: the file ${file} has 100 bytes`,
    );
    const changed = await targets.copyOf(directory);
    await truncate(join(changed, file), first!.bytes - 1);
    await appendFile(join(changed, file), '!');
    expect(await refused(changed)).toContain('another checksum');
    const gone = await targets.copyOf(directory);
    await rm(join(gone, file));
    expect(await refused(gone)).toContain('is missing');
    const unfinished = await targets.copyOf(directory);
    await rm(join(unfinished, 'manifest.json'));
    expect(await refused(unfinished)).toContain('never finished');
    const broken = await targets.copyOf(directory);
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
