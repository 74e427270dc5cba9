import type * as z from 'zod';
import type { ActionInput } from '../../src/plan/actions.ts';
import { metaOf, secretReferenceMessage } from '../../src/plan/setting-types.ts';

/** What the generated files say about a setting, all of it taken from its declaration. */
export interface SettingFacts {
  readonly description: string;
  /** What is accepted, in words: `a duration such as 90m, 30s or 1h30m`. */
  readonly accepts: string;
  /** How it is written as an input, where that is not plain text. */
  readonly writing: string;
  /** The default as a person would write it; empty when there is none. */
  readonly fallback: string;
  readonly example: string;
  /** Whether the plan refuses to be without it. */
  readonly isRequired: boolean;
}

/** What of a zod definition is needed to describe it. */
interface Definition {
  readonly type: string;
  readonly in?: z.ZodType;
  readonly innerType?: z.ZodType;
  readonly element?: z.ZodType;
  readonly options?: readonly z.ZodType[];
  readonly entries?: Readonly<Record<string, string>>;
  readonly values?: readonly unknown[];
  readonly defaultValue?: unknown;
}

/** Facts of a setting that was declared with `setting()`. */
export function settingFacts(type: z.ZodType): SettingFacts {
  const { description, example = '', form } = metaOf(type);
  const writing = {
    text: '',
    flag: '',
    number: '',
    list: 'One a line, or with commas on one line.',
    document: 'YAML.',
  }[form];
  return { ...fieldFacts(type), description, example, writing };
}

/** Facts of a field inside a document, such as a task's. */
export function fieldFacts(type: z.ZodType): SettingFacts {
  const fallback = defaultOf(type);
  return {
    description: type.description ?? '',
    accepts: acceptsOf(type),
    writing: '',
    fallback: fallback === undefined ? '' : show(fallback),
    example: '',
    isRequired: fallback === undefined && !type.safeParse(undefined).success,
  };
}

/** Where in the plan an input goes; empty when it belongs to the run. */
export function planPathOf(input: ActionInput): string {
  return input.target.kind === 'plan' ? input.target.path.join('.') : '';
}

/** A default is documented, and never put into `default:` of an input, where it would win over the plan. */
function defaultOf(type: z.ZodType): unknown {
  const definition = definitionOf(type);
  if (definition.type === 'prefault') return definition.defaultValue;
  if (definition.type === 'optional') return undefined;
  if (definition.in !== undefined) return defaultOf(definition.in);
  return definition.innerType === undefined ? undefined : defaultOf(definition.innerType);
}

function show(value: unknown): string {
  // An empty list or mapping is no value that anybody would write.
  if (Array.isArray(value)) return value.map(String).join(', ');
  if (value !== null && typeof value === 'object') return '';
  return String(value);
}

/** What a type accepts, from the message with which it refuses everything else. */
function acceptsOf(type: z.ZodType): string {
  const definition = definitionOf(type);
  const inner = definition.in ?? definition.innerType;
  if (inner !== undefined) return acceptsOf(inner);
  switch (definition.type) {
    case 'enum':
      return alternatives(Object.values(definition.entries ?? {}).map(code));
    case 'literal':
      return alternatives((definition.values ?? []).map((value) => code(String(value))));
    case 'boolean':
      return '`true` or `false`';
    case 'array': {
      const { element } = definition;
      return element === undefined ? 'a list' : listOf(element);
    }
    case 'union':
      return declaredMessage(type) ?? alternatives((definition.options ?? []).map(acceptsOf));
    case 'object':
      return 'settings of its own';
    case 'record':
      return declaredMessage(type) ?? 'a mapping';
    case 'number':
      return numberRange(type as z.ZodNumber);
    default:
      return declaredMessage(type) ?? 'text';
  }
}

function listOf(element: z.ZodType): string {
  const { type, entries } = definitionOf(element);
  if (type === 'enum')
    return `a list of ${alternatives(Object.values(entries ?? {}).map(code), 'and')}`;
  const each = acceptsOf(element);
  const isPlain = each === 'text on one line' || isDocument(element);
  return isPlain ? 'a list' : `a list; each is ${each}`;
}

/** Whether a type is a mapping, or a choice between mappings: then it has a table of its own. */
export function isDocument(type: z.ZodType): boolean {
  return membersOf(type).length > 0;
}

/** The mappings behind a type: one for a group, several for a union of groups, none for anything else. */
export function membersOf(type: z.ZodType): readonly z.ZodObject[] {
  const definition = definitionOf(type);
  const inner = definition.in ?? definition.innerType;
  if (inner !== undefined) return membersOf(inner);
  if (definition.type === 'object') return [type as z.ZodObject];
  return definition.type === 'union' ? (definition.options ?? []).flatMap(membersOf) : [];
}

/** The type of a list's entries; `undefined` when the type is no list. */
export function entryOf(type: z.ZodType): z.ZodType | undefined {
  const definition = definitionOf(type);
  const inner = definition.in ?? definition.innerType;
  return inner === undefined ? definition.element : entryOf(inner);
}

function numberRange(type: z.ZodNumber): string {
  const { minValue, maxValue, format } = type;
  const kind = format === 'safeint' ? 'a whole number' : 'a number';
  const isBounded = minValue !== null && maxValue !== null && maxValue < Number.MAX_SAFE_INTEGER;
  return isBounded ? `${kind} from ${minValue} to ${maxValue}` : kind;
}

/** `is a duration such as 90m` is told as `a duration such as 90m`. */
function declaredMessage(type: z.ZodType): string | undefined {
  const issues = type.safeParse(Symbol('no value')).error?.issues ?? [];
  const message = issues[0]?.message ?? '';
  if (message === secretReferenceMessage)
    return 'a name such as `$DATABASE_URL`; never the secret itself';
  return message.startsWith('is ') ? message.slice('is '.length) : undefined;
}

function alternatives(words: readonly string[], conjunction = 'or'): string {
  const last = words.at(-1) ?? '';
  return words.length < 2 ? last : `${words.slice(0, -1).join(', ')} ${conjunction} ${last}`;
}

function code(text: string): string {
  return `\`${text}\``;
}

function definitionOf(type: z.ZodType): Definition {
  return type.def;
}
