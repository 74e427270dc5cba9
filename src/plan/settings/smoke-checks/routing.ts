import * as z from 'zod';
import { group } from '../../setting-types.ts';
import { checkHead } from './check-head.ts';
import { httpExchange } from './http.ts';

/** Which addresses of a name are asked. */
export function addressFamily() {
  return z
    .enum(['any', 'ipv4', 'ipv6'], 'is any, ipv4 or ipv6')
    .prefault('any')
    .describe(
      'Which addresses of the name are asked; hosted runners of GitHub have no IPv6, so there `ipv4`.',
    );
}

export const routingCheck = group({
  ...checkHead,
  kind: z
    .literal('routing')
    .describe(
      'The same request to every address behind the name (A and AAAA) and of `hosts.web`; each must answer as expected.',
    ),
  ...httpExchange,
  url: httpExchange.url.prefault('/'),
  family: addressFamily(),
  'at-least': z
    .int('is a whole number')
    .min(1, 'is at least 1')
    .prefault(1)
    .describe('How many different addresses there must be.'),
});
