import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { expect, test } from '@jest/globals';
import { transform } from '@swc/core';
import { cancellation } from '../../src/runner/cancellation.ts';

/**
 * A signal to this process would end the tests, so a child takes it. Its script is compiled by the tests' own compiler:
 * the oldest Node that they run on takes no TypeScript.
 */
async function childScript(): Promise<string> {
  const path = new URL('../../src/runner/cancellation.ts', import.meta.url);
  const { code } = await transform(await readFile(path, 'utf8'), {
    jsc: { target: 'es2024', parser: { syntax: 'typescript' } },
    module: { type: 'es6' },
  });
  return `${code}
const { signal, release } = cancellation();
const alive = setInterval(() => {}, 1000);
signal.addEventListener('abort', () => {
  console.log('aborted');
  release();
  console.log('released ' + process.listenerCount('SIGINT') + process.listenerCount('SIGTERM'));
});
process.stdin.on('end', () => clearInterval(alive)).resume();
console.log('ready');
`;
}

test.each(['SIGINT', 'SIGTERM'] as const)(
  '%s aborts what is under way and does not end the process, until it is released',
  async (name) => {
    const script = await childScript();
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['pipe', 'pipe', 'inherit'],
      timeout: 30_000,
      killSignal: 'SIGKILL',
    });
    const ended = once(child, 'exit');
    const lines: string[] = [];
    for await (const line of createInterface({ input: child.stdout })) {
      lines.push(line);
      if (line === 'ready') child.kill(name);
      // Released, the next signal ends it as if we had never listened.
      if (line.startsWith('released')) child.kill(name);
    }
    expect(lines).toEqual(['ready', 'aborted', 'released 00']);
    expect(await ended).toEqual([null, name]);
  },
);

test('nothing is aborted without a signal, and nobody listens after the release', () => {
  const before = [process.listenerCount('SIGINT'), process.listenerCount('SIGTERM')];
  const { signal, release } = cancellation();
  expect(process.listenerCount('SIGINT')).toBe(before[0]! + 1);
  release();
  expect([process.listenerCount('SIGINT'), process.listenerCount('SIGTERM')]).toEqual(before);
  expect(signal.aborted).toBe(false);
});
