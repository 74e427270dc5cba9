import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { actionIds, type ActionId } from '../../src/plan/action-ids.ts';
import { actionDefinitions, inputsOf } from '../../src/plan/actions.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

interface ActionFile {
  name: string;
  description: string;
  author: string;
  branding: { icon: string; color: string };
  inputs: Record<string, { description: string; required: boolean; default?: string }>;
  outputs: Record<string, { description: string }>;
  runs: { using: string; main: string; post?: string; 'post-if'?: string };
}

/** The root action stands at the root, every other in the folder of its id. */
function folderOf(id: ActionId): string {
  return id === 'maintenance-window' ? root : join(root, id);
}

function actionFile(id: ActionId): ActionFile {
  return parse(readFileSync(join(folderOf(id), 'action.yml'), 'utf8')) as ActionFile;
}

/** Those that ask GitHub something. */
const withToken: readonly ActionId[] = ['preflight', 'report', 'maintenance-window'];

describe.each(actionIds)('%s', (id) => {
  const file = actionFile(id);
  const definition = actionDefinitions[id];

  test('is called and described as declared, within what the Marketplace shows', () => {
    expect(file.name).toBe(definition.title);
    expect(file.description).toBe(definition.description);
    expect(file.author).not.toBe('');
    if (id === 'maintenance-window') expect(file.description.length).toBeLessThan(125);
  });

  test('has the inputs of its settings, the plan, and the token where it asks GitHub', () => {
    expect(Object.keys(file.inputs)).toEqual([
      'plan',
      ...inputsOf(id).map((input) => input.name),
      ...(withToken.includes(id) ? ['github-token'] : []),
    ]);
  });

  test('every input is explained and may be left out', () => {
    for (const { description, required } of Object.values(file.inputs)) {
      expect(description.length).toBeGreaterThan(10);
      expect(required).toBe(false);
    }
  });

  test('no input has a default that would win over the plan', () => {
    const defaults = Object.entries(file.inputs).flatMap(([name, input]) =>
      input.default === undefined ? [] : [[name, input.default]],
    );
    expect(defaults).toEqual(
      withToken.includes(id) ? [['github-token', '${{ github.token }}']] : [],
    );
  });

  test('names of inputs are unique without regard to case, as the runner sees them', () => {
    const names = Object.keys(file.inputs).map((name) => name.toUpperCase());
    expect(new Set(names).size).toBe(names.length);
  });

  test('has the declared outputs', () => {
    const outputs = Object.entries(file.outputs).map(([name, { description }]) => [
      name,
      description,
    ]);
    expect(Object.fromEntries(outputs)).toEqual(definition.outputs);
  });

  test('runs its own bundle on Node 24', () => {
    const bundle = id === 'maintenance-window' ? 'dist' : '../dist';
    expect(file.runs).toEqual({
      using: 'node24',
      main: `${bundle}/${id}.js`,
      ...(id === 'maintenance-window'
        ? { post: `${bundle}/${id}-post.js`, 'post-if': 'always()' }
        : {}),
    });
  });

  test('its bundle is there wherever one was built', () => {
    const entries = [file.runs.main, file.runs.post].flatMap((path) =>
      path === undefined ? [] : [join(folderOf(id), path)],
    );
    // That dist/ is committed, and is what a rebuild gives, is checked by script/check-dist.
    const isBuilt = existsSync(join(root, 'dist', 'index.js'));
    expect(entries.filter((path) => isBuilt && !existsSync(path))).toEqual([]);
  });

  test('has an icon and a colour that GitHub knows', () => {
    // Of Feather's icons, those used here; GitHub leaves out some of the set, such as `tool` and `key`.
    expect(file.branding.icon).toMatch(
      /^(?:check-square|archive|lock|database|activity|unlock|rotate-ccw|file-text|server|settings)$/,
    );
    expect(file.branding.color).toMatch(
      /^(?:white|black|yellow|blue|green|orange|red|purple|gray-dark)$/,
    );
  });
});

test('names on the Marketplace are unique', () => {
  const names = actionIds.map((id) => actionFile(id).name.toLowerCase());
  expect(new Set(names).size).toBe(names.length);
});
