import * as z from 'zod';
import { dangers } from '../../ports/dangerous-sql.ts';
import {
  absolutePath,
  hostPath,
  hostSelector,
  duration,
  group,
  hasEachIdOnce,
  kebabName,
  line,
  setting,
} from '../setting-types.ts';
import { whenLate } from './when-late.ts';

const tables = z
  .union(
    [z.literal('all'), z.array(line()).min(1)],
    'is all, or a list of tables such as public.orders',
  )
  .prefault('all')
  .describe('`all`, or the tables, with their schemas.');
const stage = z.enum(['online', 'closed'], 'is online (before closing) or closed');
const stageDescription =
  'When: `online`, while the public is served, or `closed`, while the site is down.';
const common = {
  id: kebabName()
    .optional()
    .describe('Name in record and report; by default the task with its number.'),
  'lock-timeout': duration().optional().describe('How long its statements wait for a lock.'),
  'statement-timeout': duration().optional().describe('How long a statement of it may run.'),
  'when-late': whenLate('`abort` for what changes schema or data, else `skip`'),
};
const heldBackPolicy = z.enum(['skip', 'fail'], 'is skip or fail');
/** Of tasks that can run while the public is served. */
const servable = {
  ...common,
  'when-held-back': heldBackPolicy
    .optional()
    .describe(
      'What follows when it cannot be done without harming the public: `skip` the task, or `fail` the step.',
    ),
};

const consent = z
  .array(z.enum(dangers, `is one of ${dangers.join(', ')}`))
  .prefault([])
  .describe(
    'What it may do that takes data or service away at one stroke, by name: `drop`, `drop-column`, `truncate`, `delete-all` and `update-all` (without a WHERE that chooses), `vacuum-full`, `cluster`, `reindex` (while online, without CONCURRENTLY). SQL that does more than this is refused before anything runs.',
  );

const vacuum = group({
  task: z.literal('vacuum').describe('Removes dead rows and, unless told not to, analyzes.'),
  ...servable,
  stage: stage.prefault('online').describe(stageDescription),
  tables,
  analyze: z
    .boolean('is true or false')
    .prefault(true)
    .describe("Whether the planner's statistics are renewed as well."),
  full: z
    .boolean('is true or false')
    .prefault(false)
    .describe(
      'Whether tables are written anew without their gaps (VACUUM FULL): locks each against readers too and needs room for a second copy, so only with `stage: closed` and `consent: [vacuum-full]`.',
    ),
  consent,
})
  .refine(
    (task) => !task.full || task.consent.includes('vacuum-full'),
    'has full: true, which runs only with consent: [vacuum-full]',
  )
  .refine(
    (task) => !task.full || task.stage === 'closed',
    'has full: true, which locks out readers and so runs only with stage: closed',
  );
const analyze = group({
  task: z.literal('analyze').describe("Renews the planner's statistics."),
  ...servable,
  stage: stage.prefault('online').describe(stageDescription),
  tables,
});
const reindex = group({
  task: z.literal('reindex').describe('Rebuilds indexes and repairs invalid ones.'),
  ...servable,
  stage: stage.prefault('online').describe(stageDescription),
  tables,
  concurrently: z
    .boolean('is true or false')
    .prefault(true)
    .describe('Whether writers may go on meanwhile; slower, and needs room for a second copy.'),
});
const migrate = group({
  task: z.literal('migrate').describe('Changes the schema by your SQL files or your command.'),
  ...common,
  stage: z
    .literal('closed', 'is closed')
    .prefault('closed')
    .describe('Always `closed`: after the restore point was taken.'),
  files: hostPath()
    .optional()
    .describe(
      'Folder of `.sql` files, run in the order of their names, each once: an absolute path on the database host, or one from the root of the repository.',
    ),
  'checksum-table': line()
    .prefault('maintenance_window_migrations')
    .describe('Table that remembers which files ran, and their checksums.'),
  command: z
    .array(line())
    .min(1)
    .optional()
    .describe(
      'Your migration tool instead of `files`: program and arguments, run without a shell.',
    ),
  on: hostSelector()
    .prefault('control')
    .describe('Host that `command` runs on; of several the first.'),
  'working-directory': absolutePath()
    .optional()
    .describe(
      "Folder on that host that `command` runs in; by default the checked-out repository on `local`, else the user's home.",
    ),
  environment: z
    .array(
      z
        .string('is the name of an environment variable')
        .regex(/^[A-Z_][A-Z0-9_]*$/, 'is the name of an environment variable such as RAILS_ENV'),
    )
    .optional()
    .describe(
      'Environment variables that `command` gets, by name; by default the one with the database URL.',
    ),
  verify: line()
    .optional()
    .describe('Query that must return true after `command`; without it only the exit code counts.'),
  consent,
}).refine(
  (task) => (task.files === undefined) !== (task.command === undefined),
  'has either files (a folder of .sql files) or command',
);
const sql = group({
  task: z.literal('sql').describe('Runs your SQL, for instance to archive old rows.'),
  ...servable,
  stage: stage.prefault('closed').describe(stageDescription),
  sql: z.string('is SQL').min(1).describe('Statements.'),
  transaction: z
    .boolean('is true or false')
    .prefault(true)
    .describe('Whether they run in one transaction.'),
  expect: z.string('is text').optional().describe('Query that must return true afterwards.'),
  blast: z
    .enum(['none', 'schema', 'data'], 'is none, schema or data')
    .prefault('data')
    .describe('What it can do to the system when it goes wrong; decides what a failure leads to.'),
  consent,
}).refine(
  (task) => task.stage === 'closed' || task.blast === 'none',
  'runs online only with blast: none; what changes schema or data needs the site closed and a restore point',
);

