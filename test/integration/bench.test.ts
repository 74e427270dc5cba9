import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from '@jest/globals';
import { nodeProgram } from '../../rehearsal/node-program.ts';
import { actionIds } from '../../src/plan/action-ids.ts';

const program = fileURLToPath(new URL('../../bench/run.ts', import.meta.url));

async function bench(
  ...args: string[]
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const child = spawn(nodeProgram(), ['--no-warnings', program, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const text = { stdout: '', stderr: '' };
  child.stdout.on('data', (chunk: Buffer) => (text.stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (text.stderr += chunk.toString()));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, ...text };
}

/** The cells of the table row that begins with a name. */
function row(markdown: string, name: string): string[] | undefined {
  return markdown
    .split('\n')
    .filter((line) => line.startsWith('| '))
    .map((line) =>
      line
        .split('|')
        .map((cell) => cell.trim())
        .slice(1, -1),
    )
    .find(([first]) => first === name);
}

describe('bench/run.ts', () => {
  test('--quick measures everything, and no request is lost by flag', async () => {
    const { code, stdout, stderr } = await bench('--quick');
    expect({ code, stderr }).toEqual({ code: 0, stderr: expect.any(String) });
    expect(Number(row(stdout, 'requests')?.[1])).toBeGreaterThan(64);
    for (const goal of [
      'lost (no complete answer)',
      'neither 200 nor our 503',
      'sent after it, answered as before it',
    ]) {
      expect(row(stdout, goal)?.[1]).toBe('0');
    }
    for (const time of ['closing: first new answer, ms', 'opening: last old answer, ms']) {
      expect(row(stdout, time)?.[1]).toMatch(/^\d+\.\d \/ \d+\.\d$/);
    }
    for (const [name, runbook, window] of [
      ['the public was refused, s', /^\d+\.\d\d$/, /^\d+\.\d\d$/],
      ['rollback: from the failure until served again, s', /^\d+\.\d\d$/, /^\d+\.\d\d$/],
      ['acknowledged writes that the rollback lost', /^[1-9]\d*$/, /^0$/],
      ['failed requests from closing to opening, all runs', /^\d+$/, /^0$/],
      ['peak memory of our process, MB', /^$/, /^[1-9]\d+$/],
    ] as const) {
      const [, ...cells] = row(stdout, name) ?? [];
      expect([name, ...cells]).toEqual([
        name,
        expect.stringMatching(runbook),
        expect.stringMatching(window),
        expect.stringMatching(window),
      ]);
    }
    for (const kind of ['clone', 'standby']) {
      expect(row(stdout, `window, ${kind}: the database's own work`)?.[1]).toMatch(/^[1-9]\d*$/);
    }
    for (const id of actionIds) expect(row(stdout, `\`${id}\``)?.[1]).toMatch(/^\d+\.\d ×$/);
  }, 240_000);

  test.each([
    ['an unknown option', ['--fast']],
    ['writing what was measured too little', ['--quick', '--write']],
    ['a size that is none', ['--sizes', '100']],
  ])('%s is refused before anything is measured', async (_, args) => {
    const { code, stdout, stderr } = await bench(...args);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toContain('Usage: script/bench');
  });
});
