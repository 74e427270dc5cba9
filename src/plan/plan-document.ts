import { isCollection, isMap, isPair, LineCounter, parseDocument, type Document } from 'yaml';
import type * as z from 'zod';
import { nearest } from './nearest.ts';
import { planSchema } from './plan.ts';

/** Where in the plan file something stands; both from 1. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** One thing that is wrong with the settings. */
export interface SettingProblem {
  /** `enable-maintenance.retry-after`, or empty for the whole. */
  readonly path: string;
  readonly message: string;
  readonly position?: Position | undefined;
}

/** A plan file as it was read: settings in the file's own form. */
export interface PlanDocument {
  readonly settings: Record<string, z.core.util.JSONType>;
  /** Where a setting stands; the nearest parent for one that is missing. */
  positionOf(path: readonly PropertyKey[], key?: string): Position | undefined;
}

export type PlanReading =
  | { readonly kind: 'read'; readonly document: PlanDocument }
  | { readonly kind: 'not-yaml'; readonly problems: readonly SettingProblem[] };

/** Reads YAML 1.2 with positions; duplicate keys and syntax errors are problems, all at once. */
export function readPlanDocument(text: string): PlanReading {
  const counter = new LineCounter();
  const document = parseDocument(text, {
    lineCounter: counter,
    prettyErrors: false,
    uniqueKeys: true,
  });
  const problems = document.errors.map((error): SettingProblem => {
    const { line, col } = counter.linePos(error.pos[0]);
    return { path: '', message: firstLine(error.message), position: { line, column: col } };
  });
  if (problems.length > 0) return { kind: 'not-yaml', problems };
  const root: unknown = document.contents === null ? {} : safeToJs(document);
  if (root === null || typeof root !== 'object' || Array.isArray(root)) {
    return {
      kind: 'not-yaml',
      problems: [
        {
          path: '',
          message: 'the plan is a mapping of sections',
          position: { line: 1, column: 1 },
        },
      ],
    };
  }
  return {
    kind: 'read',
    document: {
      settings: root as Record<string, z.core.util.JSONType>,
      positionOf: (path, key) => positionOf(document, counter, path, key),
    },
  };
}

/** All problems of settings against the plan's schema, with suggestions for unknown keys. */
export function problemsOf(
  error: z.ZodError,
  settings: unknown,
  document?: PlanDocument,
): readonly SettingProblem[] {
  return error.issues
    .flatMap((issue): SettingProblem[] => {
      if (issue.code === 'unrecognized_keys') {
        return issue.keys.map((key) => ({
          path: [...issue.path, key].join('.'),
          message: unknownKey(key, issue.path),
          position: document?.positionOf(issue.path, key),
        }));
      }
      return [
        {
          path: issue.path.join('.'),
          message: `${show(valueAt(settings, issue.path))}: ${accepted(issue)}`,
          position: document?.positionOf(issue.path),
        },
      ];
    })
    .sort(
      (a, b) =>
        (a.position?.line ?? 0) - (b.position?.line ?? 0) ||
        (a.position?.column ?? 0) - (b.position?.column ?? 0),
    );
}

/** Problems for people, one a line: `12:5 enable-maintenance.retry-after "soon": is a duration …`. */
export function formatProblems(source: string, problems: readonly SettingProblem[]): string {
  return problems
    .map(({ path, message, position }) => {
      const place =
        position === undefined ? source : `${source}:${position.line}:${position.column}`;
      return `${place} ${path === '' ? '' : `${path}: `}${message}`;
    })
    .join('\n');
}

function unknownKey(key: string, path: readonly PropertyKey[]): string {
  const known = keysAt(path);
  const suggestion = nearest(key, known);
  const list = known.length === 0 ? '' : `; known here: ${known.join(', ')}`;
  return suggestion === undefined
    ? `unknown key "${key}"${list}`
    : `unknown key "${key}"; did you mean "${suggestion}"?`;
}

interface Definition {
  readonly type: string;
  readonly in?: z.core.$ZodType;
  readonly innerType?: z.core.$ZodType;
  readonly element?: z.core.$ZodType;
  readonly shape?: Readonly<Record<string, z.core.$ZodType>>;
  readonly options?: readonly z.core.$ZodType[];
}

/** Keys that the schema knows at a path; of a union, those of all its members. */
function keysAt(path: readonly PropertyKey[]): readonly string[] {
  const walk = (
    type: z.core.$ZodType | undefined,
    rest: readonly PropertyKey[],
  ): readonly string[] => {
    if (type === undefined) return [];
    const definition = type._zod.def as unknown as Definition;
    const inner = definition.in ?? definition.innerType;
    if (inner !== undefined) return walk(inner, rest);
    if (definition.options !== undefined) {
      return [...new Set(definition.options.flatMap((option) => walk(option, rest)))];
    }
    const [head, ...tail] = rest;
    if (definition.element !== undefined) return walk(definition.element, tail);
    if (definition.shape === undefined) return [];
    return head === undefined
      ? Object.keys(definition.shape)
      : walk(definition.shape[String(head)], tail);
  };
  return walk(planSchema, path);
}

function accepted(issue: z.core.$ZodIssue): string {
  if (
    issue.code === 'invalid_type' &&
    issue.input === undefined &&
    issue.message.startsWith('Invalid input')
  ) {
    return `is not a value of type ${issue.expected}`;
  }
  if (issue.code === 'invalid_value' && issue.message.startsWith('Invalid')) {
    return `is one of ${issue.values.map(String).join(', ')}`;
  }
  return issue.message;
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  let current = value;
  for (const key of path) {
    if (current === null || typeof current !== 'object') return undefined;
    current = (current as Record<PropertyKey, unknown>)[key];
  }
  return current;
}

function show(value: unknown): string {
  if (value === undefined) return 'missing';
  // A value in the place of a reference may be the secret itself.
  const text = JSON.stringify(value);
  if (/:\/\/[^/\s]*@/.test(text)) return 'the value (not shown: it may hold a secret)';
  return text.length > 80 ? `${text.slice(0, 77)}…` : text;
}

function firstLine(text: string): string {
  return text.split('\n')[0] ?? text;
}

function safeToJs(document: Document): unknown {
  // Aliases are kept few, so that a small file cannot grow into a huge one.
  return document.toJS({ maxAliasCount: 20 }) as unknown;
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
