import * as z from 'zod';
import { ageRecipientMessage, isAgeRecipient } from '../age-recipient.ts';
import { durationPattern, parseDuration } from '../duration.ts';
import { s3CopyShape } from './backup-copy-s3.ts';
import {
  absolutePath,
  group,
  hasEachIdOnce,
  hostReference,
  kebabName,
  secretReference,
  setting,
} from '../setting-types.ts';

const longest = 100 * 366 * 86_400;
const count = () =>
  z.int('is a whole number').min(1, 'is at least 1').max(10_000, 'is at most 10000');

/** Seconds; unlike other durations up to a century. */
const age = z
  .string('is a duration such as 90d')
  .regex(durationPattern, { error: 'is a duration such as 90d', abort: true })
  .refine((text) => (parseDuration(text) ?? 0) >= 1, 'is at least 1s')
  .refine((text) => (parseDuration(text) ?? 0) <= longest, 'is at most 36600d')
  .transform((text) => parseDuration(text) ?? 0);

const keepRules = group({
  last: count().optional().describe('The newest so many.'),
  within: age.optional().describe('All that are younger than this, for instance `30d`.'),
  daily: count()
    .optional()
    .describe("The newest of each day, for so many days that have one; in the window's time zone."),
  weekly: count().optional().describe('The newest of each week (from Monday), for so many weeks.'),
  monthly: count().optional().describe('The newest of each month, for so many months.'),
  yearly: count().optional().describe('The newest of each year, for so many years.'),
  smallest: z
    .number('is a number such as 0.5')
    .min(0.01, 'is at least 0.01')
    .max(1, 'is at most 1')
    .prefault(0.5)
    .describe(
      'Nothing is removed when the new backup has less than this part of the bytes or rows of those before it (their median): it may be an empty one.',
    ),
}).refine(
  ({ last, within, daily, weekly, monthly, yearly }) =>
    [last, within, daily, weekly, monthly, yearly].some((rule) => rule !== undefined),
  'has at least one of last, within, daily, weekly, monthly and yearly',
);
/** What of the older backups stays; what any rule keeps is kept. */
export type KeepRules = z.output<typeof keepRules>;

const common = {
  id: kebabName().describe('Name in record and report.'),
  required: z
    .boolean('is true or false')
    .prefault(true)
    .describe('Whether the backup counts as failed when this copy fails; else it is a warning.'),
};
const kept = {
  keep: keepRules.optional().describe('What is kept there; by default what `keep` says.'),
};

const folder = group({
  ...common,
  to: z
    .literal('folder')
    .describe('A folder on the host that has the backup, for instance of a file server.'),
  path: absolutePath().describe('The folder, which belongs to this application alone.'),
  'same-file-system': z
    .boolean('is true or false')
    .prefault(false)
    .describe(
      'Consent to a folder on the file system that has the backup itself, with which it would be lost; without it that is refused, also when what should be mounted there is not.',
    ),
  plain: z
    .boolean('is true or false')
    .prefault(false)
    .describe('Leaves this copy unencrypted although there are `recipients`.'),
  ...kept,
});
const ssh = group({
  ...common,
  to: z.literal('ssh').describe('A folder on another host, which need not be one of `hosts`.'),
  host: hostReference()
    .refine((name) => name !== 'local', 'is a host such as ssh://backup@vault.example.org')
    .describe('The host, as `ssh://user@host:port`.'),
  path: absolutePath().describe('The folder on it, which belongs to this application alone.'),
  'private-key': secretReference()
    .optional()
    .describe('Environment variable with the private key; by default that of `ssh`.'),
  'known-hosts': z
    .string('is text')
    .min(1, 'is not empty')
    .optional()
    .describe("The host's keys, as in a known_hosts file; by default those of `ssh`."),
  ...kept,
});
const artifact = group({
  ...common,
  to: z
    .literal('artifact')
    .describe('An artifact of the workflow run, through temporary files on the runner.'),
  days: z
    .int('is a whole number')
    .min(1, 'is at least 1')
    .max(400, 'is at most 400')
    .optional()
    .describe("Days after which GitHub removes it; by default the repository's setting."),
});
const s3 = group({
  ...common,
  to: z.literal('s3').describe('A bucket of S3, or of a server that speaks its protocol.'),
  ...s3CopyShape,
  ...kept,
});

const copySchema = z.discriminatedUnion(
  'to',
  [folder, s3, ssh, artifact],
  'is folder, s3, ssh or artifact',
);
/** A place off the host that gets a copy of each backup. */
export type BackupCopySettings = z.output<typeof copySchema>;

export const backupCopiesShape = {
  recipients: setting(
    z
      .array(
        z.string(ageRecipientMessage).refine(isAgeRecipient, ageRecipientMessage),
        'is a list of public keys',
      )
      .max(20, 'has at most 20 entries')
      .prefault([]),
    {
      form: 'list',
      description:
        'Public keys for which copies are encrypted by `age`, each of which can decrypt them alone: `age1…` of `age-keygen`, or SSH keys. Whatever leaves the host needs one.',
      example: 'age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p',
    },
  ),
  identity: setting(secretReference().optional(), {
    form: 'text',
    description:
      'Environment variable with the private key of one recipient. With it each copy is also decrypted and compared with the backup; without it, it is compared by checksum, and the key need not be where backups are made. A backup that is streamed encrypted (`stream-to`) is restored with it.',
    example: '$BACKUP_IDENTITY',
  }),
  copies: setting(
    z
      .array(copySchema, 'is a list of copies')
      .prefault([])
      .refine(hasEachIdOnce, 'has each id once')
      .refine(
        (copies) => copies.every(({ id }) => id !== 'host'),
        'has no copy with the id host, which stands for the host itself',
      ),
    {
      form: 'document',
      description:
        'Places that get a copy of the backup: `folder`, `s3`, `ssh` or `artifact`. One counts when it was read back in full with the checksum that was sent.',
      example: '- to: folder\n  id: file-server\n  path: /mnt/backups/shop',
    },
  ),
  keep: setting(keepRules.optional(), {
    form: 'document',
    description:
      'What of older backups is kept, on the host and in each place of `copies`; the rest is removed when the new one is verified. Without it nothing is ever removed.',
    example: 'last: 3\ndaily: 7\nweekly: 5\nmonthly: 12',
  }),
};

/** Why a copy may not be made as the settings have it; `undefined` when it may. */
export function unencryptedCopy(settings: {
  readonly recipients: readonly string[];
  readonly copies: readonly BackupCopySettings[];
}): { readonly index: number; readonly message: string } | undefined {
  if (settings.recipients.length > 0) return undefined;
  const index = settings.copies.findIndex(({ to }) => to !== 'folder');
  return index === -1
    ? undefined
    : {
        index,
        message: `leaves the host, so it has to be encrypted: name at least one public key in backup-db.recipients`,
      };
}

/** Whether a copy is encrypted. */
export function isEncrypted(
  copy: BackupCopySettings,
  { recipients }: { readonly recipients: readonly string[] },
): boolean {
  return recipients.length > 0 && !(copy.to === 'folder' && copy.plain);
}
