import { chmod, chown, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** An account of a rehearsed machine. */
export type Account = {
  readonly name: string;
  readonly uid: number;
  /** The login shell, an absolute path. */
  readonly shell: string;
  /** Whether sudo lets it do everything without a password. */
  readonly sudo: boolean;
  /** Files in its home folder, by name. */
  readonly home?: Readonly<Record<string, string>>;
};

// The machine keeps its own files: what is mounted here ends with the last process that sees it.
const inOwnMounts = `
mount --bind "$1/passwd" /etc/passwd &&
mount --bind "$1/group" /etc/group &&
mount --bind "$1/shadow" /etc/shadow &&
mount --bind "$1/sudoers.d" /etc/sudoers.d || exit 1
shift
exec "$@"
`;

/**
 * Writes account files with the accounts added to those of this machine.
 * @returns a prefix for a command that then sees them in /etc; its process id is the command's. It needs root
 */
export async function privateAccounts(
  accounts: readonly Account[],
  folder: string,
): Promise<readonly string[]> {
  if (process.getuid?.() !== 0) {
    throw new Error(
      'Accounts of a rehearsed machine need root. Nothing was made. Run this as root.',
    );
  }
  const etc = join(folder, 'etc');
  const sudoers = join(etc, 'sudoers.d');
  await mkdir(sudoers, { recursive: true });
  const added = { passwd: '', group: '', shadow: '' };
  for (const { name, uid, shell, sudo, home: files = {} } of accounts) {
    const home = join(folder, `home-${name}`);
    await mkdir(home);
    await chown(home, uid, uid);
    await chmod(home, 0o755);
    for (const [file, text] of Object.entries(files)) await writeFile(join(home, file), text);
    added.passwd += `${name}:x:${uid}:${uid}::${home}:${shell}\n`;
    added.group += `${name}:x:${uid}:\n`;
    // No password fits the star, but unlike "!" it does not lock the account (shadow(5)).
    added.shadow += `${name}:*:20000:0:99999:7:::\n`;
    if (sudo) {
      const rule = `${name} ALL=(ALL:ALL) NOPASSWD: ALL\n`;
      await writeFile(join(sudoers, name), rule, { mode: 0o440 });
    }
  }
  for (const [file, lines] of Object.entries(added)) {
    const text = await readFile(`/etc/${file}`, 'utf8');
    await writeFile(join(etc, file), text + lines, { mode: file === 'shadow' ? 0o600 : 0o644 });
  }
  return ['unshare', '--mount', 'sh', '-c', inOwnMounts, 'sh', etc];
}
