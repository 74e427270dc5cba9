import { describe, expect, test } from '@jest/globals';
import {
  choosePrograms,
  programPath,
  readVersion,
  type ClientPrograms,
} from '../../src/databases/postgresql/client-programs.ts';

function programs(major: number, minor: number, folder?: string): ClientPrograms {
  const version = `${major}.${minor}`;
  return {
    folder,
    major,
    minor,
    versions: { psql: version, pg_dump: version, pg_restore: version },
  };
}

describe('client programs', () => {
  test.each([
    [
      'pg_dump (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)',
      { text: '15.18', major: 15, minor: 18 },
    ],
    ['psql (PostgreSQL) 18.1\n', { text: '18.1', major: 18, minor: 1 }],
    ['psql (PostgreSQL) 19beta2', { text: '19beta2', major: 19, minor: 0 }],
    ['psql (PostgreSQL) 18devel', { text: '18devel', major: 18, minor: 0 }],
    ['pg_dump  Ver 8.0', undefined],
  ])('reads the version in %j', (printed, expected) => {
    expect(readVersion(printed)).toEqual(expected);
  });

  test('of the server’s own major version come first, the newest of them', () => {
    const found = [programs(17, 2), programs(15, 3), programs(15, 9, '/opt/pg'), programs(13, 1)];
    expect(choosePrograms(found, 15)).toBe(found[2]);
  });
  test('otherwise the next newer', () => {
    const found = [programs(18, 0), programs(16, 1), programs(13, 9)];
    expect(choosePrograms(found, 15)).toBe(found[1]);
  });
  test('otherwise the newest, which is too old', () => {
    const found = [programs(12, 9), programs(14, 1)];
    expect(choosePrograms(found, 15)).toBe(found[1]);
  });
  test('none of none', () => {
    expect(choosePrograms([], 15)).toBeUndefined();
  });

  test('have a path in their folder, or a bare name', () => {
    expect(programPath(programs(15, 1, '/usr/lib/postgresql/15/bin'), 'pg_dump')).toBe(
      '/usr/lib/postgresql/15/bin/pg_dump',
    );
    expect(programPath(programs(15, 1), 'pg_dump')).toBe('pg_dump');
  });
});
