import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { makeTemporaryFolder, type TemporaryFolder } from '../../rehearsal/temporary-folder.ts';
import type { Host, PipeStage } from '../../src/ports/host.ts';
import { hostKinds, type OpenHosts } from '../fixtures/host-kinds.ts';
import { isRunning, pidIn, until } from '../fixtures/processes.ts';

const megabyte = 1024 * 1024;
/** What may be under way in buffers of kernel, ssh and this process together; far less than what is sent. */
const underWay = 12 * megabyte;

/** Every byte value, in an order that no period of a buffer matches. */
const everyByte = Buffer.from(
  Array.from({ length: 256 * 257 }, (_, index) => (index * 7 + (index >> 8)) & 255),
);

async function* sending(
  blocks: number,
  block: Uint8Array = everyByte,
  sent?: (count: number) => void,
) {
  for (let count = 1; count <= blocks; count += 1) {
    yield block;
    sent?.(count);
  }
}

function shell(script: string, ...args: string[]): PipeStage {
  return { argv: ['sh', '-c', script, 'sh', ...args] };
}

function collect(): { sink: (chunk: Uint8Array) => void; bytes: () => Buffer } {
  const chunks: Uint8Array[] = [];
  return { sink: (chunk) => void chunks.push(chunk), bytes: () => Buffer.concat(chunks) };
}

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

