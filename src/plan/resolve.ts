import type * as z from 'zod';
import { fail } from '../ports/failure.ts';
import type { ActionId } from './action-ids.ts';
import { actionDefinitions, inputsOf, type ActionInput } from './actions.ts';
import { defaultMode, modeNamed, modeNeeds } from './modes.ts';
import {
  formatProblem,
  formatProblems,
  problemsOf,
  readPlanDocument,
  type PlanDocument,
} from './plan-document.ts';
import { planSchema, type Plan } from './plan.ts';
import { metaOf } from './setting-types.ts';
import { readYaml } from './yaml-document.ts';

type Json = z.core.util.JSONType;
/** Settings in the plan file's own form: what is merged, recorded, and parsed again by a later run. */
export type RawSettings = Record<string, Json>;

/** Where settings come from; an input wins over the plan, the plan over the record, the record over defaults. */
export interface SettingSources {
  /** Non-empty inputs by name, as text. */
  readonly inputs: Readonly<Record<string, string>>;
  readonly plan?: { readonly path: string; readonly text: string } | undefined;
  /** What earlier actions of the same window recorded. */
  readonly recorded?: RawSettings | undefined;
  /** Settings that the action requires may be missing: they may still come from a record. */
  readonly lenient?: boolean;
}

export interface ResolvedSettings {
  readonly plan: Plan;
  readonly raw: RawSettings;
  /** Inputs that belong to this run only; typed by the action's own invocation shape. */
  readonly invocation: Readonly<Record<string, unknown>>;
}

/**
 * Merges and checks all settings of an action before anything is touched.
 * @throws FailureError `plan-invalid` with every problem at once
 */
export function resolveSettings(id: ActionId, sources: SettingSources): ResolvedSettings {
  const problems: string[] = [];
  let document: PlanDocument | undefined;
  if (sources.plan !== undefined) {
    const { path, text } = sources.plan;
    const reading = readPlanDocument(text);
    if (reading.kind === 'not-yaml') {
      problems.push(formatProblems(path, reading.problems));
    } else {
      document = reading.document;
      // The plan is checked on its own first, so that positions and values are those of the file.
      const alone = planSchema.safeParse(document.settings);
      if (!alone.success) {
        problems.push(
          formatProblems(path, problemsOf(alone.error, document.settings, { document })),
        );
      }
    }
  }
  const inputs = readInputs(id, sources.inputs);
  problems.push(...inputs.problems);
  const raw = merge(merge(sources.recorded ?? {}, document?.settings ?? {}), inputs.settings);
  // What a plan that cannot be read would give is not known to be missing.
  const isAllKnown = sources.plan === undefined || document !== undefined;
  if (isAllKnown && sources.lenient !== true) {
    problems.push(
      ...requiredPaths(id, raw)
        .filter((path) => isMissing(raw, path.split('.')) && !inputs.refused.has(path))
        .map((path) => missingMessage(id, path)),
    );
  }
  if (problems.length > 0) return refuse(problems);
  const parsed = planSchema.safeParse(raw);
  if (!parsed.success) {
    return refuse([formatProblems('settings', problemsOf(parsed.error, raw))]);
  }
  return { plan: parsed.data, raw, invocation: inputs.invocation };
}

function refuse(problems: readonly string[]): never {
  return fail({
    code: 'plan-invalid',
    message: `The settings are not valid:\n${problems.join('\n')}`,
    state: 'Nothing was touched.',
    next: 'Correct the settings named above and start again.',
  });
}

interface InputReading {
  readonly settings: RawSettings;
  readonly invocation: Record<string, unknown>;
  readonly problems: readonly string[];
  /** Plan paths that an input was meant for that is not valid. */
  readonly refused: ReadonlySet<string>;
}

