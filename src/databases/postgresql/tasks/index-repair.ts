/** An index as the catalogue shows it. */
export interface IndexState {
  /** `schema.index`, quoted for SQL. */
  readonly name: string;
  /** Name without schema and quotes. */
  readonly bareName: string;
  /** The table that the user knows (for an index of a TOAST table: the table it belongs to), quoted for SQL. */
  readonly table: string;
  /** Oid of the relation that is indexed. */
  readonly relation: string;
  /** Number of the file that holds it; a rebuilt index has another one. */
  readonly fileNode: string;
  readonly bytes: number;
  readonly isValid: boolean;
  /** Method, columns, classes, collations, order, predicate, uniqueness, storage options: all but the name. */
  readonly definition: string;
  /** Whether a constraint stands on it, or it is a partition of another index. */
  readonly isDependedOn: boolean;
  readonly isExclusion: boolean;
  /** Of a system catalogue (or the TOAST table of one). */
  readonly isSystem: boolean;
  /** Of a system catalogue or of a table that an extension made: nobody expects the role to own it. */
  readonly isForeign: boolean;
  /** Whether the role may use the schema it is in; ordinary roles may not use that of the TOAST tables. */
  readonly isNameable: boolean;
  /** Whether the role may rebuild it. */
  readonly isPermitted: boolean;
}

/** What to do with one index. */
export type IndexDecision =
  /** Left by an interrupted concurrent rebuild; `twin` does its work. */
  | { readonly kind: 'drop'; readonly index: IndexState; readonly twin: string }
  | { readonly kind: 'rebuild'; readonly index: IndexState; readonly how: RebuildMethod }
  /**
   * `foreign`: of the system or an extension, and not asked for by name. `unnameable`: of a TOAST table, whose schema
   * an ordinary role may not use.
   */
  | {
      readonly kind: 'leave';
      readonly index: IndexState;
      readonly why: 'not-permitted' | 'foreign' | 'unnameable';
    };

export type RebuildMethod =
  | { readonly kind: 'concurrently' }
  | { readonly kind: 'plain'; readonly why: 'asked' | 'exclusion' | 'system' };

/** Names that PostgreSQL gives to the halves of a concurrent rebuild; a number follows when the name was taken. */
const leftoverName = /_cc(?:new|old)\d*$/;

/**
 * The valid index that does the work of an invalid leftover; `undefined` when the index is no leftover that
 * may be dropped: valid, differently named, depended on, or without such a twin.
 */
export function twinOfLeftover(
  index: IndexState,
  all: readonly IndexState[],
): IndexState | undefined {
  if (index.isValid || index.isDependedOn || !leftoverName.test(index.bareName)) return undefined;
  return all.find(
    (other) =>
      other.isValid &&
      other.name !== index.name &&
      other.relation === index.relation &&
      other.definition === index.definition,
  );
}

/**
 * What a failed concurrent rebuild of `original` left: there now, not there before, invalid, with its definition.
 * Here the original may itself be invalid; that the leftover is new tells that it is ours.
 */
export function ownLeftovers(
  original: IndexState,
  before: readonly IndexState[],
  now: readonly IndexState[],
): readonly IndexState[] {
  return now.filter(
    (index) =>
      !index.isValid &&
      !index.isDependedOn &&
      leftoverName.test(index.bareName) &&
      index.relation === original.relation &&
      index.definition === original.definition &&
      !before.some(({ name }) => name === index.name),
  );
}

export interface RepairOptions {
  readonly concurrently: boolean;
  /** Whether the tables were chosen by name, so that catalogues and extensions among them are meant. */
  readonly named: boolean;
}

/** What to do with each index of the chosen tables, leftovers first. */
export function planReindex(
  indexes: readonly IndexState[],
  options: RepairOptions,
): readonly IndexDecision[] {
  const decisions = indexes.map((index): IndexDecision => {
    // REINDEX DATABASE CONCURRENTLY leaves the catalogues out as well (manual, REINDEX): only a plain rebuild is
    // possible there, and its lock would stop every session.
    if (index.isSystem && options.concurrently && !options.named) {
      return { kind: 'leave', index, why: 'foreign' };
    }
    if (!index.isNameable) return { kind: 'leave', index, why: 'unnameable' };
    if (!index.isPermitted) {
      const why = index.isForeign && !options.named ? 'foreign' : 'not-permitted';
      return { kind: 'leave', index, why };
    }
    const twin = twinOfLeftover(index, indexes);
    if (twin !== undefined) return { kind: 'drop', index, twin: twin.name };
    return { kind: 'rebuild', index, how: methodFor(index, options) };
  });
  return [
    ...decisions.filter(({ kind }) => kind === 'drop'),
    ...decisions.filter(({ kind }) => kind !== 'drop'),
  ];
}

function methodFor(index: IndexState, options: RepairOptions): RebuildMethod {
  if (!options.concurrently) return { kind: 'plain', why: 'asked' };
  if (index.isSystem) return { kind: 'plain', why: 'system' };
  if (index.isExclusion) return { kind: 'plain', why: 'exclusion' };
  return { kind: 'concurrently' };
}
