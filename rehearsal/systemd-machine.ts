import { execFile } from 'node:child_process';
import { chmod, mkdir, readdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import { startChild } from './child.ts';
import { makeTemporaryFolder } from './temporary-folder.ts';

const run = promisify(execFile);

/** A real systemd, the first process of namespaces of its own, with no units but a few targets and the given ones. */
export type SystemdMachine = {
  /** Folder of its unit files; `systemctl daemon-reload` reads them again. */
  readonly units: string;
  /** A `PATH` whose `systemctl` and `journalctl` ask this systemd. */
  readonly path: string;
  /** Runs the real systemctl on it; exit codes do not throw. */
  systemctl(...args: readonly string[]): Promise<{ code: number; stdout: string; stderr: string }>;
  /** Ends it and everything that it started. */
  stop(): Promise<void>;
};

/** Targets that units depend on by default. */
const targets = ['sysinit', 'basic', 'shutdown', 'timers', 'sockets', 'paths', 'slices'];

const journal = {
  'systemd-journald.service': `[Unit]
DefaultDependencies=no
Requires=systemd-journald.socket
[Service]
Type=notify
ExecStart=/lib/systemd/systemd-journald
Sockets=systemd-journald.socket
StandardOutput=null
`,
  // Without /dev/log, which is the machine's own.
  'systemd-journald.socket': `[Unit]
DefaultDependencies=no
IgnoreOnIsolate=yes
[Socket]
ListenStream=/run/systemd/journal/stdout
ListenDatagram=/run/systemd/journal/socket
PassCredentials=yes
`,
};

/** The manager of root's own units. */
const userManager = `[Service]
Type=notify
Environment=XDG_RUNTIME_DIR=/run/user/0 SYSTEMD_UNIT_PATH=UNITS
ExecStart=/lib/systemd/systemd --user --unit=default.target
Delegate=yes
KillMode=mixed
`;

/**
 * Boots systemd. It sees the root file system read-only, a /run of its own and a subtree of the control groups.
 * @param units unit files by name
 * @throws when this is not root, systemd is not installed, or namespaces or control groups may not be made here
 */
export async function startSystemdMachine(
  units: Readonly<Record<string, string>>,
): Promise<SystemdMachine> {
  if (process.getuid?.() !== 0) throw new Error('Booting systemd needs root.');
  const groups = await controlGroups();
  const folder = await makeTemporaryFolder('systemd');
  const group = join(groups, folder.path.replaceAll('/', '-'));
  const own = join(folder.path, 'units');
  const bin = join(folder.path, 'bin');
  for (const path of [own, bin]) await mkdir(path);
  const files = {
    ...Object.fromEntries(
      targets.map((name) => [`${name}.target`, '[Unit]\nDefaultDependencies=no\n']),
    ),
    'default.target': '[Unit]\nWants=systemd-journald.socket systemd-journald.service\n',
    ...journal,
    'user-manager.service': userManager.replace('UNITS', own),
    ...units,
  };
  for (const [name, text] of Object.entries(files)) await writeFile(join(own, name), text);

  const boot = [
    'mount --make-rprivate /',
    'mount --bind "$1" "$1"',
    'mount -o remount,bind,ro /',
    'mount -t proc proc /proc',
    'umount -l /sys/fs/cgroup',
    'mount -t cgroup2 cgroup2 /sys/fs/cgroup',
    'mount -t tmpfs tmpfs /run',
    'mkdir -p /run/user/0 /run/systemd/journald.conf.d',
    // The kernel's messages are the machine's.
    'printf "[Journal]\\nReadKMsg=no\\nStorage=volatile\\nAudit=no\\n" > /run/systemd/journald.conf.d/own.conf',
    'export container=other SYSTEMD_UNIT_PATH="$1/units"',
    'exec /lib/systemd/systemd --system --unit=default.target --log-target=console --show-status=no',
  ].join(' && ');
  const child = await startChild(
    'bash',
    [
      '-ec',
      'mkdir "$2" && echo $$ > "$2/cgroup.procs" && exec unshare --fork --kill-child --pid --mount --uts --ipc --cgroup bash -ec "$3" systemd "$1"',
      'systemd-machine',
      folder.path,
      group,
      boot,
    ],
    {
      logFile: join(folder.path, 'log'),
      // `unshare` takes no other; its child, and with it all that it started, is killed too.
      stopSignal: 'SIGKILL',
      cwd: '/',
      environment: { PATH: process.env.PATH },
    },
  );
  const stop = async (): Promise<void> => {
    await child.stop();
    await removeGroups(group);
    await folder.remove();
  };
  try {
    const enter = await entry(child.pid);
    for (const program of ['systemctl', 'journalctl']) {
      const shim = join(bin, program);
      await writeFile(shim, `#!/bin/sh\nexec ${enter.join(' ')} /usr/bin/${program} "$@"\n`);
      await chmod(shim, 0o755);
    }
    const systemctl = async (...args: readonly string[]) => {
      try {
        const { stdout, stderr } = await run(join(bin, 'systemctl'), args);
        return { code: 0, stdout, stderr };
      } catch (error) {
        const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
        return { code, stdout, stderr };
      }
    };
    for (
      let tries = 0;
      (await systemctl('is-system-running')).stdout.trim() !== 'running';
      tries += 1
    ) {
      if (tries === 100 || !child.isRunning()) {
        throw new Error(`systemd did not boot (${child.end() ?? 'still running'}): ${child.log()}`);
      }
      await pause(50);
    }
    return { units: own, path: `${bin}:${process.env.PATH ?? ''}`, systemctl, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** The command that runs another in the namespaces of our systemd: the one child of `unshare`. */
async function entry(parent: number): Promise<readonly string[]> {
  for (let tries = 0; tries < 100; tries += 1) {
    const text = await readFile(`/proc/${parent}/task/${parent}/children`, 'utf8').catch(() => '');
    const pid = text.trim();
    const name = await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => '');
    if (name.trim() === 'systemd') return ['nsenter', `--target=${pid}`, '--all', '--'];
    await pause(50);
  }
  throw new Error('systemd was not started in its namespaces.');
}

async function controlGroups(): Promise<string> {
  const mounts = await readFile('/proc/self/mounts', 'utf8');
  const found = mounts
    .split('\n')
    .map((line) => line.split(' '))
    .find(([, , type]) => type === 'cgroup2')?.[1];
  if (found === undefined) throw new Error('Booting systemd needs a cgroup2 file system.');
  return found;
}

/** Removes empty control groups, the innermost first; their processes may still be on their way out. */
async function removeGroups(group: string): Promise<void> {
  const inner = await readdir(group, { withFileTypes: true }).catch(() => []);
  for (const entry of inner) {
    if (entry.isDirectory()) await removeGroups(join(group, entry.name));
  }
  for (let tries = 0; tries < 40; tries += 1) {
    const failure = await rmdir(group).then(
      () => undefined,
      (error: unknown) => (error as NodeJS.ErrnoException).code,
    );
    if (failure !== 'EBUSY') return;
    await pause(25);
  }
}
