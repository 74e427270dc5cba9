import * as z from 'zod';
import { durationPattern, parseDuration } from '../duration.ts';
import {
  absolutePath,
  bytes,
  duration,
  group,
  hasEachIdOnce,
  hostAddress,
  hostSelector,
  kebabName,
  line,
  setting,
} from '../setting-types.ts';
import { whenLate } from './when-late.ts';

const stage = z.enum(['online', 'closed'], 'is online (before closing) or closed');
const stageDescription =
  'When: `online`, while the public is served, or `closed`, while the site is down.';
const flag = (value: boolean) => z.boolean('is true or false').prefault(value);
const wholeNumber = () => z.int('is a whole number').min(0, 'is at least 0');
const argv = (what: string) => z.array(line(), `is ${what}`).min(1, 'names at least a program');
const commandText = 'program and arguments, run without a shell';

const ageMessage = 'is an age such as 30d or 12h';
const longestAge = 3650 * 86_400;
/** Seconds; unlike a duration up to ten years. */
const age = () =>
  z
    .string(ageMessage)
    .regex(durationPattern, { error: ageMessage, abort: true })
    .refine((text) => (parseDuration(text) ?? 0) >= 60, 'is at least 1m')
    .refine((text) => (parseDuration(text) ?? 0) <= longestAge, 'is at most 3650d')
    .transform((text) => parseDuration(text) ?? 0);

const common = {
  id: kebabName()
    .optional()
    .describe('Name in record and report; by default the task with its number.'),
  on: hostSelector()
    .prefault('web')
    .describe(
      'Where: `control`, `web`, `database`, `workers`, or one host of the plan; several hosts one after another.',
    ),
  'when-late': whenLate('`skip`'),
};

const packageName = z
  .string('is the name of a package')
  .regex(/^[a-z0-9][a-z0-9+.-]+$/, 'is the name of a package such as nginx-core');

const packages = group({
  task: z.literal('packages').describe('Installs package updates with apt, without a question.'),
  ...common,
  stage: stage.prefault('closed').describe(stageDescription),
  upgrade: z
    .enum(['security', 'all'], 'is security or all')
    .prefault('security')
    .describe(
      '`security`: the newest version of each installed package that a security archive has (label `Debian-Security`, or a suite that ends in `-security`); `all`: every update that removes nothing.',
    ),
  exclude: z
    .array(packageName, 'is a list of packages')
    .prefault([])
    .describe('Packages that stay as they are. Packages on hold do so anyhow.'),
  'lock-timeout': duration()
    .prefault('5m')
    .describe('How long it waits for other package work on the host to end.'),
  timeout: duration().prefault('30m').describe('How long the installation may take on a host.'),
  autoremove: flag(false).describe(
    'Whether packages are removed that were installed for others and are not needed any more.',
  ),
  'finish-interrupted': flag(false).describe(
    'Whether package work that somebody else left half-way is finished first (`dpkg --configure -a`); otherwise the task refuses. What a killed run of this window left is finished anyhow.',
  ),
});

const reboot = group({
  task: z
    .literal('reboot')
    .describe('Reboots hosts that are reached by SSH, and proves it by their boot id.'),
  ...common,
  stage: stage.prefault('closed').describe(stageDescription),
  when: z
    .enum(['if-needed', 'always', 'never'], 'is if-needed, always or never')
    .prefault('if-needed')
    .describe(
      '`if-needed`: when `/run/reboot-required` is there, or a newer kernel is installed than the one that runs.',
    ),
  timeout: duration()
    .prefault('10m')
    .describe('How long the host may take to be back with all that is to be there.'),
  mounts: z
    .array(absolutePath(), 'is a list of folders')
    .prefault([])
    .describe(
      'Folders that are to be mount points afterwards, besides those of `/etc/fstab` that were mounted before.',
    ),
  command: argv('the command that reboots')
    .prefault(['reboot'])
    .describe(`What reboots the host: ${commandText}.`),
});

