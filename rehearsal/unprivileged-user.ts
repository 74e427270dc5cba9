import { readFileSync } from 'node:fs';
import { chown } from 'node:fs/promises';

/** The user as whom the rehearsal's servers run. */
export type UnprivilegedUser = {
  readonly name: string;
  /** The name of its main group. */
  readonly group: string;
  readonly uid: number;
  readonly gid: number;
};

const accepted = ['nobody', 'www-data', 'postgres'];

/**
 * The user to start servers as when we are root (PostgreSQL refuses to run as root), or
 * undefined when we are an ordinary user, whose own rights are the right ones.
 */
export function unprivilegedUser(): UnprivilegedUser | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const users = entriesOf('/etc/passwd');
  const groups = entriesOf('/etc/group');
  for (const name of accepted) {
    const [, , uid, gid] = users.find(([user]) => user === name) ?? [];
    const [group] = groups.find(([, , id]) => id === gid) ?? [];
    if (gid !== undefined && group !== undefined) {
      return { name, group, uid: Number(uid), gid: Number(gid) };
    }
  }
  throw new Error(
    `We are root and need an unprivileged user for the servers, but /etc/passwd has none of: ` +
      `${accepted.join(', ')}. Nothing was started. Create one of them, or run as an ordinary user.`,
  );
}

/** Fields of passwd(5) or group(5). */
function entriesOf(file: string): string[][] {
  return readFileSync(file, 'utf8')
    .split('\n')
    .map((line) => line.split(':'));
}

/** The identity options of `child_process.spawn` for that user. */
export function identityOf(user: UnprivilegedUser | undefined): { uid?: number; gid?: number } {
  return user ? { uid: user.uid, gid: user.gid } : {};
}

/** Gives a file or folder to that user; does nothing when we are an ordinary user. */
export async function giveTo(user: UnprivilegedUser | undefined, path: string): Promise<void> {
  if (user) await chown(path, user.uid, user.gid);
}
