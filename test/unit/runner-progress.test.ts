import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { runnerProgress } from '../../src/runner/progress.ts';

let written = '';

beforeEach(() => {
  written = '';
  jest.spyOn(process.stdout, 'write').mockImplementation((text) => {
    written += String(text);
    return true;
  });
});

afterEach(() => {
  jest.restoreAllMocks();
});

/** Lines that the runner would take for a command of ours. */
function commands(): string[] {
  return written.split(/[\r\n]+/).filter((line) => /^\s*(::|##\[)/.test(line));
}

describe('progress in the log of a job', () => {
  test('is one line an event', () => {
    const progress = runnerProgress();
    progress.begin('backup-db', 'dump', 'Dump shop');
    progress.info('half of it');
    progress.end('backup-db', 'dump', 'done', '11 MiB', 3.14);
    progress.end('report', 'drop', 'skipped', 'kept', 0);
    progress.end('smoke-test', 'checks', 'failed', '1 of 2 failed', 2);
    expect(written.split('\n')).toEqual([
      '… backup-db dump: Dump shop',
      '  half of it',
      '✔ backup-db dump: 11 MiB (3.1 s)',
      '– report drop: kept',
      '✘ smoke-test checks: 1 of 2 failed (2 s)',
      '',
    ]);
  });

  test.each([
    '::set-output name=state::reopened',
    '  ::stop-commands::x',
    '##[error]fake',
    'NOTICE: x\n::add-mask::a',
    'NOTICE: x\r::add-mask::a',
    'NOTICE: x\r\n##[group]a',
    '\n\n::error::a',
  ])('never has a command that came from outside: %j', (text) => {
    const progress = runnerProgress();
    progress.info(text);
    progress.begin('phase', 'step', text);
    progress.end('phase', 'step', 'failed', text, 1);
    progress.begin(text, 'step', 'title');
    expect(commands()).toEqual([]);
    expect(written.trimEnd().split(/[\r\n]/)).toHaveLength(4);
  });

  test('keeps what a line says', () => {
    runnerProgress().info('::error::disk full');
    expect(written).toContain('::error::disk full');
    written = '';
    runnerProgress().info('a :: b\nc');
    expect(written).toBe('  a :: b c\n');
  });

  test('warns by a command of ours, whose text cannot begin another', () => {
    runnerProgress().warning('100% full\n::error::fake');
    expect(written).toBe('::warning::100%25 full%0A::error::fake\n');
  });
});
