import { describe, expect, test } from '@jest/globals';
import { actionIds } from '../../src/plan/action-ids.ts';
import { planJsonSchema } from '../../script/generate/plan-schema.ts';
import { runbook } from '../../src/report/runbook.ts';

type Schema = { properties?: Record<string, Schema> };

/** Every key of the plan with its section, as the published schema has them. */
function planKeys(): Set<string> {
  const root = JSON.parse(planJsonSchema().text) as Schema;
  const keys = new Set<string>();
  for (const [section, schema] of Object.entries(root.properties ?? {})) {
    keys.add(section);
    for (const key of Object.keys(schema.properties ?? {})) keys.add(`${section}.${key}`);
  }
  return keys;
}

const steps = runbook.flatMap(({ title, steps: all }) =>
  all.map((step) => ({ name: `${title}: ${step.title}`, step })),
);

describe('the map of the runbook', () => {
  const known = planKeys();

  test.each(steps)('$name names keys that a plan has', ({ step }) => {
    expect(step.settings.filter((key) => !known.has(key))).toEqual([]);
  });

  test('leaves no action out but the root action, which is all of them', () => {
    const named = new Set(steps.flatMap(({ step }) => step.actions));
    expect(actionIds.filter((id) => !named.has(id))).toEqual(['maintenance-window']);
  });
});
