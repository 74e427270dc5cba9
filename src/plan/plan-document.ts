import type * as z from 'zod';
import { knownKeysAt } from './known-keys.ts';
import { nearest } from './nearest.ts';
import { planSchema } from './plan.ts';
import { secretReferenceMessage } from './setting-types.ts';
import { readYaml, type Position, type PositionOf } from './yaml-document.ts';

type Json = z.core.util.JSONType;

/** One thing that is wrong with the settings. */
export interface SettingProblem {
  /** `enable-maintenance.retry-after`, or empty for the whole. */
  readonly path: string;
  readonly message: string;
  readonly position?: Position | undefined;
}

/** A plan file as it was read: settings in the file's own form. */
export interface PlanDocument {
  readonly settings: Record<string, Json>;
  /** Where a setting stands; the nearest parent for one that is missing. */
  readonly positionOf: PositionOf;
}

export type PlanReading =
  | { readonly kind: 'read'; readonly document: PlanDocument }
  | { readonly kind: 'not-yaml'; readonly problems: readonly SettingProblem[] };

/** Reads a plan file with positions; whatever makes it no mapping of settings is a problem. */
export function readPlanDocument(text: string): PlanReading {
  const reading = readYaml(text);
  if (reading.kind === 'problems') {
    return {
      kind: 'not-yaml',
      problems: reading.problems.map((problem) => ({ path: '', ...problem })),
    };
  }
  const settings = reading.value ?? {};
  if (typeof settings !== 'object' || Array.isArray(settings)) {
    const position = { line: 1, column: 1 };
    const message = 'the plan is a mapping of sections';
    return { kind: 'not-yaml', problems: [{ path: '', message, position }] };
  }
  return { kind: 'read', document: { settings, positionOf: reading.positionOf } };
}

/** Where problems are looked up: by default the whole plan's schema, and no positions. */
export interface ProblemContext {
  readonly schema?: z.core.$ZodType;
  readonly document?: PlanDocument | undefined;
}

/** All problems of settings against their schema, with suggestions for unknown keys. */
export function problemsOf(
  error: z.ZodError,
  settings: unknown,
  { schema = planSchema, document }: ProblemContext = {},
): readonly SettingProblem[] {
  return error.issues
    .flatMap((issue): SettingProblem[] => {
      if (issue.code === 'unrecognized_keys') {
        const known = knownKeysAt(schema, settings, issue.path);
        return issue.keys.map((key) => ({
          path: [...issue.path, key].join('.'),
          message: unknownKey(key, known),
          position: document?.positionOf(issue.path, key),
        }));
      }
      const accepts = accepted(issue);
      return [
        {
          path: issue.path.join('.'),
          message: `${show(valueAt(settings, issue.path), accepts)}: ${accepts}`,
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

/** Problems for people, one a line: `plan.yml:12:5 enable-maintenance.retry-after: "soon": is a duration …`. */
export function formatProblems(source: string, problems: readonly SettingProblem[]): string {
  return problems
    .map((problem) => {
      const { position } = problem;
      const place =
        position === undefined ? source : `${source}:${position.line}:${position.column}`;
      return `${place} ${formatProblem(problem)}`;
    })
    .join('\n');
}

/** One problem without its place: `retry-after: "soon": is a duration …`. */
export function formatProblem({ path, message }: SettingProblem): string {
  return `${path === '' ? '' : `${visible(path)}: `}${visible(message)}`;
}

/** One line that shows all it holds: a key of a hostile file could else begin a line of the log. */
function visible(text: string): string {
  return text.replaceAll(
    /[\p{C}\u2028\u2029]/gu,
    (char) => `\\u{${char.codePointAt(0)?.toString(16) ?? ''}}`,
  );
}

function unknownKey(key: string, known: readonly string[]): string {
  const suggestion = nearest(key, known);
  const list = known.length === 0 ? '' : `; known here: ${known.join(', ')}`;
  return suggestion === undefined
    ? `unknown key "${key}"${list}`
    : `unknown key "${key}"; did you mean "${suggestion}"?`;
}

const typeWords: Readonly<Record<string, string>> = {
  array: 'is a list',
  boolean: 'is true or false',
  int: 'is a whole number',
  number: 'is a number',
  object: 'is a mapping of settings',
  record: 'is a mapping',
  string: 'is text',
};

/** What is accepted instead, in words; a setting's own message where it has one. */
function accepted(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case 'invalid_type':
      return isDefault(issue) ? (typeWords[issue.expected] ?? issue.message) : issue.message;
    case 'invalid_value':
      return isDefault(issue) ? `is one of ${issue.values.map(String).join(', ')}` : issue.message;
    case 'invalid_union': {
      if (!isDefault(issue)) return issue.message;
      const members = issue.errors.flatMap((issues) => issues.slice(0, 1).map(accepted));
      return [...new Set(members)].join(', or ');
    }
    case 'too_small':
      if (!isDefault(issue)) return issue.message;
      return ['string', 'array'].includes(issue.origin)
        ? 'is not empty'
        : `is at least ${issue.minimum}`;
    case 'invalid_key': {
      const [first] = issue.issues;
      return first === undefined ? issue.message : accepted(first);
    }
    case 'too_big':
      return isDefault(issue) ? `is at most ${issue.maximum}` : issue.message;
    default:
      return issue.message;
  }
}

/** Whether the message is zod's own, which does not speak this suite's language. */
function isDefault(issue: z.core.$ZodIssue): boolean {
  return /^(?:Invalid|Too small|Too big)\b/.test(issue.message);
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  let current = value;
  for (const key of path) {
    if (current === null || typeof current !== 'object' || !Object.hasOwn(current, key)) {
      return undefined;
    }
    current = (current as Record<PropertyKey, unknown>)[key];
  }
  return current;
}

function show(value: unknown, accepts: string): string {
  if (value === undefined) return 'missing';
  const text = JSON.stringify(value);
  // A value in the place of a reference may be the secret itself, and so may a URL with a password, or a key.
  if (accepts === secretReferenceMessage || /:\/\/\S*@|AGE-SECRET-KEY-|PRIVATE KEY/i.test(text)) {
    return 'the value (not shown: it may hold a secret)';
  }
  return text.length > 80 ? `${text.slice(0, 77)}…` : text;
}
