/**
 * A process of its own for the tests of sudo: becomes an ordinary user, asks the host for root's work, and prints
 * what came of it as one line of JSON.
 *
 * Usage: node sudo-host-runner.ts UID FOLDER
 */
import { readFile } from 'node:fs/promises';
import { failureOf } from '../../src/ports/failure.ts';
import { sudoHost } from '../../src/hosts/sudo.ts';

const [uid, folder = ''] = process.argv.slice(2);
process.chdir('/');
process.setgroups?.([]);
process.setgid?.(Number(uid));
process.setuid?.(Number(uid));

const cancelling = new AbortController();
const host = sudoHost({
  environment: { PATH: process.env.PATH ?? '' },
  signal: cancelling.signal,
});
const bytes = Buffer.from(Array.from({ length: 300_000 }, (_, index) => (index * 7919) >> 3));

async function attempt<T>(action: () => Promise<T>): Promise<T | string> {
  return action().catch((error: unknown) => failureOf(error).code);
}

/** Starts what ignores SIGTERM, with a child, and ends it; resolves to whether that child is gone. */
async function ended(name: string, end: 'timeout' | 'cancel'): Promise<unknown> {
  const file = `${folder}/${name}`;
  const outcome = await attempt(() =>
    host.run({
      argv: [
        'sh',
        '-c',
        `sleep 600 & echo $! > "$1"; trap "" TERM; echo up; wait; wait`,
        'sh',
        file,
      ],
      ...(end === 'timeout' ? { timeoutSeconds: 0.5 } : {}),
      onStdoutLine: () => {
        if (end === 'cancel') cancelling.abort();
      },
    }),
  );
  const pid = Buffer.from((await host.readFile(file)) ?? [])
    .toString()
    .trim();
  const stat = await readFile(`/proc/${pid}/stat`, 'latin1').catch(() => '');
  const gone = stat === '' || /^[ZX]/.test(stat.slice(stat.lastIndexOf(')') + 2));
  return { outcome: typeof outcome === 'string' ? outcome : outcome.timedOut, gone };
}

const session = await attempt(() => host.start({ argv: ['cat'] }));
let answer: string | undefined;
if (typeof session !== 'string') {
  await session.write('hello\n');
  answer = await attempt(async () => session.nextLine());
}
const printed = {
  uid: process.getuid?.(),
  run: await attempt(async () => {
    const { stdout, stderr, exitCode } = await host.run({
      argv: ['sh', '-c', 'id -u; cat; echo trouble >&2; exit 255'],
      stdin: 'input\n',
    });
    return { stdout, stderr, exitCode };
  }),
  answer,
  end:
    typeof session === 'string'
      ? session
      : await attempt(async () => (await session.end()).exitCode),
  write: await attempt(() => host.writeFile(`${folder}/file`, bytes, { mode: 0o600 })),
  same: await attempt(async () =>
    bytes.equals((await host.readFile(`${folder}/file`)) ?? bytes.subarray(1)),
  ),
  timeout: await attempt(() => ended('timeout', 'timeout')),
  cancel: await attempt(() => ended('cancel', 'cancel')),
};
console.log(JSON.stringify(printed));
