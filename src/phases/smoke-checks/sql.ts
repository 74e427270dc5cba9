import type { CheckOf } from '../../plan/settings/smoke-test.ts';
import { requireDatabase } from '../requirements.ts';
import { failed, passed, type CheckKind, type Verdict } from './check-kind.ts';

type Demand = Pick<CheckOf<'sql'>, 'equals' | 'atLeast'>;

/** A query and what it must return. */
export const sqlKind: CheckKind<'sql'> = {
  turn: 'first',
  timeoutSeconds: ({ timeout }) => timeout ?? 30,
  expectation: describeDemand,
  look: async (context, check, timeoutSeconds) =>
    judgeSql(check, await requireDatabase(context).queryValue(check.query, { timeoutSeconds })),
};

/** Compares a query's value with what is expected of it. */
export function judgeSql(check: Demand, value: string | undefined): Verdict {
  const expected = describeDemand(check);
  if (value === undefined) return failed('no row', expected);
  const observed = `value ${value}`;
  if (check.equals !== undefined && !isEqual(check.equals, value))
    return failed(observed, expected);
  if (check.atLeast !== undefined && !(numberOf(value) >= check.atLeast))
    return failed(observed, expected);
  return passed(observed);
}

function isEqual(expected: string | number | boolean, value: string): boolean {
  if (typeof expected === 'number') return numberOf(value) === expected;
  // psql prints booleans as t and f.
  if (typeof expected === 'boolean')
    return (expected ? ['t', 'true'] : ['f', 'false']).includes(value);
  return value === expected;
}

/** A number in text; empty text is none, although JavaScript takes it for 0. */
function numberOf(text: string): number {
  return text.trim() === '' ? Number.NaN : Number(text);
}

function describeDemand({ equals, atLeast }: Demand): string {
  const parts = [
    ...(equals === undefined ? [] : [`value ${String(equals)}`]),
    ...(atLeast === undefined ? [] : [`at least ${atLeast}`]),
  ];
  return parts.length === 0 ? 'a row' : parts.join(' and ');
}
