import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { actionIds, type ActionId } from '../../src/plan/action-ids.ts';
import { actionDefinitions, inputsOf, planInput, tokenInput } from '../../src/plan/actions.ts';
import { resolveSettings } from '../../src/plan/resolve.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const examplePlan = {
  path: 'plan',
  text: readFileSync(join(root, 'examples/maintenance.yml'), 'utf8'),
};

function pathOf(id: ActionId): string {
  return id === 'maintenance-window' ? 'docs/maintenance-window.md' : `${id}/README.md`;
}

interface Step {
  uses?: string;
  with?: Record<string, unknown>;
  env?: Record<string, string>;
}

/** Steps of this suite in the YAML examples of a document. */
function steps(markdown: string): { id: ActionId; step: Step }[] {
  const examples = [...markdown.matchAll(/```yaml\n([\s\S]*?)```/g)].map(
    ([, text]) => parse(text ?? '') as unknown,
  );
  return examples.flatMap(stepsIn).flatMap((step) => {
    const match = /^OWNER\/maintenance-window(?:\/([a-z-]+))?@v1$/.exec(step.uses ?? '');
    return match === null ? [] : [{ id: (match[1] ?? 'maintenance-window') as ActionId, step }];
  });
}

function stepsIn(value: unknown): Step[] {
  if (value === null || typeof value !== 'object') return [];
  if ('uses' in value) return [value as Step];
  return Object.values(value).flatMap(stepsIn);
}

describe.each(actionIds)('the README of %s', (id) => {
  const markdown = readFileSync(join(root, pathOf(id)), 'utf8');
  const found = steps(markdown);
  const own = found.filter((entry) => entry.id === id);

  test('shows the action with a plan and, where it can, without one', () => {
    expect(own.some(({ step }) => step.with?.plan !== undefined)).toBe(true);
    const isWithout = own.some(({ step }) => step.with?.plan === undefined);
    expect(isWithout).toBe(id !== 'maintenance-window');
  });

  test('its examples use known actions and inputs', () => {
    for (const { id: used, step } of found) {
      expect(actionIds).toContain(used);
      const known = [
        planInput.name,
        ...inputsOf(used).map((input) => input.name),
        ...(tokenInput.actions.includes(used) ? [tokenInput.name] : []),
      ];
      for (const name of Object.keys(step.with ?? {})) expect(known).toContain(name);
    }
  });

  test('the inputs of its examples are valid, and enough', () => {
    for (const { id: used, step } of found) {
      const { plan, ...given } = step.with ?? {};
      const inputs = Object.fromEntries(
        Object.entries(given)
          .map(([name, value]) => [name, String(value)] as const)
          .map(([name, text]) => [name, text.startsWith('${{') ? 'true' : text]),
      );
      // `rollback` and `report` have the rest from the record, and the others too within their run.
      const recorded = { name: 'shop', 'public-url': 'https://shop.example.org/' };
      const { plan: resolved } = resolveSettings(used, {
        inputs,
        ...(plan === undefined ? { recorded } : { plan: examplePlan }),
      });
      expect(resolved.name).toBe('shop');
      const variables = [resolved.database.url, resolved.enableMaintenance.bypassToken];
      for (const variable of variables.flatMap((name) =>
        name === undefined ? [] : [name.slice(1)],
      )) {
        expect(Object.keys(step.env ?? {})).toContain(variable);
      }
    }
  });

  test('explains every input and output', () => {
    const names = [
      ...inputsOf(id).map(({ name }) => name),
      ...Object.keys(actionDefinitions[id].outputs),
    ];
    expect(names.filter((name) => !markdown.includes(`\n| \`${name}\` | `))).toEqual([]);
  });

  test('tells what it replaces, what proves it, and what happens when it fails', () => {
    const parts = [
      `**Replaces in the runbook by hand:** ${actionDefinitions[id].replaces}.`,
      '## What it does, and what proves it',
      '## Example',
      '## When it fails',
    ];
    expect(parts.filter((part) => !markdown.includes(`\n${part}\n`))).toEqual([]);
  });
});

test.each([...actionIds.map(pathOf), 'docs/plan-reference.md', 'docs/getting-started.md'])(
  'links in %s lead to files and headings that are there',
  (path) => {
    const markdown = readFileSync(join(root, path), 'utf8');
    const links = [...markdown.matchAll(/\]\((?!https?:|mailto:)([^)#\s]*)(?:#([^)\s]+))?\)/g)];
    const broken = links.filter(([, target = '', heading]) => {
      const file = target === '' ? join(root, path) : join(root, dirname(path), target);
      if (!existsSync(file)) return true;
      return heading !== undefined && !headingsOf(file).includes(heading);
    });
    expect(broken.map(([link]) => link)).toEqual([]);
  },
);

function headingsOf(file: string): string[] {
  const titles = readFileSync(file, 'utf8').matchAll(/^#+ (.+)$/gm);
  return [...titles].map(([, title = '']) => slugOf(title));
}

/** A heading's anchor as GitHub makes it. */
function slugOf(title: string): string {
  return title
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
    .trim()
    .replaceAll(' ', '-');
}
