import * as z from 'zod';
import { group, hostSelector } from '../../setting-types.ts';
import { checkHead, networkName, networkPort } from './check-head.ts';

export const tcpCheck = group({
  ...checkHead,
  kind: z.literal('tcp').describe('A connection to a port.'),
  host: networkName().describe('Name or address.'),
  port: networkPort().describe('Port.'),
  banner: z
    .string('is text')
    .min(1, 'is not empty')
    .max(200, 'has at most 200 characters')
    .optional()
    .describe('Text in the first line that the service sends by itself, such as `220`.'),
  from: hostSelector()
    .optional()
    .describe(
      'From where: `control`, `web`, `database`, `workers`, or a host of the plan (which needs bash); by default the runner.',
    ),
});
