import * as z from 'zod';
import { durationOrNone, group, line, setting } from '../setting-types.ts';

const lineNumber = z
  .string('is a line of the checklist such as 1.3')
  .regex(/^(?:(?:1[0-5]|[1-9])\.[1-6]|4\.7)$/, 'is a line of the checklist such as 1.3');

export const reportShape = {
  'next-window': setting(line().optional(), {
    form: 'text',
    description:
      'When the next window is planned, in words; by default computed from a recurring `window`.',
  }),
  attestations: setting(
    z.array(group({ line: lineNumber, by: line(), statement: line() })).prefault([]),
    {
      form: 'document',
      description: 'Lines of the checklist that a named person vouches for.',
      example: '- line: "1.3"\n  by: Ada Park\n  statement: Customers were told by mail on Monday.',
    },
  ),
  'not-applicable': setting(z.array(group({ line: lineNumber, why: line() })).prefault([]), {
    form: 'document',
    description: 'Lines of the checklist that do not apply, and why.',
    example: '- line: "14.4"\n  why: No DNS change.',
  }),
  'restore-point-retention': setting(durationOrNone().prefault('0s'), {
    form: 'text',
    description:
      'How long the restore point of a window that ended well is kept after the reopening. `0s`: the report, which closes the books, drops it; else the next preflight or report of this name after that time does. A standby takes up its work again with the report, and a dump is kept by the rules for backups.',
    example: '24h',
  }),
};

export const reportGroup = group(reportShape);

export const reportInvocation = {
  record: setting(z.string().optional(), {
    form: 'text',
    description:
      'Copy of the record from an earlier job (output `record`), used when the host is gone. Several copies, one a line: the newest counts.',
  }),
  'output-directory': setting(z.string().optional(), {
    form: 'text',
    description: 'Folder on the runner for the report files; by default a temporary one.',
  }),
};
