import { parse as parseYaml } from 'yaml';
import * as z from 'zod';
import { fail } from '../ports/failure.ts';
import type { ActionId } from './action-ids.ts';
import { actionDefinitions, inputsOf, type ActionInput } from './actions.ts';
import {
  formatProblems,
  problemsOf,
  readPlanDocument,
  type PlanDocument,
  type SettingProblem,
} from './plan-document.ts';
import { planSchema, type Plan } from './plan.ts';
import { metaOf } from './setting-types.ts';

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
    const reading = readPlanDocument(sources.plan.text);
    if (reading.kind === 'not-yaml')
      return refuse([formatProblems(sources.plan.path, reading.problems)]);
    document = reading.document;
    // The plan is checked on its own first, so that positions and values are those of the file.
    const alone = planSchema.safeParse(document.settings);
    if (!alone.success) {
      problems.push(
        formatProblems(sources.plan.path, problemsOf(alone.error, document.settings, document)),
      );
    }
  }
  const inputs = readInputs(id, sources.inputs);
  problems.push(...inputs.problems);
  if (problems.length > 0) return refuse(problems);
  const raw = merge(merge(sources.recorded ?? {}, document?.settings ?? {}), inputs.settings);
  const parsed = planSchema.safeParse(raw);
  if (!parsed.success) {
    return refuse([formatProblems('settings', problemsOf(parsed.error, raw, document))]);
  }
  const missing = actionDefinitions[id].requires.filter((path) => isMissing(raw, path.split('.')));
  if (missing.length > 0) {
    return refuse(
      missing.map(
        (path) => `${path}: missing; give it in the plan or as input \`${inputName(id, path)}\``,
      ),
    );
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
}

function readInputs(id: ActionId, given: Readonly<Record<string, string>>): InputReading {
  const settings: RawSettings = {};
  const invocation: Record<string, unknown> = {};
  const problems: string[] = [];
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
    } else if (input.target.kind === 'invocation') {
      invocation[input.target.key] = reading.parsed;
    } else {
      setAt(settings, input.target.path, reading.raw);
    }
  }
  return { settings, invocation, problems };
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
    case 'document':
      try {
        raw = parseYaml(text) as Json;
      } catch (error) {
        return {
          kind: 'problem',
          message: `is YAML: ${error instanceof Error ? (error.message.split('\n')[0] ?? '') : ''}`,
        };
      }
      break;
  }
  const parsed = input.type.safeParse(raw);
  if (parsed.success) return { kind: 'value', raw, parsed: parsed.data };
  const messages = problemsOf(parsed.error, raw).map(
    (problem: SettingProblem) =>
      `${problem.path === '' ? '' : `${problem.path}: `}${problem.message}`,
  );
  return { kind: 'problem', message: messages.join('; ') };
}

function setAt(target: RawSettings, path: readonly string[], value: Json): void {
  const [head = '', ...tail] = path;
  if (tail.length === 0) {
    target[head] = value;
    return;
  }
  const child = isObject(target[head]) ? target[head] : {};
  target[head] = child;
  setAt(child, tail, value);
}

/** Objects are merged key by key; everything else is replaced. */
function merge(base: RawSettings, over: RawSettings): RawSettings {
  const merged: RawSettings = { ...base };
  for (const [key, value] of Object.entries(over)) {
    const below = merged[key];
    merged[key] = isObject(below) && isObject(value) ? merge(below, value) : value;
  }
  return merged;
}

function isObject(value: Json | undefined): value is RawSettings {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}

function isMissing(raw: RawSettings, path: readonly string[]): boolean {
  let value: Json | undefined = raw;
  for (const key of path) value = isObject(value) ? value[key] : undefined;
  return value === undefined || value === '' || (Array.isArray(value) && value.length === 0);
}

function inputName(id: ActionId, path: string): string {
  const input = inputsOf(id).find(
    ({ target }) => target.kind === 'plan' && target.path.join('.') === path,
  );
  return input?.name ?? path;
}
