import { posix } from 'node:path';
import { isEncrypted } from '../../plan/settings/backup-copies.ts';
import { fail, failureOf } from '../../ports/failure.ts';
import type { Host } from '../../ports/host.ts';
import type { Check } from '../../ports/maintenance-mode.ts';
import { placeOf } from '../../record/record-place.ts';
import type { PhaseContext } from '../phase.ts';
import { windowIdIn } from './backup-note.ts';
import { openPlaces, type CopyPlace } from './copies.ts';
import { keeperOf } from './keeper.ts';

export type CopyCheckContext = Pick<
  PhaseContext,
  'plan' | 'fleet' | 'copyDestination' | 'encryption'
>;

/** Prints the device of a path, or of the first folder above it that is there. */
const deviceScript = `
path=$1
while [ ! -e "$path" ]; do path=$(dirname -- "$path"); done
stat -L -c %d -- "$path"
`;

/** Looks, before anything is touched, whether the copies of a backup can be made; nothing is written. */
export async function checkCopies(context: CopyCheckContext): Promise<readonly Check[]> {
  const { copies, recipients } = context.plan.backupDb;
  const checks: Check[] = [];
  const encrypted = copies.filter((copy) => isEncrypted(copy, context.plan.backupDb));
  const { database } = context.fleet;
  const keeper = keeperOf(context, {});
  if (keeper !== database && recipients.length > 0) {
    checks.push({ ...(await checkEncryption(context, database, true)), id: 'stream-encryption' });
  }
  if (encrypted.length > 0) {
    const isRequired = encrypted.some(({ required }) => required);
    checks.push(await checkEncryption(context, keeper, isRequired));
  }
  for (const place of await openPlaces(context)) checks.push(await checkPlace(context, place));
  return checks;
}

/**
 * Refuses a backup whose copies cannot be made, before hours go into its dump.
 * @throws FailureError `copy-impossible`
 */
export async function refuseImpossibleCopies(context: CopyCheckContext): Promise<void> {
  const failed = (await checkCopies(context)).find(({ verdict }) => verdict === 'failed');
  if (failed === undefined) return;
  fail({
    code: 'copy-impossible',
    message: `${failed.title}: ${failed.value.replace(/\.$/, '')}.`,
    state: 'Nothing was touched; no backup was made.',
    next: failed.next ?? 'Mend that, then run the step again.',
  });
}

async function checkEncryption(
  context: CopyCheckContext,
  host: Host,
  required: boolean,
): Promise<Check> {
  const head = {
    id: 'backup-encryption',
    title: `Encryption of backups on ${host.name}`,
    limit: 'age is installed there, and takes the recipients',
  };
  const bad = { ...head, verdict: required ? 'failed' : 'warning' } as const;
  if (context.encryption === undefined) throw new Error('nobody encrypts for the recipients');
  try {
    const result = await context
      .encryption()
      .check(host, host === context.fleet.database ? 'both' : 'encrypt');
    return result.kind === 'ready'
      ? { ...head, verdict: 'passed', value: result.detail }
      : { ...bad, value: result.reason, next: result.next };
  } catch (error) {
    const { message, next } = failureOf(error);
    return { ...bad, value: message, next };
  }
}

async function checkPlace(
  context: CopyCheckContext,
  { settings, destination }: CopyPlace,
): Promise<Check> {
  const { id, required } = settings;
  const head = {
    id: `backup-copy-${id}`,
    title: `Place ${id} for copies of the backup (${destination.label})`,
    limit: 'can be listed',
  };
  const bad = { ...head, verdict: required ? 'failed' : 'warning' } as const;
  try {
    const listed = await destination.list();
    if (settings.to === 'folder' && !settings.sameFileSystem) {
      const host = keeperOf(context, {});
      const backups = backupFolder(context);
      const [there, here] = [await deviceOf(host, settings.path), await deviceOf(host, backups)];
      if (there === here) {
        return {
          ...bad,
          value: `${settings.path} is on the file system that has the backups (${backups})`,
          limit: 'another file system',
          next: 'Mount what should be there, name a folder elsewhere, or consent with `same-file-system: true`.',
        };
      }
    }
    const name = context.plan.name ?? '';
    const backups = listed.filter(
      (object) =>
        object.name.endsWith('.json') &&
        windowIdIn(object.name.slice(0, -'.json'.length), name) !== undefined,
    ).length;
    return { ...head, verdict: 'passed', value: `${backups} backups of ${name} are there` };
  } catch (error) {
    const { message, next } = failureOf(error);
    return { ...bad, value: message, next };
  }
}

function backupFolder({ plan }: CopyCheckContext): string {
  const { folder } = placeOf(plan.stateDir, plan.name ?? '');
  return plan.backupDb.directory ?? posix.join(folder, 'backups');
}

async function deviceOf(host: Host, path: string): Promise<string> {
  const found = await host.run({
    argv: ['sh', '-c', deviceScript, 'sh', path],
    timeoutSeconds: 30,
  });
  if (found.exitCode !== 0) {
    fail({
      code: 'copy-unreadable',
      message: `The file system of ${path} on ${host.name} cannot be told: ${found.stderr.trim()}.`,
      state: 'Nothing was touched.',
      next: 'See to that folder on the host.',
    });
  }
  return found.stdout.trim();
}
