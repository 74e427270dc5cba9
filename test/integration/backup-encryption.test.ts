import { execFile } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { makeSshKey, type SshKey } from '../../rehearsal/ssh-server.ts';
import { makeTemporaryFolder, type TemporaryFolder } from '../../rehearsal/temporary-folder.ts';
import { ageEncryption } from '../../src/encryption/age.ts';
import { localHost } from '../../src/hosts/local.ts';
import type { Host } from '../../src/ports/host.ts';
import { pipedBytes } from '../../src/ports/piped-bytes.ts';
import { makeAgeKey, type AgeKey } from '../fixtures/age-keys.ts';
import { hostKinds, type OpenHosts } from '../fixtures/host-kinds.ts';
import { processTable } from '../fixtures/process-table.ts';

const run = promisify(execFile);
let folder: TemporaryFolder;
let key: AgeKey;
let other: AgeKey;
let sshKey: SshKey;

beforeAll(async () => {
  folder = await makeTemporaryFolder('age');
  key = await makeAgeKey();
  other = await makeAgeKey();
  sshKey = await makeSshKey(folder.path, 'operator');
});
afterAll(() => folder.remove());

/** Sends a block so often, and calls between two of them. */
async function* blocks(count: number, between: () => Promise<void> = async () => undefined) {
  for (let index = 0; index < count; index += 1) {
    yield Buffer.alloc(65_536, index);
    await between();
  }
}

async function collect(content: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of content) chunks.push(chunk);
  return Buffer.concat(chunks);
}

const demandSuccess = (results: readonly { exitCode: number | null; stderr: string }[]): void => {
  expect(results).toEqual(results.map(() => ({ exitCode: 0, stderr: '' })));
};

/** Texts of a private key that would betray it: the whole and, of several lines, each long one. */
function betraying(identity: string): readonly string[] {
  return identity.split('\n').filter((line) => line.length > 30 && !line.startsWith('-----'));
}

test('who encrypts and loses its reader is not what a wrong private key is told as', async () => {
  const programs = join(folder.path, 'programs');
  await mkdir(programs);
  // Writes until nobody reads.
  const script = `#!/bin/sh
case $1 in
--encrypt) while :; do echo more; done ;;
*) echo 'age: error: malformed secret key' >&2; exit 1 ;;
esac
`;
  await writeFile(join(programs, 'age'), script, { mode: 0o755 });
  const host = localHost({ environment: { PATH: `${programs}:${process.env.PATH ?? ''}` } });
  expect(await ageEncryption([key.recipient], 'hello').check(host)).toMatchObject({
    kind: 'unready',
    reason:
      'the private key of backup-db.identity does not open what is encrypted for the recipients: malformed secret key',
  });
});

const kinds = hostKinds.filter(({ name }) => name === 'local' || name === 'ssh by sudo');
describe.each(kinds)('encryption by age: $name', (kind) => {
  let hosts: OpenHosts;
  let host: Host;

  beforeAll(async () => {
    hosts = await kind.open();
    ({ host } = hosts);
  });
  afterAll(() => hosts.close());

  test.each<[string, () => { recipients: string[]; identity: string }]>([
    ["age's own key", () => ({ recipients: [key.recipient], identity: key.identity })],
    ['an SSH key', () => ({ recipients: [sshKey.publicKey.trim()], identity: sshKey.privateKey })],
    [
      'the second of two recipients',
      () => ({ recipients: [other.recipient, key.recipient], identity: key.identity }),
    ],
  ])('there and back with %s; the private key shows nowhere', async (_, make) => {
    const { recipients, identity } = make();
    const encryption = ageEncryption(recipients, () => identity);
    expect(await encryption.check(host)).toEqual({
      kind: 'ready',
      detail: 'age encrypts for the recipients, and the private key opens it',
    });
    const seen: string[] = [];
    const look = async (): Promise<void> => {
      for (const { pid, command } of await processTable()) {
        seen.push(command);
        // Not even age itself is given the variable that its shell has.
        if (!command.startsWith('age --decrypt')) continue;
        seen.push(await readFile(`/proc/${pid}/environ`, 'latin1').catch(() => ''));
      }
    };
    const { decrypt } = encryption;
    if (decrypt === undefined) throw new Error('there is an identity');
    const plain = await collect(
      pipedBytes(host, [encryption.encrypt, decrypt], demandSuccess, blocks(20, look)),
    );
    expect(plain.equals(await collect(blocks(20)))).toBe(true);
    expect(seen.some((text) => text.startsWith('age --decrypt --identity /dev/fd/3'))).toBe(true);
    for (const secret of betraying(identity)) {
      expect(seen.filter((text) => text.includes(secret))).toEqual([]);
    }
  });

  test('what it prints is read by the program alone, as the manual has it', async () => {
    const { encrypt } = ageEncryption([key.recipient], undefined);
    const place = join(folder.path, `${kind.name}.age`);
    await writeFile(place, await collect(pipedBytes(host, [encrypt], demandSuccess, blocks(3))));
    await writeFile(join(folder.path, 'key.txt'), `${key.identity}\n`, { mode: 0o600 });
    const { stdout } = await run('age', ['-d', '-i', join(folder.path, 'key.txt'), place], {
      encoding: 'buffer',
    });
    expect(stdout.equals(await collect(blocks(3)))).toBe(true);
  });

  test.each<[string, () => readonly [string[], string | undefined], RegExp]>([
    [
      'another private key',
      () => [[key.recipient], other.identity],
      /does not open what is encrypted/,
    ],
    ['a text that is no key', () => [[key.recipient], 'hello'], /does not open what is encrypted/],
    // The checksum is right, the kind is nobody's.
    [
      'a recipient of a plugin that is not there',
      () => [['age1nobody1qqqsyqcyq5rqwzqfpg9scrgwpuclufvk'], undefined],
      /age on .* does not take the recipients/,
    ],
  ])('%s is told before anything is copied', async (_, make, reason) => {
    const [recipients, identity] = make();
    const result = await ageEncryption(recipients, () => identity).check(host);
    expect(result).toMatchObject({ kind: 'unready', reason: expect.stringMatching(reason) });
    if (identity !== undefined) expect(JSON.stringify(result)).not.toContain(identity.slice(0, 40));
  });
});

test('a host without the program says what to install', async () => {
  const empty = join(folder.path, 'bin');
  await mkdir(empty, { recursive: true });
  await run('ln', ['-s', '/bin/sh', join(empty, 'sh')]);
  const { localHost } = await import('../../src/hosts/local.ts');
  const host = localHost({ environment: { PATH: empty } });
  expect(await ageEncryption([key.recipient], undefined).check(host)).toEqual({
    kind: 'unready',
    reason: 'the program age is not installed on local',
    next: 'Install it there (Debian and Ubuntu: `apt-get install age`), or take copies and recipients out of the plan.',
  });
});