const archive = group({
  task: z
    .literal('archive')
    .describe('Moves rows of a table into an archive table or into compressed CSV files.'),
  ...servable,
  stage: stage
    .prefault('closed')
    .describe(
      'When: `closed`, after the restore point was taken, so that a rollback brings the rows back; or `online`, in small steps while the public is served, after a verified backup of the same window: no rollback brings the rows back then, they stay archived.',
    ),
  table: line().describe('The table that rows are taken from, with its schema.'),
  where: z
    .string('is an SQL condition')
    .min(1, 'is an SQL condition')
    .describe('Which rows: an SQL condition on its columns, without the word WHERE.'),
  into: line()
    .optional()
    .describe(
      'Archive table, with its schema; made like the source when there is none. One that lacks a column, or has it in another type, is refused.',
    ),
  folder: absolutePath()
    .optional()
    .describe(
      'Instead of `into`: folder, on the host that runs the database clients, for the rows as gzipped CSV, one file a batch, in a folder named after the window and the task.',
    ),
  'batch-size': z
    .int('is a whole number')
    .min(1, 'is at least 1')
    .max(1_000_000, 'is at most 1000000')
    .prefault(10_000)
    .describe('Rows moved in one transaction; online, fewer after it had to give way to others.'),
  pause: duration()
    .optional()
    .describe(
      'Pause between batches, so that others get their turn; by default none while closed, and online as long as the batch took.',
    ),
}).refine(
  (task) => (task.into === undefined) !== (task.folder === undefined),
  'has either into (an archive table) or folder (for CSV files)',
);
const refresh = group({
  task: z
    .literal('refresh')
    .describe('Refreshes materialized views, each after those that it reads from.'),
  ...servable,
  stage: stage.prefault('online').describe(stageDescription),
  views: z
    .union(
      [z.literal('all'), z.array(line()).min(1)],
      'is all, or a list of materialized views such as public.totals',
    )
    .prefault('all')
    .describe('`all`, or the materialized views, with their schemas.'),
  concurrently: z
    .boolean('is true or false')
    .prefault(true)
    .describe(
      'Whether readers may go on meanwhile; a view without a fitting unique index is refreshed with a lock, and named.',
    ),
});
const repack = group({
  task: z
    .literal('repack')
    .describe(
      'Writes tables anew without their gaps by pg_repack, while readers and writers go on.',
    ),
  ...servable,
  stage: stage.prefault('online').describe(stageDescription),
  tables,
});
const optimizeQueries = group({
  task: z
    .literal('optimize-queries')
    .describe('Advises on queries, indexes, bloat, sequences and wraparound; changes nothing.'),
  ...servable,
  stage: stage.prefault('online').describe(stageDescription),
  'at-most': z
    .int('is a whole number')
    .min(1, 'is at least 1')
    .max(50, 'is at most 50')
    .prefault(20)
    .describe('Findings of a kind that are kept, the worst first.'),
});

export const taskSchema = z.discriminatedUnion(
  'task',
  [vacuum, analyze, reindex, migrate, sql, archive, refresh, repack, optimizeQueries],
  'is one of vacuum, analyze, reindex, migrate, sql, archive, refresh, repack, optimize-queries',
);
export type TaskSettings = z.output<typeof taskSchema>;

const argv = z
  .array(line(), 'is a list of program and arguments, such as [/usr/local/sbin/snapshot, take]')
  .min(1, 'names a program')
  .transform(([program = '', ...args]): [string, ...string[]] => [program, ...args]);

