import * as z from 'zod';
import { duration, group, setting } from '../setting-types.ts';

export const disableMaintenanceShape = {
  hook: setting(z.enum(['remove', 'keep'], 'is remove or keep').prefault('remove'), {
    form: 'text',
    description:
      'Whether what was there before is given back byte for byte, or what the mode put in place (nginx: the hook) stays for the next window.',
  }),
  'open-timeout': setting(duration().prefault('30s'), {
    form: 'text',
    description: 'How long the public URL may take to answer from the application.',
  }),
};

export const disableMaintenanceGroup = group(disableMaintenanceShape);

export const disableMaintenanceInvocation = {
  'reopen-held': setting(z.boolean('is true or false').prefault(false), {
    form: 'flag',
    description:
      'An operator has repaired a held system by hand and takes the responsibility for reopening it; services that could not be started again are left to that operator.',
  }),
};
