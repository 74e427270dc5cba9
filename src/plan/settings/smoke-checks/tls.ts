import * as z from 'zod';
import { group, hostAddress, hostPath } from '../../setting-types.ts';
import { checkHead, networkName } from './check-head.ts';
import { addressFamily } from './routing.ts';

export const tlsCheck = group({
  ...checkHead,
  kind: z.literal('tls').describe('The certificate of a server: days left, name, chain.'),
  address: hostAddress()
    .optional()
    .describe('Server such as `mail.example.org:465`; by default that of `public-url`.'),
  servername: networkName()
    .optional()
    .describe(
      'Name that is asked for and that the certificate must hold; by default the server’s.',
    ),
  'days-left': z
    .int('is a whole number')
    .min(0, 'is at least 0')
    .max(3650, 'is at most 3650')
    .prefault(14)
    .describe('For how many days the certificate must still be valid.'),
  ca: hostPath()
    .optional()
    .describe(
      'File on the runner with the authorities to trust (PEM); by default those that Node trusts, with `NODE_EXTRA_CA_CERTS`.',
    ),
  'each-address': z
    .boolean('is true or false')
    .prefault(false)
    .describe(
      'Whether every address behind the name, and of `hosts.web` where it is the site’s, is asked.',
    ),
  family: addressFamily(),
});
