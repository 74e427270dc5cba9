import { isCollection, isMap, isPair, LineCounter, parseDocument, type Document } from 'yaml';
import type * as z from 'zod';

type Json = z.core.util.JSONType;

/** Where in a file something stands; both from 1. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** Finds where something stands in a file. */
export type PositionOf = (path: readonly PropertyKey[], key?: string) => Position | undefined;

export type YamlReading =
  | {
      readonly kind: 'read';
      readonly value: Json;
      /** Where a value (or a key of the mapping at `path`) stands; the nearest parent for one that is missing. */
      readonly positionOf: PositionOf;
    }
  | {
      readonly kind: 'problems';
      readonly problems: readonly { readonly message: string; readonly position?: Position }[];
    };

/**
 * Reads one YAML 1.2 document as JSON data. Syntax errors, duplicate keys, tags, and aliases that are unresolved,
 * recursive or too many are problems, all at once.
 */
export function readYaml(text: string): YamlReading {
  const counter = new LineCounter();
  const document = parseDocument(text, {
    lineCounter: counter,
    prettyErrors: false,
    uniqueKeys: true,
    // Named, so that no `%YAML 1.1` in the file brings back merge keys, sexagesimal numbers and `yes`.
    schema: 'core',
    merge: false,
    resolveKnownTags: false,
  });
  const problems = [...document.errors, ...document.warnings].map((error) => ({
    message: firstLine(error.message),
    position: at(counter, error.pos[0]),
  }));
  if (problems.length > 0) return { kind: 'problems', problems };
  try {
    // Aliases are kept few, so that a small file cannot grow into a huge one; as JSON nothing is recursive.
    const value = document.toJS({ maxAliasCount: 20 }) as Json | undefined;
    return {
      kind: 'read',
      value: JSON.parse(JSON.stringify(value ?? null)) as Json,
      positionOf: (path, key) => positionOf(document, counter, path, key),
    };
  } catch (error) {
    const reason = error instanceof Error ? firstLine(error.message) : String(error);
    return { kind: 'problems', problems: [{ message: `aliases cannot be resolved: ${reason}` }] };
  }
}

function firstLine(text: string): string {
  return text.split('\n')[0] ?? text;
}

function positionOf(
  document: Document,
  counter: LineCounter,
  path: readonly PropertyKey[],
  key?: string,
): Position | undefined {
  if (key !== undefined) {
    const parent = path.length === 0 ? document.contents : document.getIn(path, true);
    if (isMap(parent)) {
      const pair = parent.items.find((item) => isPair(item) && String(item.key) === key);
      const range = (pair?.key as { range?: readonly number[] } | null | undefined)?.range;
      if (range?.[0] !== undefined) return at(counter, range[0]);
    }
  }
  for (let length = path.length; length >= 0; length -= 1) {
    const node: unknown =
      length === 0 ? document.contents : document.getIn(path.slice(0, length), true);
    const range = (node as { range?: readonly number[] | null } | null | undefined)?.range;
    if (
      range?.[0] !== undefined &&
      (length === path.length || isCollection(node) || length === 0)
    ) {
      return at(counter, range[0]);
    }
  }
  return undefined;
}

function at(counter: LineCounter, offset: number): Position {
  const { line, col } = counter.linePos(offset);
  return { line, column: col };
}
