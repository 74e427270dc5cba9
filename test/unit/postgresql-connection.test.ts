import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { parseConnection } from '../../src/databases/postgresql/connection.ts';
import { failureOf, type Failure } from '../../src/ports/failure.ts';

function refusal(url: string): Failure {
  try {
    parseConnection(url);
  } catch (error) {
    return failureOf(error);
  }
  throw new Error('The URL was accepted');
}

describe('a database URL', () => {
  test('becomes environment variables, for any database of the server', () => {
    const connection = parseConnection(
      'postgresql://app:p%40ss%3A%2F@db.example:6432/my%20shop?sslmode=verify-full&sslrootcert=%2Fetc%2Fca.pem&connect_timeout=3',
    );
    expect(connection.label).toBe('postgresql my shop on db.example:6432');
    expect(connection.environment('postgres')).toEqual({
      PGHOST: 'db.example',
      PGPORT: '6432',
      PGUSER: 'app',
      PGPASSWORD: 'p@ss:/',
      PGDATABASE: 'postgres',
      PGSSLMODE: 'verify-full',
      PGSSLROOTCERT: '/etc/ca.pem',
      PGCONNECT_TIMEOUT: '3',
      PGAPPNAME: 'maintenance-window',
      PGCLIENTENCODING: 'UTF8',
      PG_COLOR: 'never',
      LC_ALL: 'C',
    });
  });

  test.each([
    [
      'postgres://u@[::1]:5433/shop',
      { PGHOST: '::1', PGPORT: '5433' },
      'postgresql shop on [::1]:5433',
    ],
    [
      'postgres://[fe80::1%25eth0]/shop',
      { PGHOST: 'fe80::1%eth0' },
      'postgresql shop on [fe80::1%eth0]:5432',
    ],
    [
      'postgresql:///shop?host=/run/postgresql&user=app',
      { PGHOST: '/run/postgresql', PGUSER: 'app' },
      'postgresql shop on /run/postgresql:5432',
    ],
    [
      'postgresql://%2Frun%2Fpostgresql/shop',
      { PGHOST: '/run/postgresql' },
      'postgresql shop on /run/postgresql:5432',
    ],
    [
      'postgresql:///shop',
      { PGHOST: '', PGPORT: '5432' },
      'postgresql shop on the local socket:5432',
    ],
    [
      'postgresql://h?dbname=shop&password=x',
      { PGDATABASE: 'shop', PGPASSWORD: 'x' },
      'postgresql shop on h:5432',
    ],
    ['POSTGRESQL://h/shop?ssl=true', { PGSSLMODE: 'require' }, 'postgresql shop on h:5432'],
    [
      'postgresql://h/shop?ssl=true&sslmode=verify-ca',
      { PGSSLMODE: 'verify-ca' },
      'postgresql shop on h:5432',
    ],
    ['postgresql://u:p@h/shop\n', { PGPASSWORD: 'p' }, 'postgresql shop on h:5432'],
    [
      'postgresql://h/shop?options=-c%20search_path%3Dapp',
      { PGOPTIONS: '-c search_path=app' },
      'postgresql shop on h:5432',
    ],
    [
      'postgresql://h/shop?application_name=web',
      { PGAPPNAME: 'maintenance-window' },
      'postgresql shop on h:5432',
    ],
    ['postgresql://h/a%0Ab', { PGDATABASE: 'a\nb' }, 'postgresql a\\nb on h:5432'],
  ])('%j is understood', (url, expected, label) => {
    const connection = parseConnection(url);
    expect(connection.environment(connection.database)).toMatchObject(expected);
    expect(connection.label).toBe(label);
  });

  test.each([
    ['', 'empty'],
    ['hunter2', 'does not begin with postgresql://'],
    ['mysql://app:hunter2@h/shop', 'mysql://'],
    ['postgresql+psycopg2://app:hunter2@h/shop', 'postgresql+psycopg2://'],
    ['postgresql://app:hunter2@h', 'names no database'],
    ['postgresql://app:hunter2@h/', 'names no database'],
    ['postgresql://app:hunter2@h1,h2/shop', 'several hosts'],
    ['postgresql:///shop?host=h1,h2&password=hunter2', 'several hosts'],
    ['postgresql://app:hun#ter2@h/shop', '%23'],
    ['postgresql://app:hunter2/x@h/shop', 'after the host'],
    ['postgresql://app:12/hunter2@h/shop', 'percent-encoded'],
    ['postgresql://app:12?hunter2@h/shop=1', 'percent-encoded'],
    ['postgresql://app:hun ter2@h/shop', 'white space'],
    ['postgresql://app:hun%ter2@h/shop', 'percent-encoding in its password'],
    ['postgresql://app:hunter2%00@h/shop', 'NUL'],
    ['postgresql://app:hunter2@h:99999/shop', 'port'],
    ['postgresql://app:hunter2@h:http/shop', 'port'],
    ['postgresql://app:hunter2@::1/shop', 'host or port'],
    ['postgresql://app:hunter2@h/shop?sslmode=maybe', 'sslmode "maybe"'],
    ['postgresql://app:hunter2@h/shop?pgbouncer=true', '"pgbouncer"'],
    ['postgresql://app:hunter2@h/shop?password=hunter2', 'password twice'],
    ['postgresql://app:hunter2@h/shop?sslmode=require&sslmode=require', 'twice'],
    ['postgresql://app:hunter2@h/shop?connect_timeout=soon', 'connect_timeout'],
    ['postgresql://app:hunter2@h/shop?sslmode', 'without a value'],
    [`postgresql://app:hunter2@h/${'x'.repeat(64)}`, '63 bytes'],
  ])('%j is refused', (url, why) => {
    const failure = refusal(url);
    expect(failure.code).toBe('database-url-invalid');
    expect(failure.message).toMatch(new RegExp(why.replaceAll('+', '\\+')));
    expect(JSON.stringify(failure)).not.toMatch(/hunter|ter2/);
  });

  const part = fc
    .string({ unit: 'grapheme', minLength: 1, maxLength: 12 })
    .filter((text) => !text.includes('\0') && Buffer.byteLength(text) <= 63);

  test('takes back every part that was percent-encoded', () => {
    fc.assert(
      fc.property(part, part, part, (user, password, database) => {
        const url = `postgresql://${encodeURIComponent(user)}:${encodeURIComponent(password)}@localhost/${encodeURIComponent(database)}`;
        const connection = parseConnection(url);
        expect(connection).toMatchObject({ user, password, database });
      }),
    );
  });

  test('never prints the password, however the URL is mangled', () => {
    const secret = 'Zq7Secret';
    fc.assert(
      fc.property(
        fc.constant(`postgresql://app:${secret}@h:5432/shop?sslmode=require`),
        fc.nat(70),
        fc.constantFrom('', '#', '/', '@', ':', '?', ' ', '%', '[', ',', '&', '\n'),
        (url, at, mangling) => {
          const mangled = url.slice(0, at) + mangling + url.slice(at);
          let told = '';
          try {
            told = parseConnection(mangled).label;
          } catch (error) {
            told = JSON.stringify(failureOf(error));
          }
          expect(told).not.toContain('Zq7');
          expect(told).not.toContain('Secret');
        },
      ),
      { numRuns: 500 },
    );
  });
});
