import { fail } from '../../ports/failure.ts';
import type { Host } from '../../ports/host.ts';
import type { Mount, RebootNeed } from '../../ports/server.ts';
import { failCommand } from '../command-failure.ts';
import { newestKernel } from './kernel-version.ts';
import { installedKernels, runningKernel } from './kernels.ts';

const bootIdFile = '/proc/sys/kernel/random/boot_id';
/** Written by the maintainer scripts of Debian's and Ubuntu's packages. */
const rebootRequired = '/run/reboot-required';

/** The kernel's own id of its start (random(4)). */
export async function bootId(host: Host): Promise<string> {
  // By a command: files of /proc have no size, and not every way to read files copes with that.
  const result = await host.run({ argv: ['cat', bootIdFile], timeoutSeconds: 15 });
  const id = result.stdout.trim();
  if (result.exitCode === 0 && /^[0-9a-f-]{36}$/.test(id)) return id;
  return fail({
    code: 'server-boot-id',
    message: `${host.name} tells no boot id (${bootIdFile}).`,
    state: 'Nothing was touched by this.',
    next: 'Only Linux hosts can be rebooted and proved by their boot id.',
  });
}

export async function uptimeSeconds(host: Host): Promise<number> {
  const result = await host.run({ argv: ['cat', '/proc/uptime'], timeoutSeconds: 15 });
  const seconds = Number(result.stdout.split(' ')[0]);
  if (result.exitCode !== 0 || Number.isNaN(seconds)) {
    failCommand('Asking for the uptime', 'cat /proc/uptime', result);
  }
  return seconds;
}

/** What Debian's packages ask for, or a newer kernel than the one that runs. */
export async function rebootNeed(host: Host): Promise<RebootNeed> {
  if ((await host.status(rebootRequired)) !== undefined) {
    const names = new TextDecoder().decode(await host.readFile(`${rebootRequired}.pkgs`));
    const packages = [...new Set(names.split('\n').filter((name) => name !== ''))];
    const why = packages.length === 0 ? '' : ` (${packages.join(', ')})`;
    return { needed: true, reason: `${rebootRequired} is there${why}` };
  }
  const running = await runningKernel(host);
  const newest = newestKernel(running, await installedKernels(host));
  if (newest !== undefined && newest !== running) {
    return { needed: true, reason: `kernel ${newest} is installed, ${running} runs` };
  }
  return {
    needed: false,
    reason: `no ${rebootRequired}, and no newer kernel than ${running}, which runs`,
  };
}

/** What is mounted, and which of it `/etc/fstab` mounts at the start. */
export async function mounts(host: Host): Promise<readonly Mount[]> {
  const mounted = await host.run({ argv: ['cat', '/proc/self/mounts'], timeoutSeconds: 15 });
  if (mounted.exitCode !== 0) {
    failCommand('Listing what is mounted', 'cat /proc/self/mounts', mounted);
  }
  const planned = new TextDecoder().decode((await host.readFile('/etc/fstab')) ?? undefined);
  return mountsOf(mounted.stdout, planned);
}

/** Reads `/proc/self/mounts` and `/etc/fstab` (fstab(5)). */
export function mountsOf(mounted: string, fstab: string): readonly Mount[] {
  const atStart = new Set(
    entriesOf(fstab)
      .filter(({ options }) => !/(?:^|,)(?:noauto|x-systemd\.automount)(?:,|$)/.test(options))
      .map(({ folder }) => folder),
  );
  return entriesOf(mounted).map(({ folder }) => ({ folder, atStart: atStart.has(folder) }));
}

function entriesOf(table: string): readonly { folder: string; options: string }[] {
  return table
    .split('\n')
    .filter((line) => line.trim() !== '' && !line.trimStart().startsWith('#'))
    .map((line) => line.trim().split(/\s+/))
    .map(([, folder = '', , options = '']) => ({ folder: unescaped(folder), options }))
    .filter(({ folder }) => folder.startsWith('/'));
}

/** Blanks stand as `\040`, as three octal digits. */
function unescaped(text: string): string {
  return text.replaceAll(/\\([0-7]{3})/g, (_, octal: string) =>
    String.fromCharCode(Number.parseInt(octal, 8)),
  );
}

/**
 * Starts the command in a session of its own, a second from now: the answer to this very call is on its way before
 * the host goes down, and the end of the connection does not end the command.
 */
export async function runSoon(host: Host, command: readonly [string, ...string[]]): Promise<void> {
  const [program] = command;
  const script =
    'command -v -- "$1" >/dev/null || exit 127; setsid -f sh -c \'sleep 1; exec "$@"\' sh "$@" </dev/null >/dev/null 2>&1';
  const result = await host.run({
    argv: ['sh', '-c', script, 'sh', ...command],
    timeoutSeconds: 30,
  });
  if (result.exitCode !== 0) failCommand('Ordering the reboot', program, result);
}

/** systemd tells whether its start is over; a host without it is ready when it answers. */
export async function unready(host: Host): Promise<string | undefined> {
  const result = await host.run({
    argv: ['systemctl', 'is-system-running'],
    timeoutSeconds: 15,
  });
  const state = result.stdout.trim();
  return ['initializing', 'starting', 'stopping', 'maintenance'].includes(state)
    ? `systemd says ${state}`
    : undefined;
}
