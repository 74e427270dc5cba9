import { describe, expect, test } from '@jest/globals';
import {
  planMigrations,
  refusalOf,
  type MigrationPlan,
  type RecordedMigration,
} from '../../src/databases/postgresql/tasks/migration-plan.ts';
import type { MigrationFile } from '../../src/ports/database-tasks.ts';

const file = (name: string, sha256 = 'a'): MigrationFile => ({
  name,
  sha256,
  sql: 'SELECT 1',
  withoutTransaction: false,
});
const record = (
  name: string,
  sha256 = 'a',
  state: RecordedMigration['state'] = 'applied',
): RecordedMigration => ({ name, sha256, state, startedAt: '2026-11-01 02:00:00+00' });

function refusal(plan: MigrationPlan): ReturnType<typeof refusalOf> {
  if (plan.kind === 'apply') throw new Error('it is not refused');
  return refusalOf(plan, '"public"."t"');
}

describe('planMigrations', () => {
  test('applies what is not recorded, in the order of the files', () => {
    expect(planMigrations([file('1'), file('2'), file('3')], [record('1')])).toEqual({
      kind: 'apply',
      pending: [file('2'), file('3')],
      applied: 1,
    });
    expect(planMigrations([], [])).toEqual({ kind: 'apply', pending: [], applied: 0 });
  });

  test('the files’ order counts, not the alphabet', () => {
    const plan = planMigrations([file('2_b'), file('10_a')], [record('2_b')]);
    expect(plan).toMatchObject({ kind: 'apply', pending: [{ name: '10_a' }] });
  });

  test.each<[string, MigrationFile[], RecordedMigration[], Partial<MigrationPlan>, string]>([
    [
      'a doubled name',
      [file('1'), file('1')],
      [],
      { kind: 'duplicate' },
      'database-migration-duplicate',
    ],
    [
      'an interrupted file, before all else',
      [file('1', 'changed'), file('2')],
      [record('1'), record('2', 'a', 'applying')],
      { kind: 'interrupted' },
      'database-migration-interrupted',
    ],
    [
      'a changed file',
      [file('1', 'b'), file('2')],
      [record('1')],
      { kind: 'changed' },
      'database-migration-changed',
    ],
    [
      'a missing file',
      [file('2')],
      [record('1'), record('2')],
      { kind: 'missing' },
      'database-migration-missing',
    ],
    ['all files missing', [], [record('1')], { kind: 'missing' }, 'database-migration-missing'],
    [
      'a new file before an applied one',
      [file('1'), file('1a'), file('2')],
      [record('1'), record('2')],
      { kind: 'out-of-order' },
      'database-migration-out-of-order',
    ],
  ])('refuses %s', (_title, files, records, plan, code) => {
    const found = planMigrations(files, records);
    expect(found).toMatchObject(plan);
    expect(refusal(found).code).toBe(code);
  });

  test('tells the statements that settle an interrupted file, quoted', () => {
    const plan = planMigrations([file("o'clock")], [record("o'clock", 'a', 'applying')]);
    expect(refusal(plan).next).toContain(`DELETE FROM "public"."t" WHERE name = 'o''clock'`);
  });
});
