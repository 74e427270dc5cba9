import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { ghesVariant } from '../../script/generate/ghes-workflow.ts';

type Step = { name?: string; uses?: string };
type Workflow = { concurrency: Record<string, unknown>; jobs: Record<string, { steps: Step[] }> };

describe('the workflow for GitHub Enterprise Server', () => {
  const text = readFileSync(new URL('../../.github/workflows/window.yml', import.meta.url), 'utf8');

  test('means the same but for references, queue and one upload', () => {
    const expected = parse(text) as Workflow;
    const variant = parse(ghesVariant(text)) as Workflow;
    delete expected.concurrency.queue;
    for (const { steps } of Object.values(expected.jobs)) {
      for (const step of steps) {
        if (step.uses?.startsWith('$/') !== true) continue;
        step.uses = `OWNER/maintenance-window/${step.uses.slice(2)}@v1`;
      }
    }
    const upload = variant.jobs.report?.steps.pop();
    expect(upload).toMatchObject({
      name: 'Keep the report',
      uses: 'actions/upload-artifact@v3.2.2',
    });
    expect(variant).toEqual(expected);
  });
});
