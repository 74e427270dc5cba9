import * as z from 'zod';
import { duration, hostSelector, kebabName } from '../../setting-types.ts';

const provableLine = z
  .string('is a line of the checklist such as 7.6')
  .regex(
    /^(?:2|5|6|7)\.[1-6]$/,
    'is a line of sections 2, 5, 6 or 7 of the checklist, such as 7.6',
  );

/** What every check has besides its kind. */
export const checkHead = {
  id: kebabName().describe('Name in record and report.'),
  timeout: duration()
    .optional()
    .describe('How long one look may take; by default 10 s, 30 s for SQL, commands and pages.'),
  proves: z
    .array(provableLine, 'is a list of lines of the checklist')
    .prefault([])
    .describe(
      'Lines of the checklist (sections 2, 5, 6 and 7) that this check speaks to, where the report has no better evidence.',
    ),
};

/** A name or an address of a machine, as the network knows it. */
export function networkName() {
  return z
    .string('is a name or an address such as db1.example.org or 192.0.2.7')
    .regex(
      /^(?:[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9])?|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]+)$/,
      'is a name or an address such as db1.example.org, 192.0.2.7 or 2001:db8::7',
    )
    .max(253, 'has at most 253 characters');
}

/** A TCP port. */
export function networkPort() {
  return z.int('is a port from 1 to 65535').min(1, 'is at least 1').max(65_535, 'is at most 65535');
}

/** A pattern for JavaScript's regular expressions. */
export function pattern() {
  return z
    .string('is a regular expression')
    .min(1, 'is not empty')
    .max(1000, 'has at most 1000 characters')
    .refine(isPattern, 'is a regular expression that can be read');
}

/** Machines of the plan that a check looks at; by default the one that keeps the record. */
export function checkedHosts() {
  return hostSelector()
    .prefault('control')
    .describe('Where: `control`, `web`, `database`, `workers`, or a host of the plan.');
}

function isPattern(text: string): boolean {
  try {
    new RegExp(text, 'u');
    return true;
  } catch {
    return false;
  }
}