const restorePointCommand = group({
  take: argv.describe(
    'Takes the snapshot of everything that the database server writes, at one moment, and prints its reference on the last line. May be run a second time after a kill.',
  ),
  'go-back': argv.describe(
    'Stops the server, brings back the snapshot whose reference is in `MW_REFERENCE`, starts the server and ends when it answers. May be run a second time after a kill. When it keeps the failed state, it prints where on the last line.',
  ),
  release: argv.describe(
    'Gives up the snapshot in `MW_REFERENCE`: after a window that ended well (and its `restore-point-retention`), or after a rollback to it. Succeeds when it is gone already.',
  ),
  on: hostSelector().prefault('database').describe('Host that they run on; of several the first.'),
  timeout: duration().prefault('5m').describe('How long each may take before it is ended.'),
  quiesce: z
    .boolean('is true or false')
    .prefault(true)
    .describe(
      'Whether sessions are ended and kept out, and a checkpoint is asked for, before `take`: the server then has less to recover.',
    ),
  environment: z
    .array(
      z
        .string('is the name of an environment variable')
        .regex(/^[A-Z_][A-Z0-9_]*$/, 'is the name of an environment variable such as ZFS_POOL'),
    )
    .prefault([])
    .describe('Environment variables that they get, by name.'),
});
export type RestorePointCommand = z.output<typeof restorePointCommand>;

export const runDbMaintenanceShape = {
  tasks: setting(
    z
      .array(taskSchema, 'is a list of tasks')
      .prefault([])
      .refine(hasEachIdOnce, 'has each id once'),
    {
      form: 'document',
      description:
        'Tasks in order: `vacuum`, `analyze`, `reindex`, `migrate`, `sql`, `archive`, `refresh`, `repack`, `optimize-queries`, each with its settings.',
      example: '- task: vacuum\n- task: migrate\n  files: /srv/shop/migrations',
    },
  ),
  'restore-point': setting(
    z
      .enum(
        ['auto', 'clone', 'standby', 'dump', 'command'],
        'is auto, clone, standby, dump or command',
      )
      .prefault('auto'),
    {
      form: 'text',
      description:
        'What a rollback goes back to: a `clone` of the database, a `standby` (the replica of `standby.url`, caught up and stopped), a `dump`, verified, retaken while closed, or a snapshot by your own `restore-point-command`. `auto` takes the clone where it is possible, unless copying takes longer than stopping the replica that the plan names; else the replica, else the dump; a `command` only by name.',
    },
  ),
  'restore-point-command': setting(restorePointCommand.optional(), {
    form: 'document',
    description:
      'Your own snapshots (LVM, ZFS, a cloud volume) for `restore-point: command`: programs with their arguments, run without a shell.',
    example:
      'take: [/usr/local/sbin/shop-snapshot, take]\ngo-back: [/usr/local/sbin/shop-snapshot, go-back]\nrelease: [/usr/local/sbin/shop-snapshot, release]',
  }),
  jobs: setting(
    z.int('is a whole number').min(1, 'is at least 1').max(64, 'is at most 64').prefault(2),
    {
      form: 'number',
      description: 'Parallel workers of vacuum and analyze.',
    },
  ),
  'lock-timeout': setting(duration().prefault('10s'), {
    form: 'text',
    description: 'How long a statement waits for a lock; a task may set its own.',
  }),
  'online-max-blocked': setting(duration().prefault('100ms'), {
    form: 'text',
    description:
      'How long a session of the application may wait for an online task: before that, the task gives way (its statement is cancelled) and tries again later.',
  }),
  'online-max-latency': setting(duration().optional(), {
    form: 'text',
    description:
      'How slow the application may answer during an online task (median of the `http` smoke tests, else of the public URL) before the task gives way; by default three times the median before the task, and at least 100 ms more.',
  }),
  'online-tries': setting(
    z.int('is a whole number').min(1, 'is at least 1').max(100, 'is at most 100').prefault(5),
    {
      form: 'number',
      description:
        'How often an online task tries each table, index, view or batch before it is given up.',
    },
  ),
  'when-held-back': setting(heldBackPolicy.prefault('skip'), {
    form: 'text',
    description:
      'What follows when an online task cannot be done without harming the public, or does not get its locks: `skip` it and say so, or `fail` the step; a task may decide for itself.',
  }),
  'statement-timeout': setting(duration().prefault('30m'), {
    form: 'text',
    description: 'How long a statement may run; a task may set its own.',
  }),
};

export const runDbMaintenanceGroup = group(runDbMaintenanceShape);

export const runDbMaintenanceInvocation = {
  stage: setting(z.enum(['online', 'closed', 'all'], 'is online, closed or all').prefault('all'), {
    form: 'text',
    description:
      'Which tasks to run now: those done while the public is served (`online`), those that need the site closed, or all.',
  }),
};
