import { readFile } from 'node:fs/promises';
import { describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { actSafe, localCaller } from './act-safe.ts';

const read = (path: string) => readFile(new URL(`../../${path}`, import.meta.url), 'utf8');

type Workflow = {
  concurrency?: Record<string, unknown>;
  jobs: Record<string, { uses?: string; steps?: { uses?: string }[] }>;
};

describe('the copy of window.yml that act runs', () => {
  test('differs in $/ and queue alone, line by line', async () => {
    const original = (await read('.github/workflows/window.yml')).split('\n');
    const copy = actSafe(original.join('\n')).split('\n');
    const removed: string[] = [];
    const changed: string[] = [];
    let at = 0;
    for (const line of original) {
      if (line === copy[at]) {
        at += 1;
      } else if (line.replace('$/', './') === copy[at]) {
        changed.push(line.trim());
        at += 1;
      } else {
        removed.push(line);
      }
    }
    expect(at).toBe(copy.length);
    expect(removed).toEqual(['  queue: max']);
    expect([...new Set(changed)].sort()).toEqual([
      'uses: $/backup-db',
      'uses: $/disable-maintenance',
      'uses: $/enable-maintenance',
      'uses: $/preflight',
      'uses: $/report',
      'uses: $/rollback',
      'uses: $/run-db-maintenance',
      'uses: $/smoke-test',
      'uses: $/update-server',
    ]);
    expect(copy.join('\n')).not.toContain('$/');
  });

  test('means the same', async () => {
    const text = await read('.github/workflows/window.yml');
    const expected = parse(text) as Workflow;
    expect(expected.concurrency?.queue).toBe('max');
    delete expected.concurrency?.queue;
    for (const step of Object.values(expected.jobs).flatMap(({ steps = [] }) => steps)) {
      if (step.uses?.startsWith('$/') === true) step.uses = `./${step.uses.slice(2)}`;
    }
    expect(parse(actSafe(text))).toEqual(expected);
  });
});

test.each(['manual.yml', 'scheduled.yml'])(
  '%s calls the local workflow, otherwise as it is',
  async (name) => {
    const text = await read(`examples/workflows/${name}`);
    const expected = parse(text) as Workflow;
    const { window } = expected.jobs;
    expect(window?.uses).toBe('OWNER/maintenance-window/.github/workflows/window.yml@v1');
    window!.uses = './.github/workflows/window.yml';
    expect(parse(localCaller(text))).toEqual(expected);
  },
);
