import { fail } from '../ports/failure.ts';
import type { Checkout, Head } from '../ports/code.ts';
import type { Command, CommandResult, Host } from '../ports/host.ts';

/** Seconds for what stays on the host, for what goes over the network, and for a deployment of the user's. */
const limits = { local: 60, network: 120, command: 1800 };

/**
 * A checkout of git. Git runs as the owner of the folder where we may choose (as root): what it writes stays the
 * owner's, and it does not refuse a folder of dubious ownership (safe.directory in git-config(1)).
 */
export function gitCheckout(host: Host, directory: string): Checkout {
  let prefix: Promise<Pick<Command, 'argv' | 'env'>> | undefined;
  const command = async (args: readonly string[]): Promise<Command> => {
    prefix ??= asOwner(host, directory);
    const { argv, env } = await prefix;
    return {
      argv: [
        ...argv,
        // Honoured on the command line from git 2.38 on; needed where we are neither root nor the owner.
        '-c',
        `safe.directory=${directory}`,
        // Hooks of the repository, such as post-checkout, are not run, nor what else it may name as a program.
        '-c',
        'core.hooksPath=/dev/null',
        '-c',
        'core.fsmonitor=false',
        '-C',
        directory,
        ...args,
      ],
      env: { ...env, GIT_TERMINAL_PROMPT: '0', GIT_OPTIONAL_LOCKS: '0' },
      timeoutSeconds: limits.local,
    };
  };
  const tryGit = async (args: readonly string[], seconds = limits.local): Promise<CommandResult> =>
    host.run({ ...(await command(args)), timeoutSeconds: seconds });
  const git = async (
    args: readonly string[],
    doing: string,
    seconds = limits.local,
  ): Promise<string> => {
    const result = await tryGit(args, seconds);
    return result.exitCode === 0 ? result.stdout : gitFailed(host, directory, result, doing);
  };
  const commitOf = async (revision: string): Promise<string | undefined> => {
    const { exitCode, stdout } = await tryGit([
      'rev-parse',
      '--verify',
      '--quiet',
      '--end-of-options',
      `${revision}^{commit}`,
    ]);
    return exitCode === 0 ? stdout.trim() : undefined;
  };
  const head = async (): Promise<Head> => {
    const commit = (
      await git(['rev-parse', '--verify', 'HEAD^{commit}'], 'tell the commit of HEAD')
    ).trim();
    const symbolic = await tryGit(['symbolic-ref', '--quiet', 'HEAD']);
    const branch = /^refs\/heads\/(.+)$/.exec(symbolic.stdout.trim())?.[1];
    const status = await git(['status', '--porcelain=v1', '-z'], 'look for changes');
    return {
      commit,
      branch: symbolic.exitCode === 0 ? branch : undefined,
      ...countChanges(status),
    };
  };
  const remoteTaggedCommit = async (remote: string, tag: string): Promise<string | undefined> => {
    const ref = `refs/tags/${tag}`;
    const listed = await git(
      ['ls-remote', '--', remote, ref, `${ref}^{}`],
      `look at the tags of ${remote}`,
      limits.network,
    );
    return remoteCommit(listed, ref);
  };

  return {
    host: host.name,
    directory,
    head,
    remoteTaggedCommit,
    check: async (remote) => {
      const found = await head();
      const value = describeHead(found);
      const folder = (await git(['rev-parse', '--absolute-git-dir'], 'find its folder')).trim();
      const { argv } = await (prefix ?? asOwner(host, directory));
      // The program before `git` (runuser …), so that the one who writes is asked.
      const writable = await host.run({
        argv: [...argv.slice(0, -1), 'test', '-w', folder] as unknown as [string, ...string[]],
        timeoutSeconds: limits.local,
      });
      if (writable.exitCode !== 0) {
        return {
          verdict: 'failed',
          value: `our user may not write ${folder}`,
          next: 'Give `sudo: true`, or use the user that owns the checkout.',
        };
      }
      if (remote !== undefined) await remoteTaggedCommit(remote, 'maintenance-check');
      return found.modified > 0
        ? {
            verdict: 'warning',
            value,
            next: 'Commit or remove the changes: no tag holds them, and a rollback does not overwrite them.',
          }
        : { verdict: 'passed', value };
    },
    taggedCommit: (tag) => commitOf(`refs/tags/${tag}`),
    createTag: async (tag, commit, message) => {
      await git(
        [
          '-c',
          'user.name=Maintenance Window',
          '-c',
          'user.email=maintenance-window@localhost',
          '-c',
          'tag.gpgSign=false',
          'tag',
          '--annotate',
          '--no-sign',
          `--message=${message}`,
          '--',
          tag,
          commit,
        ],
        `make the tag ${tag}`,
      );
    },
    push: async (remote, tag) => {
      const ref = `refs/tags/${tag}`;
      await git(
        ['push', '--quiet', '--no-follow-tags', '--', remote, `${ref}:${ref}`],
        `push the tag ${tag} to ${remote}`,
        limits.network,
      );
    },
    putBack: async ({ tag, commit, branch }) => {
      const isThere =
        branch !== undefined &&
        // `git checkout` would take such a name, which only plumbing makes, for an option.
        !branch.startsWith('-') &&
        (await commitOf(`refs/heads/${branch}`)) === commit;
      const target = isThere ? [branch] : ['--detach', `refs/tags/${tag}`];
      await git(
        // Ignored files count as data, too; git overwrites them by default (git-checkout(1)).
        ['checkout', '--quiet', '--no-guess', '--no-overwrite-ignore', ...target, '--'],
        'put the work tree back',
        limits.network,
      );
      const now = await head();
      return now.branch === undefined ? `detached at ${tag}` : `on branch ${now.branch}`;
    },
    run: async (argv, env) => {
      const result = await host.run({
        argv,
        env,
        workingDirectory: directory,
        timeoutSeconds: limits.command,
      });
      if (result.exitCode === 0) return;
      gitFailed(host, directory, result, `run \`${argv[0]}\``, 'code-command-failed');
    },
  };
}

