import * as z from 'zod';
import { hostPath, duration, group, kebabName, line, setting } from '../setting-types.ts';

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
};

const vacuum = group({
  task: z.literal('vacuum').describe('Removes dead rows and, unless told not to, analyzes.'),
  ...common,
  stage: stage.prefault('online').describe(stageDescription),
  tables,
  analyze: z
    .boolean('is true or false')
    .prefault(true)
    .describe("Whether the planner's statistics are renewed as well."),
});
const analyze = group({
  task: z.literal('analyze').describe("Renews the planner's statistics."),
  ...common,
  stage: stage.prefault('online').describe(stageDescription),
  tables,
});
const reindex = group({
  task: z.literal('reindex').describe('Rebuilds indexes and repairs invalid ones.'),
  ...common,
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
    .describe('Folder of `.sql` files on the host, run in the order of their names, each once.'),
  'checksum-table': line()
    .prefault('maintenance_window_migrations')
    .describe('Table that remembers which files ran, and their checksums.'),
  command: z
    .array(line())
    .min(1)
    .optional()
    .describe(
      'Your migration tool instead of `files`: program and arguments, run without a shell from the root of the repository.',
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
}).refine(
  (task) => (task.files === undefined) !== (task.command === undefined),
  'has either files (a folder of .sql files) or command',
);
const sql = group({
  task: z.literal('sql').describe('Runs your SQL, for instance to archive old rows.'),
  ...common,
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
}).refine(
  (task) => task.stage === 'closed' || task.blast === 'none',
  'runs online only with blast: none; what changes schema or data needs the site closed and a restore point',
);

export const taskSchema = z.discriminatedUnion(
  'task',
  [vacuum, analyze, reindex, migrate, sql],
  'is one of vacuum, analyze, reindex, migrate, sql',
);
export type TaskSettings = z.output<typeof taskSchema>;

export const runDbMaintenanceShape = {
  tasks: setting(
    z
      .array(taskSchema, 'is a list of tasks')
      .prefault([])
      .refine((tasks) => {
        const ids = tasks.flatMap(({ id }) => (id === undefined ? [] : [id]));
        return new Set(ids).size === ids.length;
      }, 'has each id once'),
    {
      form: 'document',
      description:
        'Tasks in order: `vacuum`, `analyze`, `reindex`, `migrate`, `sql`, each with its settings.',
      example: '- task: vacuum\n- task: migrate\n  files: /srv/shop/migrations',
    },
  ),
  'restore-point': setting(
    z.enum(['auto', 'clone', 'backup'], 'is auto, clone or backup').prefault('auto'),
    {
      form: 'text',
      description:
        'What a rollback goes back to: a `clone` of the database, or a verified `backup` retaken while closed; `auto` takes the clone where it is possible.',
    },
  ),
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
