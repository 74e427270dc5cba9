import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { databaseName, type DatabaseRole } from '../../src/phases/database-names.ts';

const windowId = 'mw-20261122-020000-1a2b';
const roles: readonly DatabaseRole[] = ['scratch', 'restore_point', 'restored', 'failed'];
const bytesOf = (text: string): number => Buffer.byteLength(text);

describe('the name of a database that a window makes', () => {
  test.each(roles)('has the application, the window and the role %s', (role) => {
    expect(databaseName('shop', windowId, role)).toBe(`shop_mw_20261122_020000_1a2b_${role}`);
  });

  test('fills the 63 bytes that PostgreSQL keeps, and no more', () => {
    const tail = '_mw_20261122_020000_1a2b_failed';
    const room = 63 - bytesOf(tail);
    expect(databaseName('a'.repeat(room), windowId, 'failed')).toBe(`${'a'.repeat(room)}${tail}`);
    expect(databaseName('a'.repeat(room + 1), windowId, 'failed')).toBe(
      `${'a'.repeat(room)}${tail}`,
    );
  });

  test('is cut by bytes, between characters', () => {
    const cut = databaseName('é'.repeat(30), windowId, 'failed');
    expect(cut).toBe(`${'é'.repeat(16)}_mw_20261122_020000_1a2b_failed`);
    const pair = databaseName(`a${'😀'.repeat(20)}`, windowId, 'failed');
    expect(pair).toBe(`a${'😀'.repeat(7)}_mw_20261122_020000_1a2b_failed`);
  });

  test('of any application keeps window and role, and is text that PostgreSQL can store', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary', minLength: 1, maxLength: 70 }),
        fc.constantFrom(...roles),
        (application, role) => {
          const name = databaseName(application, windowId, role);
          expect(bytesOf(name)).toBeLessThanOrEqual(63);
          expect(name.endsWith(`_mw_20261122_020000_1a2b_${role}`)).toBe(true);
          expect(name.isWellFormed()).toBe(true);
          expect(
            application.startsWith(name.slice(0, -`_mw_20261122_020000_1a2b_${role}`.length)),
          ).toBe(true);
        },
      ),
    );
  });
});
