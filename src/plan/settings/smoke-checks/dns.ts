import * as z from 'zod';
import { group, hostAddress, line } from '../../setting-types.ts';
import { checkHead, networkName } from './check-head.ts';

export const dnsCheck = group({
  ...checkHead,
  kind: z.literal('dns').describe('What a name resolves to, as name servers say.'),
  name: networkName().describe('Name.'),
  type: z
    .enum(['A', 'AAAA', 'CNAME', 'MX', 'TXT'], 'is A, AAAA, CNAME, MX or TXT')
    .prefault('A')
    .describe('Type of the records.'),
  values: z
    .array(line(), 'is a list of values')
    .prefault([])
    .describe(
      'Values that must be among the answers (`10 mail.example.org` for MX); without any, one answer is enough.',
    ),
  only: z.boolean('is true or false').prefault(false).describe('Whether no other value may be.'),
  resolver: hostAddress()
    .optional()
    .describe('Name server to ask, such as `192.0.2.53:53`; by default those of the runner.'),
});
