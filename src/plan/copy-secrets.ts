import { fail } from '../ports/failure.ts';
import type { Plan } from './plan.ts';

/**
 * Secrets of the places for copies and of their encryption. They are apart from the others: only what makes backups
 * needs them, and no other job gets to see them.
 */
export function copySecretReferences(
  plan: Pick<Plan, 'backupDb'>,
): readonly { readonly path: string; readonly variable: string }[] {
  const references: { path: string; variable: string }[] = [];
  const add = (path: string, reference: string | undefined): void => {
    if (reference !== undefined) references.push({ path, variable: reference.slice(1) });
  };
  const { copies, identity } = plan.backupDb;
  add('backup-db.identity', identity);
  for (const [index, copy] of copies.entries()) {
    const at = `backup-db.copies.${index}`;
    if (copy.to === 'ssh') add(`${at}.private-key`, copy.privateKey);
    if (copy.to === 's3') {
      add(`${at}.access-key-id`, copy.accessKeyId);
      add(`${at}.secret-access-key`, copy.secretAccessKey);
      add(`${at}.session-token`, copy.sessionToken);
    }
  }
  return references;
}

/** The value of each variable that the copies need. */
export type CopySecrets = ReadonlyMap<string, string>;

/**
 * Looks the secrets up.
 * @param only one variable, where no more is needed
 * @throws FailureError `secret-missing` naming every variable that is not set
 */
export function resolveCopySecrets(
  plan: Pick<Plan, 'backupDb'>,
  environment: Readonly<Record<string, string | undefined>>,
  only?: string,
): CopySecrets {
  const found = new Map<string, string>();
  const missing: string[] = [];
  for (const { path, variable } of copySecretReferences(plan)) {
    if (only !== undefined && variable !== only) continue;
    const value = environment[variable] ?? '';
    if (value === '') missing.push(`${variable} (${path})`);
    else found.set(variable, value);
  }
  if (missing.length === 0) return found;
  return fail({
    code: 'secret-missing',
    message: `The environment does not have ${missing.join(', ')}.`,
    state: 'Nothing was touched.',
    next: 'Set it in the `env:` of the step from a secret, for instance `BACKUP_ACCESS_KEY_ID: ${{ secrets.BACKUP_ACCESS_KEY_ID }}`.',
  });
}
