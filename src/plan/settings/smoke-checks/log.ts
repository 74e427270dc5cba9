import * as z from 'zod';
import { absolutePath, group } from '../../setting-types.ts';
import { checkedHosts, checkHead } from './check-head.ts';

export const logCheck = group({
  ...checkHead,
  kind: z.literal('log').describe('New lines of a log: none, or one, that matches a pattern.'),
  file: absolutePath().optional().describe('Log file on the host; rotation is followed.'),
  journal: z
    .string('is the name of a unit such as shop.service')
    .regex(/^[A-Za-z0-9:_.@\\][A-Za-z0-9:_.@\\-]*$/, 'is the name of a unit such as shop.service')
    .optional()
    .describe('Unit whose lines in systemd’s journal are searched, in place of `file`.'),
  pattern: z
    .string('is an extended regular expression')
    .min(1, 'is not empty')
    .max(1000, 'has at most 1000 characters')
    .regex(/^[^\u0000\n\r]*$/, 'is on one line')
    .regex(
      /^(?!.*(?:\\[dDnrtfvxpP]|\(\?))/,
      'is an extended regular expression, without what only Perl knows: [0-9] in place of \\d, no (?…)',
    )
    .describe('Extended regular expression, as `grep -E` on the host reads it.'),
  must: z
    .enum(['not-occur', 'occur'], 'is not-occur or occur')
    .prefault('not-occur')
    .describe('Whether a new line must match it, or none may.'),
  since: z
    .enum(['window', 'closed'], 'is window or closed')
    .prefault('window')
    .describe('New since the window began, or since the site was last closed.'),
  'show-lines': z
    .int('is a whole number')
    .min(0, 'is at least 0')
    .max(5, 'is at most 5')
    .prefault(0)
    .describe(
      'How many matching lines the report shows, cut at 200 characters; logs may hold secrets.',
    ),
  on: checkedHosts(),
});
