import * as z from 'zod';
import { absolutePath, group } from '../../setting-types.ts';
import { checkedHosts, checkHead, pattern } from './check-head.ts';

const argument = z.string('is text').regex(/^[^\u0000]*$/, 'has no NUL character');

export const commandCheck = group({
  ...checkHead,
  kind: z.literal('command').describe('A program and how it must end.'),
  command: z
    .array(argument, 'is a list of arguments')
    .min(1, 'is not empty')
    .refine(([program]) => program !== '', 'begins with a program')
    .describe('Program and arguments; no shell reads them.'),
  'working-directory': absolutePath().optional().describe('Folder on the host that it runs in.'),
  'exit-code': z
    .int('is an exit code from 0 to 255')
    .min(0, 'is at least 0')
    .max(255, 'is at most 255')
    .prefault(0)
    .describe('How it must end.'),
  'stdout-contains': z
    .string('is text')
    .min(1, 'is not empty')
    .optional()
    .describe('Text in its standard output.'),
  'stdout-matches': pattern()
    .optional()
    .describe('Regular expression (JavaScript’s) that its standard output matches.'),
  on: checkedHosts(),
});
