import * as z from 'zod';
import { absolutePath, group, secretReference, setting } from '../setting-types.ts';
import { backupCopiesShape, unencryptedCopy } from './backup-copies.ts';

/** How a backup is proved, each level with all of the one before. */
export const verificationLevels = ['checksum', 'restore', 'restore-and-compare'] as const;
/** Where pg_amcheck looks. */
export const amcheckPlaces = ['none', 'restored', 'source', 'both'] as const;

const verificationShape = {
  verify: setting(
    z.enum(verificationLevels, 'is checksum, restore or restore-and-compare').prefault('restore'),
    {
      form: 'text',
      description:
        "How the backup is proved: `checksum` reads its files again, and restores nothing; `restore` restores it into a scratch database and counts the rows of every table; `restore-and-compare` compares schema, sequences, large objects and a hash of each table as well, as they were in the dump's own snapshot.",
    },
  ),
  amcheck: setting(z.enum(amcheckPlaces, 'is none, restored, source or both').prefault('none'), {
    form: 'text',
    description:
      'Where `pg_amcheck` looks for damaged tables and indexes: in the `restored` database, in the `source` (read-only, and only where the extension amcheck is installed already), in `both`, or in `none`. Needs a superuser.',
  }),
  'scratch-url': setting(secretReference().optional(), {
    form: 'text',
    description:
      "Environment variable with the URL of another PostgreSQL server, on which the restore test runs instead of the application's. Its database is only connected to; the scratch database gets a name of its own.",
    example: '$SCRATCH_URL',
  }),
};

export const backupDbShape = {
  directory: setting(absolutePath().optional(), {
    form: 'text',
    description:
      "Folder for backups on the host; by default `backups` in the window's folder under `state-dir`.",
  }),
  jobs: setting(
    z.int('is a whole number').min(1, 'is at least 1').max(64, 'is at most 64').prefault(2),
    {
      form: 'number',
      description: 'Parallel workers of dump and restore.',
    },
  ),
  ...verificationShape,
  ...backupCopiesShape,
};

export const backupDbGroup = group(backupDbShape).superRefine((settings, context) => {
  const problem = unencryptedCopy(settings);
  if (problem === undefined) return;
  context.addIssue({ code: 'custom', path: ['copies', problem.index], message: problem.message });
});
