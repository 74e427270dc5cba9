import * as z from 'zod';
import { absolutePath, duration, group, kebabName, line, setting } from '../setting-types.ts';

const tables = z
  .union(
    [z.literal('all'), z.array(line()).min(1)],
    'is all, or a list of tables such as public.orders',
  )
  .prefault('all');
const stage = z.enum(['online', 'closed'], 'is online (before closing) or closed');
const common = {
  id: kebabName().optional(),
  'lock-timeout': duration().optional(),
  'statement-timeout': duration().optional(),
};

const vacuum = group({
  task: z.literal('vacuum'),
  ...common,
  stage: stage.prefault('online'),
  tables,
  analyze: z.boolean().prefault(true),
});
const analyze = group({
  task: z.literal('analyze'),
  ...common,
  stage: stage.prefault('online'),
  tables,
});
const reindex = group({
  task: z.literal('reindex'),
  ...common,
  stage: stage.prefault('online'),
  tables,
  concurrently: z.boolean().prefault(true),
});
const migrate = group({
  task: z.literal('migrate'),
  ...common,
  stage: z.literal('closed').prefault('closed'),
  files: absolutePath().optional(),
  'checksum-table': line().prefault('maintenance_window_migrations'),
  command: z.array(line()).min(1).optional(),
  verify: line().optional(),
}).refine(
  (task) => (task.files === undefined) !== (task.command === undefined),
  'has either files (a folder of .sql files) or command',
);
const sql = group({
  task: z.literal('sql'),
  ...common,
  stage: stage.prefault('closed'),
  sql: z.string().min(1),
  transaction: z.boolean().prefault(true),
  expect: z.string().optional(),
  blast: z.enum(['none', 'schema', 'data']).prefault('data'),
});

export const taskSchema = z.discriminatedUnion(
  'task',
  [vacuum, analyze, reindex, migrate, sql],
  'is one of vacuum, analyze, reindex, migrate, sql',
);
export type TaskSettings = z.output<typeof taskSchema>;

export const runDbMaintenanceShape = {
  tasks: setting(z.array(taskSchema).prefault([]), {
    form: 'document',
    description:
      'Tasks in order: `vacuum`, `analyze`, `reindex`, `migrate`, `sql`, each with its settings.',
    example: '- task: vacuum\n- task: migrate\n  files: /srv/shop/migrations',
  }),
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
