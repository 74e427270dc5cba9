import * as z from 'zod';
import { duration, group, setting } from '../setting-types.ts';

export const rollbackShape = {
  'on-failure': setting(z.enum(['rollback', 'hold'], 'is rollback or hold').prefault('rollback'), {
    form: 'text',
    description:
      'What a failure after the first change of schema or data leads to: `rollback` restores and reopens, `hold` stays closed and calls people.',
  }),
  reserve: setting(duration().optional(), {
    form: 'text',
    description:
      'Time that the window always keeps for going back: work that would run into it is not begun. By default what the restore test took.',
    example: '5m',
  }),
  'session-timeout': setting(duration().prefault('10s'), {
    form: 'text',
    description: 'How long sessions may take to end before a restore point is taken or swapped in.',
  }),
};

export const rollbackGroup = group(rollbackShape);

export const rollbackInvocation = {
  force: setting(z.boolean('is true or false').prefault(false), {
    form: 'flag',
    description:
      'An operator asks for it by name: restores although the plan says to hold, or after the window ended well.',
  }),
  'accept-data-loss': setting(z.boolean('is true or false').prefault(false), {
    form: 'flag',
    description:
      'Consent to lose what was written since the site reopened; without it such a rollback is refused and the loss shown.',
  }),
};
