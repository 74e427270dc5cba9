import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { localeOptions } from '../../src/databases/postgresql/create-empty.ts';
import {
  resetStatements,
  settingStatement,
  splitNameList,
} from '../../src/databases/postgresql/database-settings.ts';
import { grantSteps, revokeStatements, type Grant } from '../../src/databases/postgresql/grants.ts';
import { localeColumns } from '../../src/databases/postgresql/properties.ts';
import { databaseArgument } from '../../src/databases/postgresql/restore.ts';
import { cloneStatements, sizesAgree } from '../../src/databases/postgresql/restore-points.ts';
import type { DatabaseProperties } from '../../src/ports/database.ts';

function grant(
  grantor: string,
  grantee: string | null,
  grantable = false,
  privilege = 'CONNECT',
): Grant {
  return { grantor, grantee, privilege, grantable };
}

describe('grants', () => {
  test('are given by their grantors, each after it got its own', () => {
    const steps = grantSteps('shop', 'owner', [
      grant('carol', 'dave'),
      grant('bob', 'carol', true),
      grant('owner', 'bob', true),
      grant('owner', null),
    ]);
    expect(steps).toEqual([
      {
        grantor: 'owner',
        statements: [
          'GRANT CONNECT ON DATABASE "shop" TO "bob" WITH GRANT OPTION',
          'GRANT CONNECT ON DATABASE "shop" TO PUBLIC',
        ],
      },
      {
        grantor: 'bob',
        statements: ['GRANT CONNECT ON DATABASE "shop" TO "carol" WITH GRANT OPTION'],
      },
      { grantor: 'carol', statements: ['GRANT CONNECT ON DATABASE "shop" TO "dave"'] },
    ]);
  });

  test('a grant option for one right is none for another', () => {
    const steps = grantSteps('shop', 'owner', [
      grant('bob', 'carol', false, 'CREATE'),
      grant('owner', 'bob', true, 'CONNECT'),
      grant('owner', 'bob', true, 'CREATE'),
    ]);
    expect(steps.map(({ grantor }) => grantor)).toEqual(['owner', 'bob']);
  });

  test('what nobody could have granted is not lost and does not loop', () => {
    expect(grantSteps('shop', 'owner', [grant('ghost', 'bob')])).toHaveLength(1);
  });

  test('revoking names PUBLIC and each role once', () => {
    expect(
      revokeStatements('s"p', [grant('o', 'bob'), grant('o', 'bob', false, 'CREATE')]),
    ).toEqual([
      'REVOKE ALL ON DATABASE "s""p" FROM PUBLIC CASCADE',
      'REVOKE ALL ON DATABASE "s""p" FROM "bob" CASCADE',
    ]);
  });
});

describe('settings', () => {
  test.each([
    ['"$user", public', ['$user', 'public']],
    ['public', ['public']],
    ['"My ""Schema""", a,b', ['My "Schema"', 'a', 'b']],
    ['"a, b"', ['a, b']],
    ['', []],
    ['""', ['']],
    ['"open', ['"open']],
  ])('the list %j holds %j', (value, names) => {
    expect(splitNameList(value)).toEqual(names);
  });

  test('every list of names survives writing and reading', () => {
    const name = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(fc.array(name, { minLength: 1, maxLength: 5 }), (names) => {
        const value = names.map((text) => `"${text.replaceAll('"', '""')}"`).join(', ');
        expect(splitNameList(value)).toEqual(names);
      }),
    );
  });

  test('become ALTER statements', () => {
    expect(
      settingStatement('shop', { role: null, name: 'search_path', value: '"$user", app' }),
    ).toBe(`ALTER DATABASE "shop" SET "search_path" TO '$user', 'app'`);
    expect(settingStatement('shop', { role: 'a"b', name: 'shop.region', value: "it's, so" })).toBe(
      `ALTER ROLE "a""b" IN DATABASE "shop" SET "shop"."region" TO 'it''s, so'`,
    );
    expect(settingStatement('shop', { role: null, name: 'search_path', value: '' })).toBe(
      `ALTER DATABASE "shop" SET "search_path" TO ''`,
    );
    expect(resetStatements('shop', [{ role: 'bob', name: 'x', value: '1' }])).toEqual([
      'ALTER DATABASE "shop" RESET ALL',
      'ALTER ROLE "bob" IN DATABASE "shop" RESET ALL',
    ]);
  });
});

describe('versions', () => {
  const like = {
    collate: 'C',
    ctype: 'C.UTF-8',
    localeProvider: 'icu',
    icuLocale: 'de-AT',
  } as DatabaseProperties;

  test('name the locale by their own columns and options', () => {
    expect(localeColumns(14).locale).toBe('NULL::text');
    expect(localeColumns(15).locale).toBe('daticulocale');
    expect(localeColumns(16).locale).toBe('daticulocale');
    expect(localeColumns(17).locale).toBe('datlocale');
    expect(localeOptions(like, 14)).toEqual(["LC_COLLATE 'C'", "LC_CTYPE 'C.UTF-8'"]);
    expect(localeOptions(like, 15)).toContain(`ICU_LOCALE 'de-AT'`);
    expect(
      localeOptions({ ...like, localeProvider: 'builtin', icuLocale: 'C.UTF-8' }, 17),
    ).toContain(`BUILTIN_LOCALE 'C.UTF-8'`);
  });
});

test('a database name with = or quotes is no connection string', () => {
  expect(databaseArgument(`host=evil d'b\\`)).toBe(`dbname='host=evil d\\'b\\\\'`);
});

test('a copy may differ by small files only', () => {
  expect(sizesAgree(8_000_000, 8_000_000)).toBe(true);
  expect(sizesAgree(8_000_000, 8_300_000)).toBe(true);
  expect(sizesAgree(1_000_000_000, 1_000_000_000 - 5_000_000)).toBe(true);
  expect(sizesAgree(1_000_000_000, 500_000_000)).toBe(false);
  expect(sizesAgree(8_000_000, 0)).toBe(false);
});

test.each([
  [14, null, ['CREATE DATABASE "b" TEMPLATE "a" ALLOW_CONNECTIONS false']],
  [15, null, ['CREATE DATABASE "b" TEMPLATE "a" STRATEGY FILE_COPY ALLOW_CONNECTIONS false']],
  [
    17,
    "2.3'",
    [
      `CREATE DATABASE "b" TEMPLATE "a" STRATEGY FILE_COPY COLLATION_VERSION '2.3''' ALLOW_CONNECTIONS false`,
    ],
  ],
  [
    18,
    null,
    [
      expect.stringMatching(/enumvals.*set_config\('file_copy_method', 'clone', false\)/s),
      'CREATE DATABASE "b" TEMPLATE "a" STRATEGY FILE_COPY ALLOW_CONNECTIONS false',
    ],
  ],
])('a copy on version %i (collation %j)', (serverMajor, collationVersion, statements) => {
  expect(cloneStatements('a', 'b', { serverMajor, collationVersion })).toEqual(statements);
});
