import * as z from 'zod';
import { absolutePath, group, hostReference, secretReference, setting } from '../setting-types.ts';
import { backupCopiesShape, unencryptedCopy } from './backup-copies.ts';

/** How a dump may be compressed. */
export const compressions = ['auto', 'none', 'gzip', 'lz4', 'zstd'] as const;

/** How a backup is proved, each level with all of the one before. */
export const verificationLevels = ['checksum', 'restore', 'restore-and-compare'] as const;
/** Where pg_amcheck looks. */
export const amcheckPlaces = ['none', 'restored', 'source', 'both'] as const;

const mostJobs = 64;

/** A number out of range is told which end it is past; anything else, all that is accepted. */
function jobsMessage({ input }: { readonly input?: unknown }): string {
  if (!Number.isInteger(input)) return `is auto, or a whole number from 1 to ${mostJobs}`;
  return Number(input) < 1 ? 'is at least 1' : `is at most ${mostJobs}`;
}

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
      "Folder for backups on the host that keeps them; by default `backups` in the window's folder under `state-dir`.",
  }),
  'stream-to': setting(hostReference().optional(), {
    form: 'text',
    description:
      "Host that keeps the backup when the database's own has no disk for it: `local`, or one over SSH. The dump is streamed there as a single file, encrypted on the database's host when there are `recipients`; nothing is written there. It is written and restored by one worker.",
    example: 'local',
  }),
  compression: setting(z.enum(compressions, 'is auto, none, gzip, lz4 or zstd').prefault('auto'), {
    form: 'text',
    description:
      "How the dump is compressed, at a fast level: `auto` tries what `pg_dump` and the programs on the host can do on some megabytes of the database's own data, and takes the smallest of those that are about as fast as the fastest. `lz4` and `zstd` need the client programs of PostgreSQL 16 or newer.",
  }),
  jobs: setting(
    z.union([z.literal('auto'), z.int().min(1).max(mostJobs)], { error: jobsMessage }).prefault(2),
    {
      form: 'number',
      description:
        'Parallel workers of dump and restore. `auto`: half of the processors of the host with the client programs, at most 8, so that the public keeps some; while the site is closed, as in a rollback, all of them, at most 16.',
    },
  ),
  ...verificationShape,
  ...backupCopiesShape,
};

export const backupDbGroup = group(backupDbShape).superRefine((settings, context) => {
  const problem = unencryptedCopy(settings);
  if (problem !== undefined) {
    context.addIssue({ code: 'custom', path: ['copies', problem.index], message: problem.message });
  }
  const unprovable = unprovableStream(settings);
  if (unprovable !== undefined) context.addIssue({ code: 'custom', ...unprovable });
});

/** Why a stream that is encrypted cannot be proved as the settings have it; `undefined` when it can. */
function unprovableStream(settings: {
  readonly streamTo?: string | undefined;
  readonly recipients: readonly string[];
  readonly identity?: string | undefined;
  readonly verify: (typeof verificationLevels)[number];
}): { readonly path: string[]; readonly message: string } | undefined {
  const isEncrypted = settings.streamTo !== undefined && settings.recipients.length > 0;
  if (!isEncrypted || settings.verify === 'checksum' || settings.identity !== undefined) {
    return undefined;
  }
  return {
    path: ['identity'],
    message:
      'is needed to restore a stream with recipients, which verify asks for; or set verify to checksum',
  };
}