describe.each(hostKinds)('a pipeline on a host: $name', (kind) => {
  let hosts: OpenHosts;
  let host: Host;
  let root: TemporaryFolder;
  let folder: string;
  let count = 0;

  beforeAll(async () => {
    root = await makeTemporaryFolder('pipe');
    hosts = await kind.open();
    host = hosts.host;
  });
  beforeEach(async () => {
    count += 1;
    folder = join(root.path, `case-${count}`);
    await host.makeDirectory(folder, 0o755);
  });
  afterAll(async () => {
    await hosts.close();
    await root.remove();
  });

  /** A stage that writes its pid and then does something for ever. */
  const lasting = (name: string, script: string): PipeStage =>
    shell(`echo $$ > "$1"; ${script}`, join(folder, name));

  test('joins programs; every exit code and error output is told', async () => {
    const out = collect();
    const lines: string[] = [];
    const results = await host.pipe(
      [
        {
          ...shell('cat; echo one >&2; printf "%s\\n" "  two \\\\n" >&2; exit 3'),
          onStderrLine: (line) => lines.push(line),
        },
        shell('tr a-z A-Z; printf "no line feed" >&2'),
        shell('cat; echo; echo >&2; echo last >&2; exit 255'),
      ],
      { source: sending(1, Buffer.from('hello')), sink: out.sink },
    );
    expect(results).toEqual([
      { exitCode: 3, stderr: 'one\n  two \\n\n' },
      { exitCode: 0, stderr: 'no line feed\n' },
      { exitCode: 255, stderr: '\nlast\n' },
    ]);
    expect(lines).toEqual(['one', '  two \\n']);
    expect(out.bytes().toString()).toBe('HELLO\n');
  });

  test('arguments, folders and variables reach their own stage unchanged, and no other', async () => {
    const out = collect();
    const odd = `it's "x" $(touch /tmp/never) \`id\` \\n %s\n* ü\u0001`;
    const show = 'printf "%s|" "$PWD" "$SECRET" "$@"; env | grep -c MW_ ; cat';
    const results = await host.pipe(
      [
        { ...shell(show, odd, '', '-n'), workingDirectory: folder, env: { SECRET: odd } },
        { ...shell(show, '--'), workingDirectory: '/' },
      ],
      { sink: out.sink },
    );
    expect(results.map(({ exitCode }) => exitCode)).toEqual([0, 0]);
    expect(out.bytes().toString()).toBe(`/||--|0\n${folder}|${odd}|${odd}||-n|0\n`);
  });

  test('secrets of a stage are in no argument of any process', async () => {
    const out = collect();
    await host.pipe(
      [
        { ...shell('cat'), env: { PGPASSWORD: 'only-for-one' } },
        shell('cat /proc/[0-9]*/cmdline 2>/dev/null'),
      ],
      { sink: out.sink },
    );
    expect(out.bytes().toString('latin1')).toContain('mw_tell');
    expect(out.bytes().toString('latin1')).not.toContain('only-for-one');
  });

  test('64 MB of any bytes pass through unchanged, in memory that does not grow with them', async () => {
    const blocks = Math.ceil((64 * megabyte) / everyByte.length);
    const expected = createHash('sha256');
    for (let block = 0; block < blocks; block += 1) expected.update(everyByte);
    const received = createHash('sha256');
    let ahead = 0;
    let furthest = 0;
    const results = await host.pipe([{ argv: ['cat'] }, { argv: ['cat'] }], {
      source: sending(blocks, everyByte, () => {
        ahead += everyByte.length;
        furthest = Math.max(furthest, ahead);
      }),
      sink: async (chunk) => {
        // A slow reader: others get their turn at each chunk.
        await new Promise(setImmediate);
        received.update(chunk);
        ahead -= chunk.length;
      },
    });
    expect(results.map(({ exitCode }) => exitCode)).toEqual([0, 0]);
    expect(received.digest('hex')).toBe(expected.digest('hex'));
    expect(ahead).toBe(0);
    expect(furthest).toBeLessThan(underWay);
  });

  test('a sink that does not answer holds the programs and the source back, and cancelling ends them', async () => {
    const cancelling = new AbortController();
    const other = hosts.cancellable(cancelling.signal);
    const counter = join(folder, 'counted');
    let pulled = 0;
    let returned = false;
    async function* endless(): AsyncGenerator<Uint8Array> {
      try {
        for (;;) {
          yield everyByte;
          pulled += everyByte.length;
        }
      } finally {
        returned = true;
      }
    }
    let calls = 0;
    const running = other.pipe(
      [
        lasting('pid', 'exec cat'),
        shell(
          'while dd bs=65536 count=1 iflag=fullblock status=none; do echo x >> "$1"; done',
          counter,
        ),
      ],
      {
        source: endless(),
        sink: () => {
          calls += 1;
          return new Promise(() => undefined);
        },
      },
    );
    const outcome = expect(running).rejects.toMatchObject({ failure: { code: 'cancelled' } });
    const pid = await pidIn(join(folder, 'pid'));
    // Full when nothing moves any more, at either end, for a while.
    const state = async (): Promise<string> =>
      `${pulled} ${(await readFile(counter, 'utf8').catch(() => '')).length}`;
    let seen = '';
    let same = 0;
    await until('everything stands still', async () => {
      const now = await state();
      same = now === seen && calls > 0 ? same + 1 : 0;
      seen = now;
      return same > 20;
    });
    expect(calls).toBe(1);
    expect(pulled).toBeLessThan(underWay);
    expect(await isRunning(pid)).toBe(true);
    cancelling.abort();
    await outcome;
    expect(await isRunning(pid)).toBe(false);
    expect(returned).toBe(true);
  });

  test.each([
    ['sink', new Error('the disk is full')],
    ['source', new Error('the other end is gone')],
  ])(
    'a %s that throws ends all programs; none of them sees an end of its input',
    async (which, error) => {
      let thrown: () => void = () => undefined;
      const afterwards = new Promise<void>((resolve) => (thrown = resolve));
      const running = host.pipe(
        [
          lasting('first', 'cat; echo end > "$1.end"'),
          lasting('second', 'cat; echo end > "$1.end"'),
        ],
        {
          source: (async function* () {
            yield everyByte;
            if (which === 'sink') {
              await afterwards;
              return;
            }
            await pidIn(join(folder, 'first'));
            await pidIn(join(folder, 'second'));
            throw error;
          })(),
          sink: async () => {
            if (which === 'source') return;
            setImmediate(thrown);
            throw error;
          },
        },
      );
      await expect(running).rejects.toBe(error);
      for (const name of ['first', 'second']) {
        expect(await isRunning(await pidIn(join(folder, name)))).toBe(false);
        expect(await host.status(join(folder, `${name}.end`))).toBeUndefined();
      }
    },
  );

  test('programs that are not there, may not be started, or whose folder is not there', async () => {
    await writeFile(join(folder, 'plain'), 'text', { mode: 0o644 });
    const out = collect();
    const results = await host.pipe(
      [
        { argv: ['maintenance-window-no-such-program', 'x'] },
        { argv: [join(folder, 'plain')] },
        { argv: ['cat'], workingDirectory: join(folder, 'none') },
        shell('cat; echo done'),
      ],
      { source: sending(1), sink: out.sink },
    );
    expect(results.map(({ exitCode }) => exitCode)).toEqual([127, 126, 126, 0]);
    expect(results[0]?.stderr).toBe('maintenance-window-no-such-program: program not found\n');
    expect(results[1]?.stderr).toBe(`${join(folder, 'plain')}: permission denied\n`);
    expect(results[2]?.stderr).toContain(join(folder, 'none'));
    expect(out.bytes().toString()).toBe('done\n');
  });

  test('a stage that is killed is told, and its neighbours end by what they see', async () => {
    const out = collect();
    const running = host.pipe(
      [{ argv: ['yes'] }, lasting('killed', 'exec cat'), shell('head -c 10; exec cat > /dev/null')],
      { sink: out.sink },
    );
    const pid = await pidIn(join(folder, 'killed'));
    await until('something has come through', async () => out.bytes().length === 10);
    process.kill(pid, 'SIGKILL');
    const results = await running;
    // `yes` is ended by the broken pipe.
    expect(results.map(({ exitCode }) => exitCode)).toEqual([null, null, 0]);
    expect(out.bytes().toString()).toBe('y\ny\ny\ny\ny\n');
  });

  test('a program that stops reading lets go of the source', async () => {
    let returned = false;
    async function* source(): AsyncGenerator<Uint8Array> {
      try {
        for (;;) yield everyByte;
      } finally {
        returned = true;
      }
    }
    const out = collect();
    const results = await host.pipe([{ argv: ['head', '-c', '1000'] }], {
      source: source(),
      sink: out.sink,
    });
    expect(results).toEqual([{ exitCode: 0, stderr: '' }]);
    expect(sha256(out.bytes())).toBe(sha256(everyByte.subarray(0, 1000)));
    expect(returned).toBe(true);
  });

  test('a time limit ends all of it', async () => {
    const running = host.pipe([lasting('slow', 'exec sleep 600'), { argv: ['cat'] }], {
      timeoutSeconds: 1,
    });
    await expect(running).rejects.toMatchObject({
      failure: {
        code: 'host-timeout',
        message: '`sh | cat` took longer than the 1 s that it was given.',
      },
    });
    expect(await isRunning(await pidIn(join(folder, 'slow')))).toBe(false);
  });

  test('long and many error lines are kept within bounds, whole in front and at the end', async () => {
    const lines: string[] = [];
    const [result] = await host.pipe([
      {
        ...shell('printf "%5000s|\\n" x >&2; seq 1 20000 >&2; echo end >&2'),
        onStderrLine: (line) => lines.push(line),
      },
    ]);
    expect(lines).toHaveLength(20_002);
    expect(lines[0]).toBe(`${' '.repeat(4999)}x|`);
    expect(result?.stderr.length).toBeLessThan(70_000);
    expect(result?.stderr).toContain('bytes left out');
    expect(result?.stderr.endsWith('\n20000\nend\n')).toBe(true);
  });

  test('what a program leaves running does not hold the pipeline, nor cut its bytes', async () => {
    const out = collect();
    const left = join(folder, 'left');
    const outcome = await host
      .pipe(
        [
          shell(
            '(echo $$ > "$1.shell"; exec sleep 600) > /dev/null & echo $! > "$1"; printf bytes',
            left,
          ),
        ],
        { sink: out.sink },
      )
      .catch((error: unknown) => error);
    expect(outcome).toEqual([{ exitCode: 0, stderr: '' }]);
    expect(out.bytes().toString()).toBe('bytes');
    process.kill(await pidIn(left), 'SIGKILL');
  });

  test('a variable that no shell can set is refused before anything starts', async () => {
    await expect(
      host.pipe([{ argv: ['touch', join(folder, 'never')], env: { 'a-b': 'secret' } }]),
    ).rejects.toMatchObject({
      failure: { code: 'host-error', message: expect.stringContaining('"a-b"') },
    });
    expect(await host.list(folder)).toEqual([]);
  });
});
