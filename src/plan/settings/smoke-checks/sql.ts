import * as z from 'zod';
import { group } from '../../setting-types.ts';
import { checkHead } from './check-head.ts';

export const sqlCheck = group({
  ...checkHead,
  kind: z.literal('sql').describe('A query and what it must return.'),
  query: z.string('is SQL').min(1).describe('Query that returns one value.'),
  equals: z
    .union([z.string(), z.number(), z.boolean()], 'is text, a number, true or false')
    .optional()
    .describe('The value it must return.'),
  'at-least': z.number('is a number').optional().describe('The least number it must return.'),
});
