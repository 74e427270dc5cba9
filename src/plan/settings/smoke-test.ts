import * as z from 'zod';
import { duration, group, kebabName, setting } from '../setting-types.ts';

const status = z.int('is a status such as 200').min(100).max(599);
const headers = z.record(
  z.string().regex(/^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/, 'is the name of a header'),
  z.string('is text').regex(/^[^\u0000-\u0008\u000a-\u001f\u007f]*$/, 'is text on one line'),
  'is a mapping of header names to text',
);

const httpExpectation = group({
  status: z
    .union([status, z.array(status).min(1)], 'is a status such as 200, or a list of them')
    .prefault(200)
    .describe('Status, or several of which one is enough.'),
  headers: headers.prefault({}).describe('Headers and their exact values.'),
  'body-contains': z.string('is text').optional().describe('Text that the body contains.'),
  json: z
    .record(z.string(), z.json(), 'is a mapping of paths such as "data.0.name" to values')
    .prefault({})
    .describe('Values in a JSON body by path, for instance `data.0.name`.'),
  latency: duration().optional().describe('How long the answer may take at most.'),
});
const http = group({
  id: kebabName().describe('Name in record and report.'),
  kind: z.literal('http').describe('A request and what must come back.'),
  url: z
    .string('is a path such as /healthz, or an http or https URL')
    .regex(
      /^(?:\/(?![/\\])|https?:\/\/[^\s/?#@\\]+(?=[/?#]|$))\S*$/,
      'is a path such as /healthz, or an http or https URL without user and password',
    )
    .describe('Path below `public-url`, or a whole URL.'),
  method: z
    .string('is a method in capitals, such as GET')
    .regex(/^[A-Z]+$/, 'is a method in capitals, such as GET')
    .prefault('GET')
    .describe('Method of the request.'),
  headers: headers.prefault({}).describe('Headers of the request.'),
  body: z.string('is text').optional().describe('Body of the request.'),
  as: z
    .enum(['bypass', 'public'], 'is bypass or public')
    .prefault('bypass')
    .describe(
      '`bypass` reaches the application while the site is closed; `public` sees what all see.',
    ),
  expect: httpExpectation.prefault({}).describe('What must come back.'),
});
const sql = group({
  id: kebabName().describe('Name in record and report.'),
  kind: z.literal('sql').describe('A query and what it must return.'),
  query: z.string('is SQL').min(1).describe('Query that returns one value.'),
  equals: z
    .union([z.string(), z.number(), z.boolean()], 'is text, a number, true or false')
    .optional()
    .describe('The value it must return.'),
  'at-least': z.number('is a number').optional().describe('The least number it must return.'),
});

export const checkSchema = z.discriminatedUnion('kind', [http, sql], 'is http or sql');
export type SmokeCheck = z.output<typeof checkSchema>;

export const smokeTestShape = {
  checks: setting(
    z
      .array(checkSchema, 'is a list of checks')
      .prefault([])
      .refine(
        (checks) => new Set(checks.map((check) => check.id)).size === checks.length,
        'has each id once',
      ),
    {
      form: 'document',
      description:
        'Checks of kind `http` (status, headers, body, JSON values, latency; through the bypass or as the public) and `sql`.',
      example: '- id: health\n  kind: http\n  url: /healthz',
    },
  ),
  deadline: setting(duration().prefault('60s'), {
    form: 'text',
    description:
      'Until when failing checks are tried again, with growing pauses; then they have failed.',
  }),
  'first-pause': setting(duration().prefault('250ms'), {
    form: 'text',
    description: 'Pause before the first repetition; it doubles each time up to 5 s.',
  }),
};

export const smokeTestGroup = group(smokeTestShape);
