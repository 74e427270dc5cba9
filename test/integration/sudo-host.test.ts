import { spawnSync } from 'node:child_process';
import { chmod, mkdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { privateAccounts } from '../../rehearsal/private-accounts.ts';
import { makeTemporaryFolder, type TemporaryFolder } from '../../rehearsal/temporary-folder.ts';

const runner = join(import.meta.dirname, 'sudo-host-runner.ts');
const uid = 61_050;
let folder: TemporaryFolder;

beforeAll(async () => {
  folder = await makeTemporaryFolder('sudo-host');
});
afterAll(() => folder.remove());

/** Runs the steps as an ordinary user with these sudoers lines. */
async function asUser(name: string, sudo: boolean, rules: string): Promise<unknown> {
  const place = join(folder.path, name);
  const work = join(place, 'work');
  await mkdir(work, { recursive: true });
  await chmod(work, 0o700);
  const prefix = await privateAccounts([{ name: 'runner', uid, shell: '/bin/sh', sudo }], place);
  await writeFile(join(place, 'etc/sudoers.d/more'), rules, { mode: 0o440 });
  const node = [process.execPath, '--no-warnings', runner, String(uid), work];
  const { stdout, stderr } = spawnSync('env', [...prefix, ...node], { encoding: 'utf8' });
  expect(stderr).toBe('');
  return JSON.parse(stdout);
}

// With use_pty, which newer versions of sudo have on, the command has a process group and a terminal of its own.
test.each([
  ['without a pty', 'Defaults !use_pty\n'],
  ['with a pty', 'Defaults use_pty\n'],
])('an ordinary user does the work of root by sudo, %s', async (name, rules) => {
  expect(await asUser(name.replaceAll(' ', '-'), true, rules)).toEqual({
    uid,
    run: { stdout: '0\ninput\n', stderr: 'trouble\n', exitCode: 255 },
    answer: 'hello',
    end: 0,
    same: true,
    timeout: { outcome: true, gone: true },
    cancel: { outcome: 'cancelled', gone: true },
  });
  const written = await stat(join(folder.path, name.replaceAll(' ', '-'), 'work/file'));
  expect({ uid: written.uid, mode: written.mode & 0o777 }).toEqual({ uid: 0, mode: 0o600 });
});

test('one whom sudoers does not allow is refused, in everything', async () => {
  const refused = 'host-sudo-refused';
  expect(await asUser('refused', false, '')).toEqual({
    ...{ uid, run: refused, end: refused, write: refused, same: refused },
    ...{ timeout: refused, cancel: refused },
  });
});
