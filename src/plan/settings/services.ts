import * as z from 'zod';
import { resumeMoments } from '../../ports/services.ts';
import {
  absolutePath,
  duration,
  group,
  hasEachIdOnce,
  hostSelector,
  kebabName,
} from '../setting-types.ts';

const argument = z
  .string('is text')
  .min(1, 'is not empty')
  .regex(/^[^\u0000]*$/, 'has no NUL character');
const argv = z
  .array(argument, 'is a list of program and arguments, such as [/srv/shop/bin/workers, stop]')
  .min(1, 'names a program')
  .transform(([program = '', ...args]): [string, ...string[]] => [program, ...args]);

const common = {
  id: kebabName().describe('Name in record and report.'),
  on: hostSelector()
    .prefault('web')
    .describe('Hosts that have it: `web`, `workers`, `database`, `control`, or one host.'),
  drain: duration()
    .prefault('60s')
    .describe(
      'How long it may take to end gracefully. When it has not, everything is undone and the site reopens.',
    ),
  'before-drain': z
    .boolean('is true or false')
    .optional()
    .describe(
      'Whether it is stopped as soon as the public is kept out, before requests under way have ended: for workers whose database sessions would keep `drain-timeout` from being met. Timers and cron are.',
    ),
  'start-timeout': duration().prefault('60s').describe('How long it may take to run again.'),
  settle: duration().prefault('2s').describe('How long it must then stay up, without a restart.'),
  resume: z
    .enum(resumeMoments, 'is before-tests or when-open')
    .optional()
    .describe(
      '`before-tests`: behind the closed door, so that the tests meet it. `when-open`: after the public is served again; the default of timers and cron.',
    ),
};
const kill = z
  .boolean('is true or false')
  .prefault(false)
  .describe('Consent to end it by force when `drain` is over.');

const unit = group({
  ...common,
  kind: z.literal('unit').describe('A unit of systemd: service, timer, socket, path or target.'),
  unit: z
    .string('is the name of a unit such as shop.service')
    .regex(
      /^(?!-)[A-Za-z0-9:_.@\\-]{1,240}\.(?:service|timer|socket|path|target)$/,
      'is the name of a unit such as shop.service or report.timer',
    )
    .describe('Name of the unit with its suffix.'),
  scope: z
    .enum(['system', 'user'], 'is system or user')
    .prefault('system')
    .describe("Of the machine, or of the manager of a user's own units."),
  kill,
});
const compose = group({
  ...common,
  kind: z.literal('compose').describe('A service of a Docker Compose project.'),
  service: z
    .string('is the name of a compose service')
    .regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/, 'is the name of a compose service such as worker')
    .describe('Name of the service in the compose file.'),
  directory: absolutePath().describe('Folder of the project on the host.'),
  file: absolutePath()
    .optional()
    .describe('Compose file; by default the one that Compose finds in the folder.'),
  project: z
    .string('is the name of a compose project')
    .regex(/^[a-z0-9][a-z0-9_-]*$/, 'is the name of a compose project such as shop')
    .optional()
    .describe('Name of the project; by default that of the folder or the file.'),
  kill,
});
const cron = group({
  ...common,
  kind: z
    .literal('cron')
    .describe('Jobs of cron: a file in `/etc/cron.d`, or the crontab of a user.'),
  file: z
    .string('is the name of a file in /etc/cron.d')
    .regex(/^[A-Za-z0-9_-]{1,180}$/, 'is the name of a file in /etc/cron.d such as shop-reports')
    .optional()
    .describe('Name of a file in `/etc/cron.d`.'),
  user: z
    .string('is the name of a user')
    .regex(/^[A-Za-z_][A-Za-z0-9_.-]{0,31}$/, 'is the name of a user such as shop')
    .optional()
    .describe('User whose crontab it is.'),
}).refine(
  ({ file, user }) => (file === undefined) !== (user === undefined),
  'has either file or user',
);
const command = group({
  ...common,
  kind: z
    .literal('command')
    .describe('Your own commands, for queue workers and what no tool above knows.'),
  stop: argv.describe('Command that stops it gracefully.'),
  start: argv.describe('Command that starts it and returns.'),
  status: argv.describe('Command that tells by its exit code: 0 runs, 3 is stopped.'),
  'stopped-codes': z
    .array(z.int('is an exit code').min(1, 'is at least 1').max(125, 'is at most 125'))
    .min(1, 'names at least one exit code')
    .prefault([3])
    .describe('Exit codes of `status` that mean stopped; any other is a failure.'),
  directory: absolutePath().optional().describe('Folder that the commands run in.'),
});

export const serviceSchema = z.discriminatedUnion(
  'kind',
  [unit, compose, cron, command],
  'is unit, compose, cron or command',
);
export type ServiceSettings = z.output<typeof serviceSchema>;

/** Services in the order of their stop, each id once. */
export const servicesType = z
  .array(serviceSchema, 'is a list of services')
  .prefault([])
  .refine(hasEachIdOnce, 'has each id once');
