import * as z from 'zod';
import { duration, group, kebabName, setting } from '../setting-types.ts';

const httpExpectation = group({
  status: z
    .union([z.int().min(100).max(599), z.array(z.int().min(100).max(599)).min(1)])
    .prefault(200),
  headers: z.record(z.string(), z.string()).prefault({}),
  'body-contains': z.string().optional(),
  json: z.record(z.string(), z.json()).prefault({}),
  latency: duration().optional(),
});
const http = group({
  id: kebabName(),
  kind: z.literal('http'),
  url: z
    .string()
    .regex(/^(?:\/|https?:\/\/)[^\s]*$/, 'is a path such as /healthz, or an http or https URL'),
  method: z
    .string()
    .regex(/^[A-Z]+$/, 'is a method in capitals, such as GET')
    .prefault('GET'),
  headers: z.record(z.string(), z.string()).prefault({}),
  body: z.string().optional(),
  as: z.enum(['bypass', 'public'], 'is bypass or public').prefault('bypass'),
  expect: httpExpectation.prefault({}),
});
const sql = group({
  id: kebabName(),
  kind: z.literal('sql'),
  query: z.string().min(1),
  equals: z.union([z.string(), z.number(), z.boolean()]).optional(),
  'at-least': z.number().optional(),
});

export const checkSchema = z.discriminatedUnion('kind', [http, sql], 'is http or sql');
export type SmokeCheck = z.output<typeof checkSchema>;

export const smokeTestShape = {
  checks: setting(
    z
      .array(checkSchema)
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