const folder = group({
  path: absolutePath().describe('Folder on the host; the folders below it count, too.'),
  'older-than': age().describe('Files are removed that were last changed longer ago: 30d, 12h.'),
  name: z
    .string('is a pattern such as *.log')
    .regex(/^[^/\u0000-\u001f\u007f]+$/, 'is a pattern of file names such as *.log')
    .prefault('*')
    .describe('Pattern that the names of the files match, as in a shell.'),
  'keep-newest': wholeNumber()
    .prefault(0)
    .describe('How many of the newest of these files are kept, however old.'),
});

const cleanUp = group({
  task: z.literal('clean-up').describe('Frees disk space.'),
  ...common,
  stage: stage.prefault('online').describe(stageDescription),
  folders: z
    .array(folder, 'is a list of folders')
    .prefault([])
    .describe('Old files of these folders are removed; links are not followed.'),
  'old-kernels': flag(false).describe(
    'Whether kernels are removed that apt does not need any more; the running one and the newest stay.',
  ),
  journal: group({
    'keep-time': age().optional().describe("Entries of systemd's journal that are kept: 7d."),
    'keep-size': bytes().optional().describe("Size that systemd's journal is kept below: 500 MiB."),
  })
    .refine(
      (journal) => journal.keepTime !== undefined || journal.keepSize !== undefined,
      'has keep-time, keep-size or both',
    )
    .optional()
    .describe("What is kept of systemd's journal."),
  'package-cache': flag(false).describe('Whether downloaded packages are removed.'),
  docker: z
    .array(
      z.enum(
        ['images', 'containers', 'build-cache', 'volumes'],
        'is images, containers, build-cache or volumes',
      ),
      'is a list of images, containers, build-cache and volumes',
    )
    .prefault([])
    .describe(
      'What of Docker is pruned, each by name: dangling `images`, stopped `containers`, the `build-cache`, unused anonymous `volumes`.',
    ),
})
  .refine(
    (task) =>
      task.folders.length > 0 ||
      task.oldKernels ||
      task.journal !== undefined ||
      task.packageCache ||
      task.docker.length > 0,
    'names something: folders, old-kernels, journal, package-cache or docker',
  )
  .refine(
    (task) => task.stage === 'online' || !task.docker.includes('containers'),
    'prunes containers online only: while closed, those that this window stopped would be among them',
  );

const rotateLogs = group({
  task: z.literal('rotate-logs').describe('Rotates logs with logrotate.'),
  ...common,
  stage: stage.prefault('online').describe(stageDescription),
  config: absolutePath()
    .prefault('/etc/logrotate.conf')
    .describe('Configuration of logrotate on the host.'),
  state: absolutePath()
    .prefault('/var/lib/logrotate/status')
    .describe("logrotate's own memory, which tells when each log was rotated."),
  force: flag(false).describe('Whether logs are rotated that are not due.'),
  'still-written': z
    .array(absolutePath(), 'is a list of files')
    .prefault([])
    .describe('Logs that must be written to after the rotation: their service found the new file.'),
  within: duration().prefault('30s').describe('How long that may take.'),
});

