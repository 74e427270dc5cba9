import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { parse, stringify } from 'yaml';
import { resolveSettings, type RawSettings } from '../../src/plan/resolve.ts';
import { FailureError } from '../../src/ports/failure.ts';
import { runs } from '../fixtures/property-runs.ts';

const example = readFileSync(new URL('../../examples/maintenance.yml', import.meta.url), 'utf8');

type Loaded =
  | { readonly kind: 'plan'; readonly plan: unknown; readonly raw: RawSettings }
  | { readonly kind: 'refused'; readonly message: string };

/** Loads a plan's text as an action does; anything thrown but a refusal is a bug. */
function load(text: string): Loaded {
  try {
    const { plan, raw } = resolveSettings('report', { inputs: {}, plan: { path: 'p.yml', text } });
    return { kind: 'plan', plan, raw };
  } catch (error) {
    if (!(error instanceof FailureError)) throw error;
    expect(error.failure).toMatchObject({ code: 'plan-invalid', state: 'Nothing was touched.' });
    return { kind: 'refused', message: error.failure.message };
  }
}

/** Every path of a value, with what is there. */
function pathsOf(value: unknown, path: readonly (string | number)[] = []): (string | number)[][] {
  if (value === null || typeof value !== 'object') return [[...path]];
  const below = Object.entries(value).flatMap(([key, child]) =>
    pathsOf(child, [...path, Array.isArray(value) ? Number(key) : key]),
  );
  return path.length === 0 ? below : [[...path], ...below];
}

function setAt(root: unknown, path: readonly (string | number)[], value: unknown): unknown {
  const copy = structuredClone(root) as Record<string | number, unknown>;
  let at = copy;
  for (const key of path.slice(0, -1)) at = at[key] as Record<string | number, unknown>;
  at[path.at(-1) ?? ''] = value;
  return copy;
}

const good = parse(example) as Record<string, unknown>;
const paths = pathsOf(good);
const yamlish = fc.string({
  unit: fc.oneof(
    fc.constantFrom(
      ':',
      '- ',
      '\n',
      '  ',
      '{',
      '}',
      '[',
      ']',
      '&a',
      '*a',
      '!!',
      '|',
      '>',
      '#',
      '"',
    ),
    fc.constantFrom('name', 'window', 'tasks', 'shop', 'duration', '60m', '<<', '? ', '%YAML'),
    fc.string({ unit: 'grapheme', minLength: 1, maxLength: 1 }),
  ),
  maxLength: 60,
});

describe('the plan loader', () => {
  test('takes the example', () => {
    expect(load(example).kind).toBe('plan');
  });

  test('reads or refuses any text, and nothing else', () => {
    fc.assert(
      fc.property(yamlish, (text) => {
        const loaded = load(text);
        if (loaded.kind === 'refused') expect(loaded.message).toContain('The settings are not');
      }),
      { numRuns: runs(800) },
    );
  });

  test('reads or refuses a good plan with anything in place of one value', () => {
    fc.assert(
      fc.property(fc.constantFrom(...paths), fc.jsonValue({ maxDepth: 2 }), (path, value) => {
        const loaded = load(stringify(setAt(good, path, value)));
        // A refusal names where: the path itself, one above it or one below it.
        if (loaded.kind === 'refused') expect(loaded.message).toContain(String(path[0]));
      }),
      { numRuns: runs(150) },
    );
  });

  test('means the same after its settings were written down and read again', () => {
    fc.assert(
      fc.property(fc.subarray(Object.keys(good)), fc.constantFrom(2, 4), (kept, indent) => {
        const sections = ['name', ...kept.filter((key) => key !== 'name')];
        const part = Object.fromEntries(sections.map((key) => [key, good[key]]));
        const first = load(stringify(part, { indent }));
        if (first.kind !== 'plan') throw new Error(first.message);
        const again = load(stringify(first.raw, { lineWidth: 0 }));
        expect(again).toEqual(first);
      }),
      { numRuns: runs(30) },
    );
  });

  test('refuses every key that is spelled wrong, and names it', () => {
    const named = paths.filter((path) => typeof path.at(-1) === 'string' && path[0] !== 'name');
    fc.assert(
      fc.property(fc.constantFrom(...named), (path) => {
        const wrong = [...path.slice(0, -1), `${path.at(-1)}zz`];
        const loaded = load(stringify(setAt(good, wrong, 'x')));
        // Where any key goes (headers of a request, values in a JSON body), a new one is as good as any.
        const isOpen = ['headers', 'json'].some((key) => path.slice(0, -1).includes(key));
        if (isOpen) return;
        expect(loaded).toMatchObject({ kind: 'refused' });
        if (loaded.kind === 'refused') expect(loaded.message).toContain(`${path.at(-1)}zz`);
      }),
      { numRuns: runs(100) },
    );
  });
});
