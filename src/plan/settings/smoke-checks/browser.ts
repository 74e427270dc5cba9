import * as z from 'zod';
import { absolutePath, group } from '../../setting-types.ts';
import { checkHead } from './check-head.ts';
import { askedAs, pathOrUrl } from './http.ts';

export const browserCheck = group({
  ...checkHead,
  kind: z
    .literal('browser')
    .describe('A page in a headless Chromium on the runner, with a screenshot in the report.'),
  url: pathOrUrl().describe('Path below `public-url`, or a whole URL.'),
  as: askedAs(),
  title: z.string('is text').optional().describe('Title that the page must have.'),
  selector: z
    .string('is a CSS selector')
    .min(1, 'is not empty')
    .max(500, 'has at most 500 characters')
    .optional()
    .describe('CSS selector of an element that must be there.'),
  'ends-at': z
    .string('is a path such as /start')
    .regex(/^\/\S*$/, 'is a path such as /start')
    .optional()
    .describe('Path at which it must end after all redirects.'),
  'console-errors': z
    .enum(['forbid', 'allow'], 'is forbid or allow')
    .prefault('forbid')
    .describe('Whether errors in the console, and exceptions of scripts, fail the check.'),
  'failed-requests': z
    .enum(['forbid', 'allow'], 'is forbid or allow')
    .prefault('forbid')
    .describe('Whether a request of the page without a good answer (status below 400) fails it.'),
  screenshot: z
    .boolean('is true or false')
    .prefault(true)
    .describe('Whether a picture of the page is kept beside the record and shown in the report.'),
  executable: absolutePath()
    .optional()
    .describe('Chromium or Chrome on the runner; by default what is found on the PATH.'),
  optional: z
    .boolean('is true or false')
    .prefault(false)
    .describe('Whether the check is skipped, and told as skipped, where no Chromium is installed.'),
});
