import * as z from 'zod';
import {
  absolutePath,
  duration,
  group,
  httpUrl,
  kebabName,
  line,
  secretReference,
  setting,
} from '../setting-types.ts';
import { isWindowStart, weekdays, windowStartPattern } from '../window-time.ts';

/** Settings that several actions share; groups become inputs with the group's name in front. */
export const rootShape = {
  name: setting(kebabName().optional(), {
    form: 'text',
    description:
      'Name of the maintained application; folder of the record on the host, one open window per name.',
    example: 'shop',
  }),
  host: setting(z.enum(['local'], 'is local: the host that the runner runs on').prefault('local'), {
    form: 'text',
    description: 'Host that is maintained: `local` is the one that the runner runs on.',
  }),
  'state-dir': setting(absolutePath().prefault('/var/lib/maintenance-window'), {
    form: 'text',
    description:
      "Folder on the host for the window's record, its flag and, by default, its backups.",
  }),
  'public-url': setting(httpUrl().optional(), {
    form: 'text',
    description:
      'URL at which the public reaches the application; every proof from outside asks it.',
    example: 'https://shop.example.org/',
  }),
};

export const windowShape = {
  start: setting(
    z
      .string('is a time of day such as "02:00", or a date and time such as "2026-11-29T02:00"')
      .regex(windowStartPattern, {
        error: 'is a time of day such as "02:00", or a date and time such as "2026-11-29T02:00"',
        abort: true,
      })
      .refine(isWindowStart, 'is a date that exists')
      .optional(),
    {
      form: 'text',
      description:
        'When the window begins, in its time zone: a time of day, or one date and time. Without it any time is within the window.',
      example: '02:00',
    },
  ),
  days: setting(
    z
      .array(z.enum(weekdays), 'is a list of days such as [saturday, sunday]')
      .min(1, 'names at least one day')
      .prefault([...weekdays]),
    {
      form: 'list',
      description: 'Days of the week on which a window with a time of day may begin.',
      example: 'sunday',
    },
  ),
  'time-zone': setting(
    z
      .string('is an IANA time zone such as Europe/Berlin')
      .refine(isTimeZone, 'is an IANA time zone such as Europe/Berlin')
      .prefault('UTC'),
    {
      form: 'text',
      description: 'IANA time zone of `start`; daylight saving is followed.',
      example: 'Europe/Berlin',
    },
  ),
  duration: setting(duration().prefault('60m'), {
    form: 'text',
    description: 'How long the window may last, from its start.',
  }),
  'start-tolerance': setting(duration().prefault('30m'), {
    form: 'text',
    description:
      'How late a run may begin and still be within the window; scheduled runs come late.',
  }),
};

export const contactsShape = {
  lead: setting(line().optional(), {
    form: 'text',
    description: 'Maintenance lead.',
    example: 'Ada Park <ada@example.org>',
  }),
  technical: setting(line().optional(), { form: 'text', description: 'Technical contact.' }),
  business: setting(line().optional(), { form: 'text', description: 'Business contact.' }),
  emergency: setting(line().optional(), {
    form: 'text',
    description: 'Emergency contact, shown when a window is held.',
  }),
};

export const databaseShape = {
  engine: setting(z.enum(['postgresql'], 'is postgresql').prefault('postgresql'), {
    form: 'text',
    description: 'Database engine.',
  }),
  url: setting(secretReference().optional(), {
    form: 'text',
    description: "Environment variable with the connection URL of the application's database.",
    example: '$DATABASE_URL',
  }),
  'client-directory': setting(absolutePath().optional(), {
    form: 'text',
    description:
      'Folder of psql, pg_dump and pg_restore; by default the newest installed ones that fit the server.',
  }),
};

/** For the actions that go on with a window which `preflight` opened. */
export const windowIdInvocation = {
  'window-id': setting(
    z
      .string('is the id of a window such as mw-20261122-020000-1a2b')
      .regex(/^mw-[0-9a-z-]+$/, 'is the id of a window such as mw-20261122-020000-1a2b')
      .optional(),
    {
      form: 'text',
      description:
        'Works on this window alone (output `window-id` of `preflight`) and on none that began since; without it on the open one, or a new one.',
    },
  ),
};

export const windowGroup = group(windowShape);
export const contactsGroup = group(contactsShape);
export const databaseGroup = group(databaseShape);

function isTimeZone(name: string): boolean {
  // The list is quick to have; the first formatter loads all of Intl's data. It decides on other names and on
  // other spellings, which the list lacks.
  if (name === 'UTC' || Intl.supportedValuesOf('timeZone').includes(name)) return true;
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return true;
  } catch {
    return false;
  }
}
