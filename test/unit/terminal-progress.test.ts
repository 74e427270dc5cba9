import { expect, test } from '@jest/globals';
import { terminalProgress } from '../../src/cli/terminal-progress.ts';

test('progress on a terminal is one line an event, with the time of day', () => {
  let text = '';
  const progress = terminalProgress(
    (line) => (text += line),
    () => new Date('2026-11-22T02:03:04.567Z'),
  );
  progress.begin('backup-db', 'dump', 'Dump shop');
  progress.info('half of it');
  progress.warning('slow disk');
  progress.end('backup-db', 'dump', 'done', '11 MiB', 3.14);
  progress.end('report', 'drop', 'skipped', 'the plan keeps it', 0);
  progress.end('smoke-test', 'checks', 'failed', '1 of 2 failed', 0.05);
  expect(text.split('\n')).toEqual([
    '02:03:04 … backup-db dump: Dump shop',
    '02:03:04     half of it',
    '02:03:04 ! slow disk',
    '02:03:04 ✔ backup-db dump: 11 MiB (3.1 s)',
    '02:03:04 – report drop: the plan keeps it',
    '02:03:04 ✘ smoke-test checks: 1 of 2 failed (50 ms)',
    '',
  ]);
});
