import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { catalogueSections } from '../../src/databases/postgresql/contents/catalogue.ts';
import { otherCatalogues } from '../../src/databases/postgresql/contents/catalogue-others.ts';
import {
  compareContents,
  type ContentComparison,
} from '../../src/phases/backups/content-comparison.ts';
import type { DatabaseContents } from '../../src/ports/database-contents.ts';
import {
  catalogueChanges,
  contentChanges,
  furtherObjects,
  type CatalogueChange,
} from '../fixtures/catalogue-changes.ts';
import { PostgresqlBench } from '../fixtures/postgresql-bench.ts';
import { forgetSubscription, makeRichDatabase, richRoles } from '../fixtures/rich-database.ts';

let bench: PostgresqlBench;
let original: DatabaseContents;

beforeAll(async () => {
  bench = await PostgresqlBench.start();
  await bench.sql(richRoles);
  await makeRichDatabase(bench, 'original');
  await forgetSubscription(bench, 'original');
  await bench.sql(furtherObjects, { database: 'original' });
  original = await contentsOf('original');
});
afterAll(() => bench.stop());

function contentsOf(database: string): Promise<DatabaseContents> {
  return bench.adapter('postgres').contents(database, { jobs: 2 });
}

/** What is said of a copy in which all of this was changed. */
async function comparisonAfter(
  copy: string,
  changes: readonly CatalogueChange[],
): Promise<ContentComparison> {
  await bench.sql(`CREATE DATABASE ${copy} TEMPLATE original`);
  const statements = changes.map(({ sql }) => `${sql};\n`).join('');
  await bench.sql(`SET session_replication_role = replica;\n${statements}`, { database: copy });
  return compareContents(original, await contentsOf(copy));
}

/** An expected text with … for whatever stands there. */
function asPattern(text: string): RegExp {
  const literal = text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');
  return new RegExp(`^${literal.replaceAll('…', '.*')}$`);
}

function saysExactly(found: readonly string[], expected: readonly string[]): void {
  const patterns = expected.map(asPattern);
  const unexpected = found.filter((text) => !patterns.some((pattern) => pattern.test(text)));
  const unseen = expected.filter((_, i) => !found.some((text) => patterns[i]?.test(text) === true));
  expect({ unexpected, unseen }).toEqual({ unexpected: [], unseen: [] });
}

describe('the contents of a database', () => {
  test('answer for every catalogue that the server has', async () => {
    const names = await bench.sql(
      `SELECT relname FROM pg_class WHERE relnamespace = 'pg_catalog'::regnamespace AND relkind = 'r'`,
    );
    const known = new Set([
      ...catalogueSections.flatMap(({ catalogues }) => catalogues),
      ...Object.keys(otherCatalogues),
    ]);
    expect(names.split('\n').filter((name) => !known.has(name))).toEqual([]);
  });

  test('are equal to those of a copy', async () => {
    expect(await comparisonAfter('same', [])).toEqual({ differences: [], told: [] });
    expect(Object.keys(original.catalogue).length).toBeGreaterThan(200);
    expect(Object.keys(original.tables).length).toBeGreaterThan(20);
    expect(original.later).toEqual({ catalogue: {}, sequences: {} });
    expect(JSON.stringify(original)).not.toContain('kept-secret');
  });

  describe('of a copy with another schema', () => {
    let found: ContentComparison;
    beforeAll(async () => {
      found = await comparisonAfter('changed', catalogueChanges);
    });

    test.each(catalogueChanges)('$sql', ({ differences }) => {
      for (const difference of differences) {
        expect(found.differences).toContainEqual(expect.stringMatching(asPattern(difference)));
      }
    });
    test('differ in nothing else', () => {
      saysExactly(
        found.differences,
        catalogueChanges.flatMap(({ differences }) => differences),
      );
      expect(found.told).toEqual([]);
    });
  });

  describe('of a copy with other rows', () => {
    let found: ContentComparison;
    beforeAll(async () => {
      found = await comparisonAfter('rewritten', contentChanges);
    });

    test.each(contentChanges)('$sql', ({ differences }) => {
      for (const difference of differences) {
        expect(found.differences).toContainEqual(expect.stringMatching(asPattern(difference)));
      }
    });
    test('differ in nothing else', () => {
      saysExactly(
        found.differences,
        contentChanges.flatMap(({ differences }) => differences),
      );
    });
  });
});
