import * as z from 'zod';
import { duration, group } from '../../setting-types.ts';
import { checkHead } from './check-head.ts';

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

/** What an answer must be like. */
export type HttpExpectation = z.output<typeof httpExpectation>;

/** A path below the public URL, or a whole URL. */
export function pathOrUrl() {
  return z
    .string('is a path such as /healthz, or an http or https URL')
    .regex(
      /^(?:\/(?![/\\])|https?:\/\/[^\s/?#@\\]+(?=[/?#]|$))\S*$/,
      'is a path such as /healthz, or an http or https URL without user and password',
    );
}

/** As whom a check asks. */
export function askedAs() {
  return z
    .enum(['bypass', 'public'], 'is bypass or public')
    .prefault('bypass')
    .describe(
      '`bypass` reaches the application while the site is closed; `public` sees what all see.',
    );
}

/** A request and what must come back; `http` sends it once, `routing` to each address. */
export const httpExchange = {
  url: pathOrUrl().describe('Path below `public-url`, or a whole URL.'),
  method: z
    .string('is a method in capitals, such as GET')
    .regex(/^[A-Z]+$/, 'is a method in capitals, such as GET')
    .prefault('GET')
    .describe('Method of the request.'),
  headers: headers.prefault({}).describe('Headers of the request.'),
  body: z.string('is text').optional().describe('Body of the request.'),
  as: askedAs(),
  expect: httpExpectation.prefault({}).describe('What must come back.'),
};

export const httpCheck = group({
  ...checkHead,
  kind: z.literal('http').describe('A request and what must come back.'),
  ...httpExchange,
});