const certificate = z.union(
  [
    group({ file: absolutePath().describe('Certificate in PEM on the host.') }),
    group({
      address: hostAddress().describe('Where the certificate is served, asked from the host.'),
      name: z
        .string('is a host name')
        .regex(/^[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?$/, 'is a host name')
        .describe('Name that it is asked for (SNI).'),
    }),
  ],
  'is a mapping with file, or with address and name',
);

const renewCertificates = group({
  task: z
    .literal('renew-certificates')
    .describe('Renews TLS certificates that end soon, and proves the new dates.'),
  ...common,
  stage: stage.prefault('online').describe(stageDescription),
  by: z
    .enum(['certbot', 'command'], 'is certbot or command')
    .prefault('certbot')
    .describe('`certbot renew`, or your `command`.'),
  command: argv('the command that renews')
    .optional()
    .describe(`With \`by: command\`: ${commandText}.`),
  certificates: z
    .array(certificate, 'is a list of certificates')
    .min(1, 'names at least one certificate')
    .describe('Certificates whose dates are read before and after.'),
  'due-within': age()
    .prefault('30d')
    .describe('Certificates that end sooner are due; when none is, nothing is done.'),
  reload: argv('the command that reloads')
    .optional()
    .describe(`What makes services take the new certificates: ${commandText}.`),
  timeout: duration().prefault('5m').describe('How long the renewal may take.'),
}).refine(
  (task) => (task.by === 'command') === (task.command !== undefined),
  'has command exactly with by: command',
);

const command = group({
  task: z
    .literal('command')
    .describe(
      'Runs a task of the application: clears a cache, updates dependencies, migrates data.',
    ),
  id: kebabName().describe('Name in record and report.'),
  on: hostSelector()
    .prefault('control')
    .describe(
      'Where: `control`, `web`, `database`, `workers`, or one host of the plan; several hosts one after another.',
    ),
  'when-late': whenLate('`abort`'),
  stage: stage.prefault('closed').describe(stageDescription),
  command: argv('the command').describe(`The task: ${commandText}.`),
  'working-directory': absolutePath()
    .optional()
    .describe(
      "Folder on the host that it runs in; by default the checked-out repository on `local`, else the user's home.",
    ),
  environment: z
    .array(
      z
        .string('is the name of an environment variable')
        .regex(/^[A-Z_][A-Z0-9_]*$/, 'is the name of an environment variable such as RAILS_ENV'),
      'is a list of names of environment variables',
    )
    .prefault([])
    .describe('Environment variables of the run that it gets, by name.'),
  timeout: duration().prefault('10m').describe('How long it may take on a host.'),
  verify: argv('a command')
    .optional()
    .describe(`What proves its effect by exit code 0: ${commandText}.`),
  'verify-sql': line().optional().describe('Query that proves its effect by returning true.'),
  blast: z
    .enum(['none', 'app', 'schema', 'data'], 'is none, app, schema or data')
    .prefault('app')
    .describe('What it can do to the system when it goes wrong; decides what a failure leads to.'),
  repeatable: flag(false).describe(
    'Whether it may simply be run again when nobody knows how far it came.',
  ),
}).refine(
  (task) => task.stage === 'closed' || task.blast === 'none' || task.blast === 'app',
  'runs online only with blast: none or app; what changes schema or data needs the site closed and a restore point',
);

export const serverTaskSchema = z.discriminatedUnion(
  'task',
  [packages, reboot, cleanUp, rotateLogs, renewCertificates, command],
  'is one of packages, reboot, clean-up, rotate-logs, renew-certificates, command',
);
export type ServerTaskSettings = z.output<typeof serverTaskSchema>;
export type ServerTaskOf<Kind extends ServerTaskSettings['task']> = Extract<
  ServerTaskSettings,
  { task: Kind }
>;

export const updateServerShape = {
  tasks: setting(
    z
      .array(serverTaskSchema, 'is a list of tasks')
      .prefault([])
      .refine(hasEachIdOnce, 'has each id once'),
    {
      form: 'document',
      description:
        'Tasks in order: `packages`, `reboot`, `clean-up`, `rotate-logs`, `renew-certificates`, `command`, each with its settings.',
      example: '- task: packages\n- task: reboot',
    },
  ),
};

export const updateServerGroup = group(updateServerShape);

export const updateServerInvocation = {
  stage: setting(z.enum(['online', 'closed', 'all'], 'is online, closed or all').prefault('all'), {
    form: 'text',
    description:
      'Which tasks to run now: those done while the public is served (`online`), those that need the site closed, or all.',
  }),
  'dry-run': setting(z.boolean('is true or false').prefault(false), {
    form: 'flag',
    description: 'Shows what would happen on each host, and touches nothing.',
  }),
};
