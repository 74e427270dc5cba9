import * as z from 'zod';
import {
  absolutePath,
  bytes,
  duration,
  group,
  hostReference,
  line,
  secretReference,
  setting,
} from '../setting-types.ts';

const command = (description: string, example: string) =>
  setting(z.array(line()).prefault([]), { form: 'list', description, example });

/** A streaming replica that can be a restore point: it is stopped for it, and promoted by a rollback. */
export const standbyShape = {
  url: setting(secretReference().optional(), {
    form: 'text',
    description:
      'Environment variable with the connection URL of a streaming replica of the database; as seen from its own host. With it, the restore point can be that replica, stopped.',
    example: '$STANDBY_URL',
  }),
  host: setting(hostReference().optional(), {
    form: 'text',
    description: 'Host that the replica runs on; by default that of the database.',
    example: 'ssh://postgres@db2.example.org',
  }),
  'primary-host': setting(hostReference().optional(), {
    form: 'text',
    description:
      "Host that the primary runs on, where a rollback stops it; by default that of the database's client programs.",
    example: 'ssh://postgres@db1.example.org',
  }),
  'data-directory': setting(absolutePath().optional(), {
    form: 'text',
    description: "Folder of the replica's data; by default it is asked for it.",
  }),
  'primary-data-directory': setting(absolutePath().optional(), {
    form: 'text',
    description: "Folder of the primary's data; by default it is asked for it.",
  }),
  'stop-command': command(
    'Command that stops the replica, one argument a line, where neither its unit of systemd nor pg_ctl may; give `start-command` as well.',
    '/srv/db/bin/replica\nstop',
  ),
  'start-command': command(
    'Command that starts the replica, one argument a line.',
    '/srv/db/bin/replica\nstart',
  ),
  'primary-stop-command': command(
    'Command that stops the primary in a rollback, one argument a line.',
    '/srv/db/bin/primary\nstop',
  ),
  'switch-command': command(
    "Command that leads the application to the promoted replica (moves an address, repoints a pooler or a name), one argument a line; safe to repeat. Without it the replica takes the primary's port on the same host.",
    '/srv/db/bin/lead-to\ndb2',
  ),
  'switch-on': setting(hostReference().optional(), {
    form: 'text',
    description: 'Host that `switch-command` runs on; by default that of the replica.',
  }),
  'max-lag': setting(bytes().prefault('64 MiB'), {
    form: 'text',
    description:
      'How far the replica may be behind before the window, in write-ahead log; further, and it is no restore point.',
  }),
  'catch-up': setting(duration().prefault('30s'), {
    form: 'text',
    description:
      'How long the closed site waits for the replica to catch up, and an open one for it to stream again.',
  }),
  'server-timeout': setting(duration().prefault('60s'), {
    form: 'text',
    description: 'How long a server may take to stop, to start, and to be promoted.',
  }),
  'keep-log': setting(bytes().prefault('1 GiB'), {
    form: 'text',
    description:
      'How much write-ahead log the primary must be able to keep while the replica is stopped, so that it finds its way again.',
  }),
  'other-databases': setting(
    z.enum(['refuse', 'accept'], 'is refuse or accept').prefault('refuse'),
    {
      form: 'text',
      description:
        'What other databases of the same server mean: a rollback to a replica takes all of them back. `accept` consents to that.',
    },
  ),
};

export const standbyGroup = group(standbyShape);
