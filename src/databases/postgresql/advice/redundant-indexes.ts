import { megabytes, type Advice } from './advice.ts';
import type { AdvisedIndex } from './index-catalog.ts';

const kind = 'duplicate-index';

/** An index, and another one that does its work. */
export interface Redundancy {
  readonly index: AdvisedIndex;
  readonly keeper: AdvisedIndex;
  readonly how: 'same' | 'prefix';
}

function isAlike(a: AdvisedIndex, b: AdvisedIndex): boolean {
  return (
    a.relation === b.relation &&
    a.method === b.method &&
    a.expressions === b.expressions &&
    a.predicate === b.predicate
  );
}

function isSame(a: AdvisedIndex, b: AdvisedIndex): boolean {
  return (
    isAlike(a, b) &&
    a.keys.join() === b.keys.join() &&
    a.included.join() === b.included.join() &&
    a.isUnique === b.isUnique &&
    a.nullsNotDistinct === b.nullsNotDistinct
  );
}

/** Whether the longer B-tree answers all that the shorter one does (manual, 11.3: leading columns). */
function isPrefix(short: AdvisedIndex, long: AdvisedIndex): boolean {
  const columns = long.keys.map((key) => key.split('/')[0] ?? '');
  return (
    short.method === 'btree' &&
    isAlike(short, long) &&
    short.expressions === '' &&
    !short.isUnique &&
    short.keys.length <= long.keys.length &&
    short.keys.every((key, at) => key === long.keys[at]) &&
    short.included.every((column) => [...columns, ...long.included].includes(column))
  );
}

/** Indexes that could go, each with the one that stays; of two alike the needed, or the first by name, stays. */
export function redundantIndexes(indexes: readonly AdvisedIndex[]): readonly Redundancy[] {
  const found: Redundancy[] = [];
  const gone = new Set<AdvisedIndex>();
  const candidates = indexes.filter(({ isNeeded }) => !isNeeded);
  for (const index of candidates) {
    const others = indexes.filter((other) => other !== index && !gone.has(other));
    const same = others.find(
      (other) => isSame(index, other) && (other.isNeeded || other.name < index.name),
    );
    const longer = others.find((other) => isPrefix(index, other) && !isSame(index, other));
    const keeper = same ?? longer;
    if (keeper === undefined) continue;
    gone.add(index);
    found.push({ index, keeper, how: same === undefined ? 'prefix' : 'same' });
  }
  return found.sort((a, b) => b.index.bytes - a.index.bytes);
}

/** Advice on them. */
export function redundantIndexAdvice(indexes: readonly AdvisedIndex[]): Advice {
  return {
    kind,
    findings: redundantIndexes(indexes).map(({ index, keeper, how }) => ({
      kind,
      object: index.name,
      observed: `${megabytes(index.bytes)}; ${how === 'same' ? `same as ${keeper.name}` : `${keeper.name} begins with its columns`}`,
      statement: `DROP INDEX CONCURRENTLY ${index.name}`,
      why: `Every write to ${index.table} keeps both up to date; ${keeper.name} answers the same queries${how === 'same' ? '' : ', a little slower where it is much wider'}.`,
    })),
  };
}
