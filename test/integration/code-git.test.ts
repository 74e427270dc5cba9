import { execFileSync } from 'node:child_process';
import { chmod, chown, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { makeTemporaryFolder, type TemporaryFolder } from '../../rehearsal/temporary-folder.ts';
import { unprivilegedUser } from '../../rehearsal/unprivileged-user.ts';
import { gitCheckout } from '../../src/code/git.ts';
import { localHost } from '../../src/hosts/local.ts';
import { checkCode, putCodeBack, tagCode, tagOf } from '../../src/phases/code.ts';
import type { PhaseContext } from '../../src/phases/phase.ts';
import { FakeWorld } from '../fixtures/fake-world.ts';
import { statusOf } from '../fixtures/record-factory.ts';

/** Real repositories; the record is in memory. */
const tag = tagOf(statusOf().windowId);
const host = localHost({ environment: { PATH: process.env.PATH ?? '' } });
let folder: TemporaryFolder;
let remote: string;
let checkout: string;

/** git as a person would run it, without the configuration of the machine. */
function git(directory: string, ...args: readonly string[]): string {
  return execFileSync(
    'git',
    ['-c', 'user.name=Ada', '-c', 'user.email=ada@example.org', '-C', directory, ...args],
    {
      encoding: 'utf8',
      env: {
        PATH: process.env.PATH,
        GIT_CONFIG_GLOBAL: '/dev/null',
        GIT_CONFIG_SYSTEM: '/dev/null',
        GIT_CONFIG_COUNT: '1',
        GIT_CONFIG_KEY_0: 'safe.directory',
        GIT_CONFIG_VALUE_0: '*',
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  ).trim();
}

async function commit(text: string, name = 'app.txt'): Promise<string> {
  await writeFile(join(checkout, name), text);
  git(checkout, 'add', '--all');
  git(checkout, 'commit', '--quiet', '--message', text);
  return git(checkout, 'rev-parse', 'HEAD');
}

beforeEach(async () => {
  folder = await makeTemporaryFolder('code');
  remote = join(folder.path, 'remote.git');
  checkout = join(folder.path, 'my shop $(id)');
  await mkdir(checkout);
  execFileSync('git', ['init', '--quiet', '--bare', remote]);
  git(checkout, 'init', '--quiet', '--initial-branch=main');
  git(checkout, 'remote', 'add', 'origin', remote);
  await commit('one');
});
afterEach(() => folder.remove());

async function contextOf(
  code: Record<string, unknown> = {},
  more: readonly string[] = [],
): Promise<PhaseContext> {
  const world = new FakeWorld();
  const checkouts = [checkout, ...more].map((directory, index) => ({
    ...gitCheckout(host, directory),
    host: `web${index + 1}`,
  }));
  return world.contextOf(
    {},
    { plan: { code: { directory: checkout, ...code } }, parts: { checkouts } },
  );
}

describe('tagging', () => {
  test('names the commit by the time of the window, once', async () => {
    const context = await contextOf();
    const head = git(checkout, 'rev-parse', 'HEAD');
    expect(await tagCode(context, 'backup-db')).toBe('maintenance-20261122-010000');
    expect(git(checkout, 'rev-parse', `${tag}^{commit}`)).toBe(head);
    expect(git(checkout, 'cat-file', '-t', tag)).toBe('tag');
    const object = git(checkout, 'rev-parse', tag);
    await tagCode(context, 'backup-db');
    expect(git(checkout, 'rev-parse', tag)).toBe(object);
    expect(context.record.status.code).toMatchObject([
      { host: 'web1', commit: head, branch: 'main', tag, modified: 0 },
    ]);
    expect(git(remote, 'tag')).toBe('');
  });

  test('made by a run that was killed before it wrote so, is found', async () => {
    const head = git(checkout, 'rev-parse', 'HEAD');
    git(checkout, 'tag', '-a', '-m', 'x', tag, head);
    const context = await contextOf();
    await tagCode(context, 'backup-db');
    expect(context.record.status.code?.[0]?.commit).toBe(head);
  });

  test('that exists at another commit is left, and refused', async () => {
    const first = git(checkout, 'rev-parse', 'HEAD');
    git(checkout, 'tag', tag);
    await commit('two');
    await expect(tagCode(await contextOf(), 'backup-db')).rejects.toThrow(`stands for ${first}`);
    expect(git(checkout, 'rev-parse', tag)).toBe(first);
  });

  test('pushes to the remote from several hosts, and is seen there', async () => {
    const other = join(folder.path, 'other');
    execFileSync('git', ['clone', '--quiet', checkout, other], { stdio: 'ignore' });
    git(other, 'remote', 'set-url', 'origin', remote);
    const context = await contextOf({ push: 'origin' }, [other]);
    await tagCode(context, 'backup-db');
    expect(git(remote, 'rev-parse', `${tag}^{commit}`)).toBe(git(checkout, 'rev-parse', 'HEAD'));
    expect(context.record.status.code?.map(({ pushedTo }) => pushedTo)).toEqual([
      'origin',
      'origin',
    ]);
  });

  test('never moves a tag of the remote', async () => {
    const first = git(checkout, 'rev-parse', 'HEAD');
    git(checkout, 'push', '--quiet', 'origin', `${first}:refs/tags/${tag}`);
    await commit('two');
    await expect(tagCode(await contextOf({ push: 'origin' }), 'backup-db')).rejects.toThrow(
      'In origin the tag',
    );
    expect(git(remote, 'rev-parse', tag)).toBe(first);
  });

  test('runs no hook of the repository, and needs no identity', async () => {
    const trap = join(folder.path, 'trap');
    for (const name of ['reference-transaction', 'pre-push', 'post-checkout']) {
      const hook = join(checkout, '.git', 'hooks', name);
      await writeFile(hook, `#!/bin/sh\ntouch '${trap}'\nexit 1\n`);
      await chmod(hook, 0o755);
    }
    const context = await contextOf({ push: 'origin' });
    await tagCode(context, 'backup-db');
    const first = git(checkout, 'rev-parse', 'HEAD');
    git(checkout, '-c', 'core.hooksPath=/dev/null', 'checkout', '--quiet', '--orphan', 'next');
    git(
      checkout,
      '-c',
      'core.hooksPath=/dev/null',
      'commit',
      '--quiet',
      '--allow-empty',
      '-m',
      'two',
    );
    await putCodeBack(context, 'rollback');
    expect(git(checkout, 'rev-parse', 'HEAD')).toBe(first);
    expect(await readdir(folder.path)).not.toContain('trap');
  });

  test('is done as the owner of the checkout, who can go on working in it', async () => {
    if (process.getuid?.() !== 0) throw new Error('This test changes owners, which needs root.');
    const owner = unprivilegedUser();
    if (owner === undefined) throw new Error('There is no unprivileged user.');
    const own = async (path: string): Promise<void> => {
      for (const entry of await readdir(path, { withFileTypes: true, recursive: true })) {
        await chown(join(entry.parentPath, entry.name), owner.uid, owner.gid);
      }
      await chown(path, owner.uid, owner.gid);
    };
    await own(checkout);
    await own(remote);
    await tagCode(await contextOf({ push: 'origin' }), 'backup-db');
    const status = await host.status(join(checkout, '.git', 'refs', 'tags', tag));
    expect(status?.uid).toBe(owner.uid);
  });
});

describe('putting back', () => {
  async function tagged(code: Record<string, unknown> = {}) {
    const context = await contextOf(code);
    await tagCode(context, 'backup-db');
    return { context, first: git(checkout, 'rev-parse', 'HEAD') };
  }

  test('leaves code alone that nobody deployed', async () => {
    const { context } = await tagged({ 'restart-command': ['false'] });
    await putCodeBack(context, 'rollback');
    expect(context.record.status.code?.[0]).not.toHaveProperty('putBack');
    expect(git(checkout, 'symbolic-ref', 'HEAD')).toBe('refs/heads/main');
  });

  test('goes back to the tag when the branch went on, which stays where it is', async () => {
    const { context, first } = await tagged();
    const second = await commit('two');
    await putCodeBack(context, 'rollback');
    expect(git(checkout, 'rev-parse', 'HEAD')).toBe(first);
    expect(git(checkout, 'rev-parse', 'main')).toBe(second);
    expect(await readFile(join(checkout, 'app.txt'), 'utf8')).toBe('one');
    expect(context.record.status.code?.[0]?.putBack).toMatchObject({
      from: second,
      place: `detached at ${tag}`,
    });
    await putCodeBack(context, 'rollback');
    expect(context.record.journal.filter(({ event }) => event === 'done')).toHaveLength(2);
  });

  test.each([
    ['main', 'main'],
    ['a;$(touch${IFS}x)`b', 'a;$(touch${IFS}x)`b'],
    ['ünï/code', 'ünï/code'],
    ['--force', undefined],
  ])('goes back to the branch %s when that still stands there', async (branch, expected) => {
    // Plumbing makes names that `git branch` refuses.
    git(checkout, 'update-ref', `refs/heads/${branch}`, 'HEAD');
    git(checkout, 'symbolic-ref', 'HEAD', `refs/heads/${branch}`);
    const { context, first } = await tagged();
    git(checkout, 'checkout', '--quiet', '-b', 'release');
    await commit('two');
    await putCodeBack(context, 'rollback');
    expect(await gitCheckout(host, checkout).head()).toMatchObject({
      commit: first,
      branch: expected,
      modified: 0,
    });
  });

  test('never overwrites changes, nor files that git does not know', async () => {
    await commit('secret\n', 'local.env');
    const { context } = await tagged();
    git(checkout, 'rm', '--quiet', 'local.env');
    await writeFile(join(checkout, '.gitignore'), 'local.env\n');
    const second = await commit('two');
    await writeFile(join(checkout, 'local.env'), 'mine\n');
    await expect(putCodeBack(context, 'rollback')).rejects.toThrow('put the work tree back');
    expect(await readFile(join(checkout, 'local.env'), 'utf8')).toBe('mine\n');
    await writeFile(join(checkout, 'app.txt'), 'in a hurry');
    await expect(putCodeBack(context, 'rollback')).rejects.toMatchObject({
      failure: { code: 'code-modified' },
    });
    expect(git(checkout, 'rev-parse', 'HEAD')).toBe(second);
    expect(await readFile(join(checkout, 'app.txt'), 'utf8')).toBe('in a hurry');
  });

  test('by a command of the user is proved by the commit, and followed by the restart', async () => {
    const deploy = ['sh', '-c', 'git checkout --quiet --detach "$MAINTENANCE_COMMIT"'];
    const log = join(folder.path, 'restarts');
    const restart = ['sh', '-c', `echo "$MAINTENANCE_TAG" >> '${log}'`];
    const { context, first } = await tagged({
      'deploy-command': deploy,
      'restart-command': restart,
    });
    await commit('two');
    await putCodeBack(context, 'rollback');
    await putCodeBack(context, 'rollback');
    expect(git(checkout, 'rev-parse', 'HEAD')).toBe(first);
    expect(await readFile(log, 'utf8')).toBe(`${tag}\n`);
  });

  test('by a command that does nothing is no success', async () => {
    const { context } = await tagged({ 'deploy-command': ['true'] });
    await commit('two');
    await expect(putCodeBack(context, 'rollback')).rejects.toMatchObject({
      failure: { code: 'code-not-put-back' },
    });
  });

  test('is finished by the next run when it was killed before the restart', async () => {
    const log = join(folder.path, 'restarts');
    const flag = join(folder.path, 'flag');
    const restart = ['sh', '-c', `test -e '${flag}' && echo restarted >> '${log}'`];
    const { context, first } = await tagged({ 'restart-command': restart });
    await commit('two');
    await expect(putCodeBack(context, 'rollback')).rejects.toMatchObject({
      failure: { code: 'code-command-failed' },
    });
    expect(git(checkout, 'rev-parse', 'HEAD')).toBe(first);
    await writeFile(flag, '');
    await putCodeBack(context, 'rollback');
    expect(await readFile(log, 'utf8')).toBe('restarted\n');
  });
});

describe('preflight', () => {
  test('passes on a clean checkout, and warns of changes that no tag holds', async () => {
    expect(await checkCode(await contextOf({ push: 'origin' }))).toMatchObject([
      { id: 'code', verdict: 'passed' },
    ]);
    await writeFile(join(checkout, 'app.txt'), 'changed');
    await writeFile(join(checkout, 'new file'), '');
    expect(await checkCode(await contextOf())).toMatchObject([
      {
        verdict: 'warning',
        value: expect.stringContaining('on main, 1 changed files, 1 untracked') as unknown,
      },
    ]);
  });

  test.each([
    ['nowhere', 'There is no folder'],
    ['remote.git', 'tell the commit of HEAD'],
    ['.', 'tell the commit of HEAD'],
  ])('fails on %s', async (where, said) => {
    const world = new FakeWorld();
    const checkouts = [gitCheckout(host, join(folder.path, where))];
    const context = await world.contextOf({}, { parts: { checkouts } });
    expect(await checkCode(context)).toMatchObject([
      { verdict: 'failed', value: expect.stringContaining(said) as unknown },
    ]);
  });

  test('shows no password of a remote that does not answer', async () => {
    git(checkout, 'remote', 'set-url', 'origin', 'http://ada:s3cret@127.0.0.1:1/x.git');
    const [check] = await checkCode(await contextOf({ push: 'origin' }));
    expect(check?.verdict).toBe('failed');
    expect(JSON.stringify(check)).not.toContain('s3cret');
  });
});