/** Counts the entries of `git status --porcelain -z`; a rename has a second name. */
export function countChanges(status: string): { modified: number; untracked: number } {
  const counts = { modified: 0, untracked: 0 };
  const entries = status.split('\0').values();
  for (const entry of entries) {
    if (entry === '') continue;
    if (entry.startsWith('??')) counts.untracked += 1;
    else counts.modified += 1;
    if (/^(?:[RC].|.[RC])/.test(entry)) entries.next();
  }
  return counts;
}

/** The commit behind a tag in the output of `git ls-remote`: that of the peeled line for an annotated one. */
export function remoteCommit(listed: string, ref: string): string | undefined {
  const lines = listed.split('\n').map((line) => line.split('\t'));
  const of = (name: string) => lines.find(([, each]) => each === name)?.[0];
  return of(`${ref}^{}`) ?? of(ref);
}

/** Where a checkout stands, for people. */
export function describeHead({ commit, branch, modified, untracked }: Head): string {
  const changes = [
    modified > 0 ? `${modified} changed files` : '',
    untracked > 0 ? `${untracked} untracked` : '',
  ].filter((part) => part !== '');
  return `${commit.slice(0, 12)}${branch === undefined ? ', detached' : ` on ${branch}`}${changes.length === 0 ? '' : `, ${changes.join(', ')}`}`;
}

/** URLs of remotes may hold a password. */
export function withoutCredentials(text: string): string {
  return text.replaceAll(/:\/\/[^\s/@']*@/g, '://***@');
}

/** How git is run: as we are, or by root as the owner of the folder. */
async function asOwner(host: Host, directory: string): Promise<Pick<Command, 'argv' | 'env'>> {
  const status = await host.status(directory);
  if (status?.kind !== 'directory') {
    return fail({
      code: 'code-missing',
      message: `There is no folder ${directory} on ${host.name}.`,
      state: 'Nothing was touched.',
      next: 'Correct code.directory, or the hosts (code.on) that have it.',
    });
  }
  const own = await host.run({ argv: ['id', '-u'], timeoutSeconds: limits.local });
  if (own.stdout.trim() !== '0' || status.uid === 0) return { argv: ['git'] };
  const entry = await host.run({
    argv: ['getent', 'passwd', String(status.uid)],
    timeoutSeconds: limits.local,
  });
  const [name = '', , , , , home = ''] = entry.stdout.trim().split(':');
  if (entry.exitCode !== 0 || name === '') {
    return fail({
      code: 'code-missing',
      message: `The folder ${directory} on ${host.name} belongs to the user ${status.uid}, whom the host does not know.`,
      state: 'Nothing was touched.',
      next: 'Give the folder an owner that exists.',
    });
  }
  return { argv: ['runuser', '-u', name, '--', 'git'], env: { HOME: home } };
}

function gitFailed(
  host: Host,
  directory: string,
  result: CommandResult,
  doing: string,
  code = 'code-git-failed',
): never {
  const lines = `${result.stderr}\n${result.stdout}`
    .split('\n')
    .filter((line) => line.trim() !== '');
  const said = withoutCredentials(
    lines.slice(0, 4).join(' ').replaceAll(/\s+/g, ' ').slice(0, 400),
  );
  const end = result.timedOut ? 'it took too long' : `exit code ${String(result.exitCode)}`;
  fail({
    code,
    message: `In ${directory} on ${host.name} it was not possible to ${doing} (${end}): ${said === '' ? 'it said nothing' : said}`,
    state: 'The work tree is as git left it; local changes were not overwritten.',
    next: `Look at \`git -C ${directory} status\` on ${host.name}.`,
  });
}
