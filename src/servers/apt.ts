import { posix } from 'node:path';
import type { Clock } from '../ports/clock.ts';
import { fail, failureOf } from '../ports/failure.ts';
import type { CommandResult, Host } from '../ports/host.ts';
import type { PackageManager, PackageWork } from '../ports/package-manager.ts';
import { aptFailure, lockHolder } from './apt/apt-failure.ts';
import {
  dpkgStatusFormat,
  parseDpkgStatus,
  shortName,
  type DpkgStatus,
} from './apt/dpkg-status.ts';
import { parseSimulation } from './apt/simulation.ts';
import { installArguments, planUpgrade } from './apt/upgrade-plan.ts';
import { flavourOf, kernelOfPackage, newestKernel } from './linux/kernel-version.ts';
import { installedKernels, runningKernel } from './linux/kernels.ts';

/**
 * No question and no surprise: changed configuration files are kept, lists of changes are not shown, and needrestart
 * tells of services without restarting them (one of them may be the runner that this runs on).
 */
const quietly = {
  DEBIAN_FRONTEND: 'noninteractive',
  APT_LISTCHANGES_FRONTEND: 'none',
  NEEDRESTART_MODE: 'l',
  UCF_FORCE_CONFFOLD: '1',
} as const;
const options = [
  '--quiet',
  '--option=Dpkg::Use-Pty=0',
  '--option=Dpkg::Options::=--force-confdef',
  '--option=Dpkg::Options::=--force-confold',
] as const;
/** Seconds for looks that change nothing. */
const lookSeconds = 120;
/** Seconds between attempts while other package work holds the lock. */
const lockPauseSeconds = 2;

