import * as z from 'zod';
import { absolutePath, group, setting } from '../setting-types.ts';
import { backupCopiesShape, unencryptedCopy } from './backup-copies.ts';

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
  ...backupCopiesShape,
};

export const backupDbGroup = group(backupDbShape).superRefine((settings, context) => {
  const problem = unencryptedCopy(settings);
  if (problem === undefined) return;
  context.addIssue({ code: 'custom', path: ['copies', problem.index], message: problem.message });
});
