import { expect, test } from '@jest/globals';
import { formWords } from '../../src/report/backup-form.ts';

const compression = { chosen: 'gzip:1', reason: 'as the plan has it' };

test.each<[Parameters<typeof formWords>[0], string | undefined]>([
  [{}, undefined],
  [
    { format: 'directory', host: 'local', encrypted: false, compression },
    'a folder on local; compressed by gzip:1: as the plan has it',
  ],
  [
    { format: 'stream', host: 'ssh://vault', encrypted: true, compression },
    'one streamed file on ssh://vault; encrypted before it left the database’s host; compressed by gzip:1: as the plan has it',
  ],
  [{ format: 'stream' }, 'one streamed file'],
])('%j: %s', (backup, words) => {
  expect(formWords(backup)).toBe(words);
});
