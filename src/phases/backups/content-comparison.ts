import type {
  CatalogueObject,
  DatabaseContents,
  SequencePosition,
  TableContents,
} from '../../ports/database-contents.ts';

/** What differs between two databases. */
export interface ContentComparison {
  /** What must not differ, each named, with what was expected and what was found. */
  readonly differences: readonly string[];
  /** What differs by the nature of a logical dump, or because others worked while it was taken. */
  readonly told: readonly string[];
}

export interface ComparisonOptions {
  /** The second one is on another server: it has tablespaces of its own. */
  readonly elsewhere?: boolean;
}

/** Compares what a database should hold with what one holds. */
export function compareContents(
  expected: DatabaseContents,
  found: DatabaseContents,
  options: ComparisonOptions = {},
): ContentComparison {
  const otherVersion = expected.serverMajor !== found.serverMajor;
  const parts = [
    compareCatalogues(expected, found, { elsewhere: options.elsewhere === true, otherVersion }),
    compareTables(expected, found),
    compareViews(expected, found),
    compareSequences(expected, found),
    compareLargeObjects(expected, found),
  ];
  return {
    differences: parts.flatMap(({ differences }) => differences),
    told: parts.flatMap(({ told }) => told),
  };
}

/** Names of both, in order. */
function namesOf(...records: readonly Readonly<Record<string, unknown>>[]): readonly string[] {
  return [...new Set(records.flatMap((record) => Object.keys(record)))].sort();
}

interface Leniency {
  readonly elsewhere: boolean;
  readonly otherVersion: boolean;
}

function compareCatalogues(
  expected: DatabaseContents,
  found: DatabaseContents,
  leniency: Leniency,
): ContentComparison {
  const differences: string[] = [];
  const told: string[] = [];
  const { later } = expected;
  for (const name of namesOf(expected.catalogue, found.catalogue, later.catalogue)) {
    const was = expected.catalogue[name];
    const is = found.catalogue[name];
    const against = (object: CatalogueObject | undefined): ContentComparison =>
      compareObjects(name, object, is, leniency);
    let result = against(was);
    if (result.differences.length > 0 && name in later.catalogue) {
      // The dump may have taken either: a definition is written out as it is at that moment.
      const changed = against(later.catalogue[name] ?? undefined);
      if (changed.differences.length === 0) {
        result = {
          differences: [],
          told: [...changed.told, `${name} was changed while the dump was taken`],
        };
      }
    }
    differences.push(...result.differences);
    told.push(...result.told);
  }
  return { differences, told };
}

function compareObjects(
  name: string,
  was: CatalogueObject | undefined,
  is: CatalogueObject | undefined,
  { elsewhere, otherVersion }: Leniency,
): ContentComparison {
  if (was === undefined) {
    return is === undefined ? nothing : { differences: [`${name} should not be there`], told: [] };
  }
  if (is === undefined) {
    return was.leftOut === undefined
      ? { differences: [`${name} is missing`], told: [] }
      : { differences: [], told: [`${name} is not there: ${was.leftOut}`] };
  }
  const differences: string[] = [];
  const told: string[] = [];
  for (const [facts, other, lenient] of [
    [was.facts, is.facts, false],
    [was.notDumped ?? {}, is.notDumped ?? {}, true],
  ] as const) {
    for (const fact of namesOf(facts, other)) {
      if (facts[fact] === other[fact]) continue;
      const words = `${name}: ${describeFact(fact, facts[fact], other[fact])}`;
      // Servers of another version write definitions in other words.
      const isTold = lenient || otherVersion || (elsewhere && fact === 'tablespace');
      (isTold ? told : differences).push(words);
    }
  }
  return { differences, told };
}

const nothing: ContentComparison = { differences: [], told: [] };

/** So much of a value is shown. */
const shownCharacters = 80;

/** A fact and where its two values part, on one line. */
function describeFact(
  fact: string,
  expected: string | undefined,
  found: string | undefined,
): string {
  const [a, b] = [oneLine(expected), oneLine(found)];
  let same = 0;
  while (same < Math.min(a.length, b.length) && a[same] === b[same]) same += 1;
  const start = Math.max(a.length, b.length) <= shownCharacters ? 0 : Math.max(0, same - 20);
  return `${fact} is ${shown(b, start)} instead of ${shown(a, start)}`;
}

function oneLine(text: string | undefined): string {
  return text === undefined ? 'not set' : text.replace(/\s+/g, ' ').trim();
}

