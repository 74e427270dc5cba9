import * as z from 'zod';
import { duration, group } from '../../setting-types.ts';
import { checkedHosts, checkHead } from './check-head.ts';

export const unitCheck = group({
  ...checkHead,
  kind: z
    .literal('unit')
    .describe('A systemd unit that is active, did not fail, and is not being restarted.'),
  unit: z
    .string('is the name of a unit such as shop.service')
    .regex(
      /^[A-Za-z0-9:_.@\\][A-Za-z0-9:_.@\\-]*$/,
      'is the name of a unit such as shop.service or shop-cleanup.timer',
    )
    .max(255, 'has at most 255 characters')
    .describe('Name of the unit.'),
  on: checkedHosts(),
  'stable-for': duration()
    .prefault('2s')
    .describe('How long it must go on without a restart while it is watched.'),
});
