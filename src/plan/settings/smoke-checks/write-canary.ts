import * as z from 'zod';
import { group, line } from '../../setting-types.ts';
import { checkHead } from './check-head.ts';

export const writeCanaryCheck = group({
  ...checkHead,
  kind: z
    .literal('write-canary')
    .describe('Writes in a transaction, reads it back, and rolls back: nothing stays.'),
  insert: z
    .string('is SQL')
    .min(1, 'is not empty')
    .describe(
      'INSERT, UPDATE, DELETE or MERGE that the application’s tables must take. Give the id, where there is one: what is drawn from a sequence is not given back.',
    ),
  read: z
    .string('is SQL')
    .min(1, 'is not empty')
    .optional()
    .describe('Query in the same transaction that must return a value other than false.'),
  role: line()
    .max(63, 'has at most 63 characters')
    .optional()
    .describe('Role that writes (`SET LOCAL ROLE`), such as the application’s own.'),
});