function readInputs(id: ActionId, given: Readonly<Record<string, string>>): InputReading {
  const settings: RawSettings = {};
  const invocation: Record<string, unknown> = {};
  const problems: string[] = [];
  const refused = new Set<string>();
  for (const input of inputsOf(id)) {
    const text = given[input.name];
    if (text === undefined || text.trim() === '') {
      if (input.target.kind === 'invocation')
        invocation[input.target.key] = input.type.safeParse(undefined).data;
      continue;
    }
    const reading = readInput(input, text);
    if (reading.kind === 'problem') {
      problems.push(`input ${input.name}: ${reading.message}`);
      if (input.target.kind === 'plan') refused.add(input.target.path.join('.'));
    } else if (input.target.kind === 'invocation') {
      invocation[input.target.key] = reading.parsed;
    } else {
      setAt(settings, input.target.path, reading.raw);
    }
  }
  return { settings, invocation, problems, refused };
}

type InputValue =
  | { readonly kind: 'value'; readonly raw: Json; readonly parsed: unknown }
  | { readonly kind: 'problem'; readonly message: string };

function readInput(input: ActionInput, text: string): InputValue {
  let raw: Json;
  switch (metaOf(input.type).form) {
    case 'text':
      raw = text.trim();
      break;
    case 'flag':
      if (!['true', 'false'].includes(text.trim())) {
        return { kind: 'problem', message: `${JSON.stringify(text)}: is true or false` };
      }
      raw = text.trim() === 'true';
      break;
    case 'number':
      raw = /^-?\d+$/.test(text.trim()) ? Number(text.trim()) : text.trim();
      break;
    case 'list':
      raw = text
        .split(text.includes('\n') ? '\n' : ',')
        .map((entry) => entry.trim())
        .filter((entry) => entry !== '');
      break;
    case 'document': {
      const reading = readYaml(text);
      if (reading.kind === 'problems') {
        return {
          kind: 'problem',
          message: formatProblems(
            'YAML',
            reading.problems.map((problem) => ({ path: '', ...problem })),
          ),
        };
      }
      raw = reading.value;
      break;
    }
  }
  const parsed = input.type.safeParse(raw);
  if (parsed.success) return { kind: 'value', raw, parsed: parsed.data };
  const messages = problemsOf(parsed.error, raw, { schema: input.type }).map(formatProblem);
  return { kind: 'problem', message: messages.join('; ') };
}

function setAt(target: RawSettings, path: readonly string[], value: Json): void {
  const [head = '', ...tail] = path;
  if (tail.length === 0) {
    target[head] = value;
    return;
  }
  const below = entry(target, head);
  const child = isObject(below) ? below : {};
  target[head] = child;
  setAt(child, tail, value);
}

/** Objects are merged key by key; everything else is replaced. A key such as `__proto__` stays a key. */
function merge(base: RawSettings, over: RawSettings): RawSettings {
  const merged = new Map(Object.entries(base));
  for (const [key, value] of Object.entries(over)) {
    const below = merged.get(key);
    merged.set(key, isObject(below) && isObject(value) ? merge(below, value) : value);
  }
  return Object.fromEntries(merged);
}

function entry(settings: RawSettings, key: string): Json | undefined {
  return Object.hasOwn(settings, key) ? settings[key] : undefined;
}

function isObject(value: Json | undefined): value is RawSettings {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}

/** Plan paths without which the action cannot work: its own, and those of the mode that closes the site. */
function requiredPaths(id: ActionId, raw: RawSettings): readonly string[] {
  const { requires, needsMode } = actionDefinitions[id];
  const section = entry(raw, 'enable-maintenance');
  const named = isObject(section) ? entry(section, 'mode') : undefined;
  const mode = named === undefined ? defaultMode : modeNamed(named);
  if (needsMode === undefined || mode === undefined) return requires;
  if (needsMode === 'when-named' && named === undefined) return requires;
  return [...requires, ...modeNeeds[mode].map((setting) => `enable-maintenance.${setting}`)];
}

function isMissing(raw: RawSettings, path: readonly string[]): boolean {
  let value: Json | undefined = raw;
  for (const key of path) value = isObject(value) ? entry(value, key) : undefined;
  return value === undefined || value === '' || (Array.isArray(value) && value.length === 0);
}

function missingMessage(id: ActionId, path: string): string {
  const input = inputsOf(id).find(
    ({ target }) => target.kind === 'plan' && target.path.join('.') === path,
  );
  const place = input === undefined ? 'in the plan' : `in the plan or as input \`${input.name}\``;
  return `${path}: missing; give it ${place}`;
}
