import * as z from 'zod';
import {
  absolutePath,
  duration,
  exemptPath,
  group,
  hostAddress,
  hostReference,
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
  host: setting(hostReference().optional(), {
    form: 'text',
    description:
      'Host that keeps the record, and by default does everything else: `local` is the one that the run is on. By default the first of `hosts.web`, or `local`.',
    example: 'ssh://deploy@web1.example.org',
  }),
  sudo: setting(z.boolean('is true or false').prefault(false), {
    form: 'flag',
    description:
      'Whether everything on the hosts runs by `sudo -n`, for users that are not root there.',
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

const webHost = z.union(
  [
    hostReference().transform((host) => ({ host, address: undefined })),
    group({
      host: hostReference().describe('The host, as `local` or `ssh://user@host:port`.'),
      address: hostAddress()
        .optional()
        .describe(
          'Where it answers the public itself, past the load balancer; needed with several web hosts. With `http://` before it where the load balancer ends TLS and asks the hosts in plain HTTP.',
        ),
    }),
  ],
  'is a host such as ssh://deploy@web1.example.org, or a mapping with host and address',
);

export const hostsShape = {
  web: setting(
    z
      .array(webHost, 'is a list of hosts')
      .prefault([])
      .refine(
        (hosts) => new Set(hosts.map(({ host }) => host)).size === hosts.length,
        'has each host once',
      )
      .refine(
        (hosts) => hosts.length < 2 || hosts.every(({ address }) => address !== undefined),
        'has an address for each host when there are several, so that each is proved to be closed and open',
      ),
    {
      form: 'document',
      description:
        'Hosts that serve the site, closed and reopened together: all or none. By default `host` alone.',
      example: '- host: ssh://deploy@web1.example.org\n  address: 192.0.2.11:443',
    },
  ),
  database: setting(hostReference().optional(), {
    form: 'text',
    description: "Host that the database's client programs run on; by default `host`.",
    example: 'ssh://deploy@db1.example.org',
  }),
  workers: setting(z.array(hostReference()).prefault([]), {
    form: 'list',
    description: 'Hosts with background work and nothing that the public reaches.',
    example: 'ssh://deploy@worker1.example.org',
  }),
  parallel: setting(
    z.int('is a whole number').min(1, 'is at least 1').max(64, 'is at most 64').prefault(8),
    { form: 'number', description: 'How many hosts are worked on at once.' },
  ),
};

export const sshShape = {
  'private-key': setting(secretReference().optional(), {
    form: 'text',
    description:
      "Environment variable with the private key; it is never written to disk. Without it the user's own keys count.",
    example: '$SSH_PRIVATE_KEY',
  }),
  'known-hosts': setting(z.string('is text').min(1, 'is not empty').optional(), {
    form: 'text',
    description:
      "Keys of the hosts, as in a known_hosts file (`ssh-keyscan` prints them; check them); by default the user's own file. An unknown or changed key is refused.",
    example: 'web1.example.org ssh-ed25519 AAAA…',
  }),
  'connect-timeout': setting(duration().prefault('10s'), {
    form: 'text',
    description: 'How long a connection to a host may take.',
  }),
};

export const loadBalancerShape = {
  'health-path': setting(exemptPath().optional(), {
    form: 'text',
    description: 'Path that the load balancer asks each web host to learn whether it is well.',
    example: '/lb-health',
  }),
  'when-closed': setting(z.enum(['keep', 'drain'], 'is keep or drain').prefault('keep'), {
    form: 'text',
    description:
      '`keep`: the health path is answered as ever, and the public sees our page. `drain`: it answers 503 as well, the load balancer takes the hosts out, and the public sees what the load balancer has to say.',
  }),
  'drain-timeout': setting(duration().prefault('30s'), {
    form: 'text',
    description:
      'With `drain`: how long the load balancer may take to stop sending requests to closed hosts, and afterwards to begin again.',
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
export const hostsGroup = group(hostsShape);
export const sshGroup = group(sshShape);
export const loadBalancerGroup = group(loadBalancerShape);

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