/** Packages by apt-get and dpkg, of Debian and Ubuntu. */
export function apt(host: Host, clock: Clock): PackageManager {
  const look = async (...argv: [string, ...string[]]): Promise<string> => {
    const result = await host.run({ argv, env: quietly, timeoutSeconds: lookSeconds });
    if (result.exitCode !== 0) fail(aptFailure(`\`${argv[0]}\``, result, lookSeconds));
    return result.stdout;
  };

  /** Waits for the lock here as well: apt-get itself waits for dpkg's lock alone, and older ones for none. */
  const work = async (doing: string, argv: string[], how: PackageWork): Promise<CommandResult> => {
    const begun = clock.monotonicSeconds();
    for (let isTold = false; ; isTold = true) {
      const onLine = how.onLine ?? (() => undefined);
      const result = await host.run({
        argv: [
          'apt-get',
          ...options,
          `--option=DPkg::Lock::Timeout=${Math.ceil(how.lockTimeoutSeconds)}`,
          ...argv,
        ],
        env: quietly,
        timeoutSeconds: how.timeoutSeconds + how.lockTimeoutSeconds,
        onStdoutLine: onLine,
      });
      if (result.exitCode === 0) return result;
      const holder = lockHolder(result);
      if (holder === undefined || clock.monotonicSeconds() - begun >= how.lockTimeoutSeconds) {
        return fail(aptFailure(doing, result, how.timeoutSeconds));
      }
      if (!isTold) onLine(`waiting for the lock of the package manager, held by ${holder}`);
      await clock.wait(lockPauseSeconds);
    }
  };

  const architecture = async (): Promise<string> =>
    (await look('dpkg', '--print-architecture')).trim();

  const dpkg = async (): Promise<DpkgStatus> =>
    parseDpkgStatus(
      await look('dpkg-query', '--show', `--showformat=${dpkgStatusFormat}`),
      await architecture(),
    );

  const directory = async (name: string, kind: 'd' | 'f'): Promise<string> =>
    /^D='(.*)'$/m.exec(await look('apt-config', 'shell', 'D', `${name}/${kind}`))?.[1] ?? '/';

  const automatic = async (): Promise<ReadonlySet<string>> =>
    new Set((await look('apt-mark', 'showauto')).split('\n'));

  const removals = async (...argv: string[]): Promise<readonly string[]> => {
    const own = await architecture();
    const { removals: found } = parseSimulation(await look('apt-get', '--simulate', ...argv));
    return found.map(({ name }) => shortName(name, own));
  };

  return {
    kind: 'apt',
    state: async () => {
      const version = await host.run({
        argv: ['apt-get', '--version'],
        timeoutSeconds: lookSeconds,
      });
      if (version.exitCode !== 0) {
        const obstacle = 'apt-get is not there; packages are managed on Debian and Ubuntu';
        return { obstacle, unfinished: [], listsFrom: undefined };
      }
      if ((await look('id', '-u')).trim() !== '0') {
        const obstacle = 'the login is not root there (`sudo: true` in the plan)';
        return { obstacle, unfinished: [], listsFrom: undefined };
      }
      const { unfinished } = await dpkg();
      const status = await directory('Dir::State::status', 'f');
      const updates = await host.list(posix.join(posix.dirname(status), 'updates'));
      // What dpkg writes here it takes away again at the end of its work (dpkg's own journal).
      const cut = updates.some((name) => /^\d+$/.test(name)) ? ['dpkg itself, cut off'] : [];
      return {
        obstacle: undefined,
        unfinished: [...unfinished, ...cut],
        listsFrom: await listsFrom(host, await directory('Dir::State::lists', 'd')),
      };
    },
    holder: async () =>
      lockHolder(
        await host.run({
          argv: ['apt-get', '--option=DPkg::Lock::Timeout=0', 'check'],
          env: quietly,
          timeoutSeconds: lookSeconds,
        }),
      ),
    settle: async (how) => {
      try {
        await work('Waiting for other package work', ['check'], how);
      } catch (error) {
        // What else is wrong is told by what comes after.
        if (failureOf(error).code === 'packages-locked') throw error;
      }
    },
    installed: async () => (await dpkg()).installed,
    refresh: async (how) => {
      // Without it a source that does not answer is a mere warning, and "nothing to update" would be a lie.
      await work(
        'Fetching the lists of packages',
        ['--option=APT::Update::Error-Mode=any', 'update'],
        how,
      );
    },
    plan: (request) => planUpgrade(look, request),
    upgrade: async (plan, how) => {
      const isAutomatic = await automatic();
      try {
        await work('Installing package updates', ['--yes', ...installArguments(plan.changes)], how);
      } finally {
        // apt takes a package that is named for one that somebody wants, and would never remove it by itself again.
        const now = await automatic();
        const lost = plan.changes
          .map(({ name }) => name)
          .filter((name) => isAutomatic.has(name) && !now.has(name));
        if (lost.length > 0) await look('apt-mark', 'auto', ...lost);
      }
    },
    finish: async (how) => {
      const result = await host.run({
        argv: ['dpkg', '--force-confdef', '--force-confold', '--configure', '-a'],
        env: quietly,
        timeoutSeconds: how.timeoutSeconds,
        ...(how.onLine === undefined ? {} : { onStdoutLine: how.onLine }),
      });
      if (result.exitCode !== 0) {
        fail(aptFailure('Finishing interrupted package work', result, how.timeoutSeconds));
      }
      await work('Mending dependencies', ['--yes', '--no-remove', '--fix-broken', 'install'], how);
    },
    removable: async (what) => {
      const names = await removals('autoremove');
      const running = await runningKernel(host);
      const newest = newestKernel(running, await installedKernels(host));
      const kept = [running, ...(newest === undefined ? [] : [newest])].map(numbersOf);
      return names.filter((name) => {
        const kernel = kernelOfPackage(name);
        return kernel === undefined ? what === 'all' : !kept.includes(numbersOf(kernel));
      });
    },
    remove: async (names, how) => {
      const argv = ['purge', '--', ...names];
      const own = await architecture();
      const others = (await removals(...argv)).filter(
        (name) => !names.includes(shortName(name, own)),
      );
      if (others.length > 0) {
        fail({
          code: 'packages-needed',
          message: `With ${names.join(', ')} these would be removed as well: ${others.join(', ')}.`,
          state: 'No package was removed.',
          next: 'Look at `apt-get --simulate autoremove` on the host.',
        });
      }
      await work('Removing packages', ['--yes', ...argv], how);
    },
    cacheBytes: async () => {
      const folder = await directory('Dir::Cache::archives', 'd');
      const sizes = await look('find', folder, '-xdev', '-name', '*.deb', '-printf', '%s\\n');
      return sizes.split('\n').reduce((sum, size) => sum + Number(size), 0);
    },
    cleanCache: async (how) => {
      await work('Removing downloaded packages', ['clean'], how);
    },
    outdatedServices: async () => {
      const result = await host.run({
        argv: ['needrestart', '-b', '-r', 'l'],
        timeoutSeconds: lookSeconds,
      });
      return [...result.stdout.matchAll(/^NEEDRESTART-SVC: (\S+)/gm)].map(([, name = '']) => name);
    },
  };
}

function numbersOf(kernel: string): string {
  const flavour = flavourOf(kernel);
  return flavour === '' ? kernel : kernel.slice(0, -flavour.length - 1);
}

/** The newest of the archives' own signatures that were fetched. */
async function listsFrom(host: Host, folder: string): Promise<string | undefined> {
  const result = await host.run({
    argv: ['find', folder, '-maxdepth', '1', '-name', '*Release', '-printf', '%C@\\n'],
    timeoutSeconds: lookSeconds,
  });
  const newest = Math.max(0, ...result.stdout.split('\n').map(Number));
  return newest === 0 ? undefined : new Date(Math.floor(newest) * 1000).toISOString();
}
