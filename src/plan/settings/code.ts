import * as z from 'zod';
import { absolutePath, group, hostSelector, line, setting } from '../setting-types.ts';

/** The application's code; shared by the actions that tag it and put it back. */
export const codeShape = {
  directory: setting(absolutePath().optional(), {
    form: 'text',
    description:
      "Git checkout of the application on the host; `backup-db` tags it `maintenance-YYYYMMDD-HHMMSS`, and a rollback that restores the database puts it back. Without it the code is nobody's business.",
    example: '/srv/shop/current',
  }),
  on: setting(hostSelector().prefault('web'), {
    form: 'text',
    description:
      'Hosts that have the checkout: `web`, `workers`, `database`, `control`, or one host.',
  }),
  push: setting(
    z
      .string('is the name of a remote such as origin')
      .regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/, 'is the name of a remote such as origin, not a URL')
      .optional(),
    {
      form: 'text',
      description:
        'Remote that the tag is pushed to, never by force; by default it stays on the host.',
      example: 'origin',
    },
  ),
  'deploy-command': setting(z.array(line()).prefault([]), {
    form: 'list',
    description:
      'Command that deploys the earlier version when a rollback needs it, one argument a line; it gets `MAINTENANCE_TAG` and `MAINTENANCE_COMMIT`. By default the checkout is put back by git.',
    example: '/srv/shop/bin/deploy\n--from-tag',
  }),
  'restart-command': setting(z.array(line()).prefault([]), {
    form: 'list',
    description:
      'Command that makes the application load the code that was put back, one argument a line.',
    example: 'systemctl\nrestart\nshop',
  }),
};

export const codeGroup = group(codeShape);