function shown(text: string, start: number): string {
  const end = start + shownCharacters;
  return `${start === 0 ? '' : '…'}${text.slice(start, end)}${text.length > end ? '…' : ''}`;
}

function compareTables(expected: DatabaseContents, found: DatabaseContents): ContentComparison {
  const differences: string[] = [];
  const told: string[] = [];
  const comparable = expected.rowHash === found.rowHash;
  if (!comparable) told.push('the rows were hashed in different ways, and only counted');
  for (const name of namesOf(expected.tables, found.tables)) {
    const [was, is] = [expected.tables[name], found.tables[name]];
    const difference = compareTable(was, is, comparable);
    if (difference !== undefined) differences.push(`table ${name} ${difference}`);
    else if (comparable && was?.generated !== is?.generated) {
      told.push(
        `table ${name} has other values in generated columns, which a restore computes anew`,
      );
    }
  }
  return { differences, told };
}

function compareTable(
  was: TableContents | undefined,
  is: TableContents | undefined,
  comparable: boolean,
): string | undefined {
  if (was === undefined) return 'has contents and should not be there';
  if (is === undefined) return 'has no contents';
  if (was.rows !== is.rows) return `has ${is.rows} rows instead of ${was.rows}`;
  if (comparable && was.hash !== is.hash) {
    return `has as many rows (${was.rows}), but not the same (hash ${is.hash} instead of ${was.hash})`;
  }
  return undefined;
}

function compareViews(expected: DatabaseContents, found: DatabaseContents): ContentComparison {
  const stale = namesOf(expected.views, found.views).filter(
    (name) => expected.views[name]?.hash !== found.views[name]?.hash,
  );
  return {
    differences: [],
    told: stale.map(
      (name) =>
        `materialized view ${name} has other rows: it was stale, and a restore refreshes it`,
    ),
  };
}

function compareSequences(expected: DatabaseContents, found: DatabaseContents): ContentComparison {
  const differences: string[] = [];
  const told: string[] = [];
  for (const name of namesOf(expected.sequences, found.sequences)) {
    const [was, is] = [expected.sequences[name], found.sequences[name]];
    const moved = name in expected.later.sequences;
    const later = expected.later.sequences[name] ?? undefined;
    if (samePosition(was, is)) continue;
    if (moved && (samePosition(later, is) || isBetween(was, later, is))) {
      told.push(`sequence ${name} moved on while the dump was taken`);
      continue;
    }
    differences.push(
      `sequence ${name} is ${position(is)} instead of ${position(was)}${moved ? ` to ${position(later)}` : ''}`,
    );
  }
  return { differences, told };
}

function samePosition(a: SequencePosition | undefined, b: SequencePosition | undefined): boolean {
  return a?.value === b?.value && a?.called === b?.called;
}

/** Whether a sequence that moved from one position to another was at a third in between, up or down. */
function isBetween(
  from: SequencePosition | undefined,
  to: SequencePosition | undefined,
  at: SequencePosition | undefined,
): boolean {
  if (from === undefined || to === undefined || at === undefined) return false;
  const [first, last, value] = [BigInt(from.value), BigInt(to.value), BigInt(at.value)];
  return (first <= value && value <= last) || (last <= value && value <= first);
}

function position(sequence: SequencePosition | undefined): string {
  if (sequence === undefined) return 'missing';
  return sequence.called ? `at ${sequence.value}` : `before its first value ${sequence.value}`;
}

function compareLargeObjects(
  expected: DatabaseContents,
  found: DatabaseContents,
): ContentComparison {
  const differences = namesOf(expected.largeObjects, found.largeObjects).flatMap((oid) => {
    const [was, is] = [expected.largeObjects[oid], found.largeObjects[oid]];
    const which = `large object ${oid}`;
    if (was === undefined) return [`${which} should not be there`];
    if (is === undefined) return [`${which} is missing`];
    if (was.objects !== is.objects) return [`${which}: ${is.objects} instead of ${was.objects}`];
    return was.hash === is.hash
      ? []
      : [`${which}: not the same contents, owner, grants or comment`];
  });
  return { differences, told: [] };
}

/** A list for one sentence: the first few, and how many more there are. */
export function fewOf(list: readonly string[], atMost: number): string {
  const more = list.length - atMost;
  return `${list.slice(0, atMost).join('; ')}${more > 0 ? `; and ${more} more` : ''}`;
}
