import * as z from 'zod';
import { absolutePath, group, line } from '../../setting-types.ts';
import { checkedHosts, checkHead } from './check-head.ts';

export const composeCheck = group({
  ...checkHead,
  kind: z
    .literal('compose')
    .describe('Services of Docker Compose: running, and healthy where they say.'),
  directory: absolutePath().describe('Folder of the project on the host.'),
  services: z
    .array(line(), 'is a list of services')
    .prefault([])
    .describe('Services that must run; by default all that the project configures.'),
  command: z
    .array(line(), 'is a list of arguments')
    .min(1, 'is not empty')
    .prefault(['docker', 'compose'])
    .describe('Command that runs Compose, with its own options, such as `--profile`.'),
  on: checkedHosts(),
});
