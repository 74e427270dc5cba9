import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { systemClock } from '../../src/clock/system-clock.ts';
import { localHost } from '../../src/hosts/local.ts';
import type { PhaseContext } from '../../src/phases/phase.ts';
import { markLogs } from '../../src/phases/smoke-checks/log-marks.ts';
import { provenChecks, runChecks } from '../../src/phases/smoke-test.ts';
import type { SmokeResult } from '../../src/record/status.ts';
import { FakeWorld } from '../fixtures/fake-world.ts';

let folder: string;
let programs: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'mw-checks-'));
  programs = join(folder, 'bin');
  mkdirSync(programs);
});
afterAll(() => rmSync(folder, { recursive: true }));

/** A program on the host's PATH, in place of what this machine does not run. */
function program(name: string, script: string): void {
  writeFileSync(join(programs, name), `#!/bin/sh\n${script}\n`);
  chmodSync(join(programs, name), 0o755);
}

async function context(check: Record<string, unknown>): Promise<PhaseContext> {
  const host = localHost({ environment: { PATH: `${programs}:${process.env.PATH ?? ''}` } });
  const world = new FakeWorld();
  const checks = { checks: [{ id: 'it', ...check }], deadline: '1ms' };
  const made = await world.contextOf({}, { plan: { 'smoke-test': checks } });
  const fleet = { ...made.fleet, control: host, web: [{ host, address: undefined }] };
  return { ...made, fleet, clock: systemClock() };
}

async function look(check: Record<string, unknown>): Promise<SmokeResult> {
  const [result] = await runChecks(await context(check));
  if (result === undefined) throw new Error('there is no result');
  return result;
}

describe('a command', () => {
  test.each<[Record<string, unknown>, boolean, RegExp]>([
    [{ command: ['true'] }, true, /^exit code 0 after /],
    [
      { command: ['sh', '-c', 'echo no stock >&2; exit 3'] },
      false,
      /^exit code 3; it said "no stock"$/,
    ],
    [{ command: ['sh', '-c', 'exit 3'], 'exit-code': 3 }, true, /^exit code 3/],
    [
      { command: ['printf', '%s', '$(id) `id` ; x'], 'stdout-contains': '$(id) `id` ; x' },
      true,
      /./,
    ],
    [{ command: ['echo', 'a'], 'stdout-contains': 'b' }, false, /output without the text$/],
    [{ command: ['printf', 'a\nb 3\n'], 'stdout-matches': '^b \\d$' }, true, /./],
    [{ command: ['echo', 'c'], 'stdout-matches': '^b' }, false, /output that does not match$/],
    [{ command: ['no-such-program'] }, false, /^no-such-program is not installed on the host/],
    [{ command: ['sleep', '60'], timeout: '300ms' }, false, /^no end within/],
    [{ command: ['pwd'], 'working-directory': '/usr', 'stdout-matches': '^/usr$' }, true, /./],
  ])('%j', async (check, passes, observed) => {
    expect(await look({ kind: 'command', ...check })).toMatchObject({
      passed: passes,
      observed: expect.stringMatching(observed),
    });
  });
});

describe('a connection from a host', () => {
  let server: Server;
  let port: number;
  beforeAll(async () => {
    server = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.end('+OK ready\r\n');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    port = (server.address() as AddressInfo).port;
  });
  afterAll(() => new Promise((resolve) => server.close(resolve)));

  test('is made there, and the first line is read there', async () => {
    const check = { kind: 'tcp', host: '127.0.0.1', port, from: 'control' };
    expect(await look(check)).toMatchObject({ passed: true });
    expect(await look({ ...check, banner: '+OK' })).toMatchObject({
      passed: true,
      observed: expect.stringContaining('first line "+OK ready"'),
      expected: `a connection to 127.0.0.1:${port}, first line with "+OK"`,
    });
    expect(await look({ ...check, banner: 'SSH' })).toMatchObject({ passed: false });
    expect(await look({ ...check, port: 1 })).toMatchObject({
      passed: false,
      observed: 'no connection to 127.0.0.1:1: Connection refused',
    });
  });
});

describe('a unit', () => {
  const unit = { kind: 'unit', unit: 'shop.service', 'stable-for': '20ms' };
  const show = (...lines: string[]): string =>
    `printf '%s\\n' ${lines.map((l) => `'${l}'`).join(' ')}`;
  const running = ['LoadState=loaded', 'ActiveState=active', 'SubState=running', 'Result=success'];

  test('that runs passes, asked for by its name alone', async () => {
    program(
      'systemctl',
      `echo "$@" > ${join(folder, 'asked')}; ${show(...running, 'NRestarts=0', 'MainPID=7')}`,
    );
    expect(await look(unit)).toMatchObject({
      passed: true,
      observed: 'active (running), 0 restarts by systemd so far',
      expected: 'shop.service active, without a failed result, and not restarted within 20 ms',
    });
    expect(execFileSync('cat', [join(folder, 'asked')], { encoding: 'utf8' })).toMatch(
      /^show --no-pager --property=\S+ -- shop\.service\n$/,
    );
  });

  test('that is restarted while it is watched fails', async () => {
    const count = join(folder, 'count');
    writeFileSync(count, '');
    program(
      'systemctl',
      `echo x >> ${count}; n=$(wc -l < ${count}); ${show(...running)}; echo NRestarts=$n; echo MainPID=$n`,
    );
    expect(await look(unit)).toMatchObject({
      passed: false,
      observed: 'active (running), restarted while it was watched (2 restarts by systemd in all)',
    });
  });

  test.each<[string, string, string]>([
    [
      show('LoadState=not-found', 'ActiveState=inactive', 'SubState=dead'),
      'shop.service',
      'there is no unit shop.service',
    ],
    [show('LoadState=masked', 'ActiveState=inactive'), 'shop.service', 'shop.service is masked'],
    [
      show('LoadState=loaded', 'ActiveState=failed', 'SubState=failed', 'Result=exit-code'),
      'shop.service',
      'failed (failed), its last result: exit-code',
    ],
    [
      show(
        'LoadState=loaded',
        'ActiveState=activating',
        'SubState=auto-restart',
        'Result=exit-code',
      ),
      'shop.service',
      'activating (auto-restart), its last result: exit-code',
    ],
    [
      'echo "System has not been booted with systemd as init system (PID 1)." >&2; exit 1',
      'shop.service',
      'systemctl: exit code 1 (System has not been booted with systemd as init system (PID 1).)',
    ],
  ])('for which systemctl says (%s) fails', async (script, name, observed) => {
    program('systemctl', script);
    expect(await look({ ...unit, unit: name })).toMatchObject({ passed: false, observed });
  });

  test('that is a timer has no process to watch', async () => {
    program(
      'systemctl',
      show('LoadState=loaded', 'ActiveState=active', 'SubState=waiting', 'Result=success'),
    );
    expect(await look({ ...unit, unit: 'clean-up.timer' })).toMatchObject({
      passed: true,
      observed: 'active (waiting)',
    });
  });
});

describe('services of Compose', () => {
  const web = {
    Name: 'shop-web-1',
    Service: 'web',
    State: 'running',
    Health: 'healthy',
    ExitCode: 0,
  };
  const worker = {
    Name: 'shop-worker-1',
    Service: 'worker',
    State: 'running',
    Health: '',
    ExitCode: 0,
  };
  const check = { kind: 'compose', directory: tmpdir() };

  function compose(containers: readonly object[], asArray = false): void {
    const text = asArray
      ? JSON.stringify(containers)
      : containers.map((container) => JSON.stringify(container)).join('\n');
    writeFileSync(join(folder, 'ps.json'), text);
    program(
      'docker',
      `[ "$1" = compose ] || exit 9
case "$2" in
  config) echo web; echo worker ;;
  ps) [ "$PWD" = ${tmpdir()} ] && cat ${join(folder, 'ps.json')} ;;
esac`,
    );
  }

  test.each([false, true])('that all run pass (as one array: %s)', async (asArray) => {
    compose([web, worker], asArray);
    expect(await look(check)).toMatchObject({
      passed: true,
      observed: 'web running (healthy), worker running',
      expected: 'every service of the project running, and healthy where there is a health check',
    });
  });

  test.each<[readonly object[], string]>([
    [[web], 'worker no container'],
    [[{ ...web, Health: 'unhealthy' }, worker], 'web running (unhealthy)'],
    [[{ ...web, Health: 'starting' }, worker], 'web running (starting)'],
    [[web, { ...worker, State: 'exited', ExitCode: 137 }], 'worker exited with 137'],
    [
      [web, worker, { ...web, Name: 'shop-web-2', State: 'restarting' }],
      'web running (healthy) and restarting (healthy)',
    ],
    [[], 'web no container, worker no container'],
  ])('%j fail', async (containers, observed) => {
    compose(containers);
    expect(await look(check)).toMatchObject({ passed: false, observed });
  });

  test('that the check names are looked at alone', async () => {
    compose([web, { ...worker, State: 'exited' }]);
    expect(await look({ ...check, services: ['web'] })).toMatchObject({ passed: true });
  });

  test('of a Compose that cannot answer fail', async () => {
    program(
      'docker',
      'echo "permission denied while trying to connect to the Docker daemon socket" >&2; exit 1',
    );
    expect(await look(check)).toMatchObject({
      passed: false,
      observed:
        'docker compose config: exit code 1 (permission denied while trying to connect to the Docker daemon socket)',
    });
    expect(await look({ ...check, command: ['echo'], services: ['web'] })).toMatchObject({
      passed: false,
      observed: 'Compose answered with something other than its list of containers as JSON',
    });
  });
});

describe('a log file', () => {
  let log: string;
  let check: Record<string, unknown>;
  beforeEach(() => {
    const own = mkdtempSync(join(folder, 'log-'));
    log = join(own, 'shop.log');
    writeFileSync(log, 'ERROR of yesterday\nall is well\n');
    check = { kind: 'log', file: log, pattern: 'ERROR|FATAL', 'show-lines': 2 };
  });
  const say = (text: string, file = log): void => appendFileSync(file, `${text}\n`);

  /** Marks the log, lets things happen, and looks. */
  async function after(
    happen: () => void | Promise<void>,
    change: Record<string, unknown> = {},
  ): Promise<SmokeResult> {
    const made = await context({ ...check, ...change });
    await markLogs(made, 'window');
    await happen();
    const [result] = await runChecks(made);
    if (result === undefined) throw new Error('there is no result');
    return result;
  }

  test('counts new lines alone', async () => {
    expect(await after(() => say('all is well'))).toMatchObject({
      passed: true,
      observed: expect.stringMatching(/^no new line matches, since \S+Z$/),
      expected: `no line in ${log} that matches ERROR|FATAL, since the window began`,
    });
    expect(await after(() => say('ERROR one\nfine\nFATAL two\nERROR three'))).toMatchObject({
      passed: false,
      observed: expect.stringMatching(
        /^3 new lines match, .*, the first: "ERROR one", "FATAL two"$/,
      ),
    });
  });

  test('with a line that must not be is not looked at again: it stays there', async () => {
    const made = await context(check);
    await markLogs(made, 'window');
    say('ERROR one');
    const smokeTest = { ...made.plan.smokeTest, deadline: 3600, firstPause: 3600 };
    const results = await runChecks({ ...made, plan: { ...made.plan, smokeTest } });
    expect(results).toMatchObject([{ passed: false, attempts: 1 }]);
  });

  test('shows no line unless it is asked to', async () => {
    const seen = await after(() => say('ERROR password is hunter2'), { 'show-lines': 0 });
    expect(seen.passed).toBe(false);
    expect(JSON.stringify(seen)).not.toContain('hunter2');
  });

  test('may be asked for a line that must come', async () => {
    const change = { must: 'occur', pattern: 'started$' };
    expect((await after(() => say('shop started'), change)).passed).toBe(true);
    expect((await after(() => say('shop stopped'), change)).passed).toBe(false);
  });

  test.each<[string, () => void]>([
    [
      'renamed',
      () => {
        say('ERROR before the rotation');
        renameSync(log, `${log}.1`);
        say('ERROR after it');
      },
    ],
    [
      'renamed twice',
      () => {
        say('ERROR before the rotation');
        renameSync(log, `${log}.2`);
        say('fine', `${log}.1`);
        say('ERROR after it');
      },
    ],
    [
      'renamed and compressed',
      () => {
        say('ERROR before the rotation');
        renameSync(log, `${log}.1`);
        execFileSync('gzip', [`${log}.1`]);
        say('ERROR after it');
      },
    ],
    [
      'copied and cut',
      () => {
        say('ERROR before the rotation');
        copyFileSync(log, `${log}-20261122`);
        truncateSync(log);
        say('ERROR after it');
      },
    ],
    [
      'copied and cut, and longer than before',
      () => {
        say('ERROR before the rotation');
        copyFileSync(log, `${log}.1`);
        truncateSync(log);
        say(`now this one is longer than all that was there\n${'fine\n'.repeat(50)}ERROR after it`);
      },
    ],
  ])('is followed when it is %s', async (_, happen) => {
    // An old rotation is none of this window's.
    say('ERROR of last week', `${log}.9`);
    utimesSync(`${log}.9`, 1e9, 1e9);
    expect(await after(happen)).toMatchObject({
      passed: false,
      observed: expect.stringMatching(
        /^2 new lines match, .*, across a rotation, the first: "ERROR before the rotation", "ERROR after it"$/,
      ),
    });
  });

  test.each<[string, () => void, RegExp]>([
    [
      'was cut without a copy',
      () => truncateSync(log),
      /was rotated or cut, and what it held is in no file/,
    ],
    ['is gone', () => rmSync(log), /it is gone, and what it held is in no file beside it/],
  ])('that %s does not pass', async (_, happen, observed) => {
    expect(await after(happen)).toMatchObject({
      passed: false,
      observed: expect.stringMatching(observed),
    });
  });

  test('that came into being since is new as a whole', async () => {
    rmSync(log);
    expect(await after(() => say('ERROR at once'))).toMatchObject({ passed: false });
    rmSync(log);
    expect(await after(() => undefined)).toMatchObject({
      passed: false,
      observed: expect.stringContaining('there is no such file'),
    });
  });

  test.each([
    '"; touch PWNED; "',
    '$(touch PWNED)',
    '`touch PWNED`',
    "'; touch PWNED; '",
    '-e ERROR',
  ])('has its pattern %s read by no shell', async (pattern) => {
    expect(
      await after(() => say(`x ${pattern.replace(/[$]/g, '')} y`), {
        pattern: pattern.replaceAll(/[$()]/g, '.'),
      }),
    ).toMatchObject({ passed: false });
    expect(() => execFileSync('ls', ['PWNED'], { stdio: 'ignore' })).toThrow();
  });

  test('with a pattern that grep cannot read tells what grep says', async () => {
    expect(await after(() => say('1'), { pattern: '(' })).toMatchObject({
      passed: false,
      observed: expect.stringMatching(/cannot be searched: grep: /),
    });
  });

  test.each(['\\d+', 'a(?=b)', 'a\\tb', 'a\nb'])(
    'refuses the pattern %j, which grep would take for another',
    async (pattern) => {
      await expect(context({ ...check, pattern })).rejects.toThrow('pattern');
    },
  );

  test('counts from the closing where it is asked to', async () => {
    const made = await context({ ...check, since: 'closed' });
    await markLogs(made, 'window');
    say('ERROR before closing');
    await markLogs(made, 'closed');
    expect((await runChecks(made))[0]?.passed).toBe(true);
    say('ERROR while closed');
    expect((await runChecks(made))[0]?.observed).toMatch(/^1 new line matches/);
    // The window's own mark is set once, that of the closing each time.
    await markLogs(made, 'window');
    await markLogs(made, 'closed');
    expect((await runChecks(made))[0]?.passed).toBe(true);
    expect(made.record.status.logMarks).toHaveLength(2);
  });

  test('counts from where failed checks have told what came before', async () => {
    const made = await context(check);
    await markLogs(made, 'window');
    say('ERROR before');
    await expect(provenChecks(made, 'smoke-test')).rejects.toThrow('1 new line matches');
    const [again] = await provenChecks(made, 'smoke-test');
    expect(again?.observed).toMatch(
      /^no new line matches, since \S+Z, after what was judged before$/,
    );
    say('ERROR again');
    await expect(provenChecks(made, 'smoke-test')).rejects.toThrow('1 new line matches');
  });

  test('before the window is looked at, and told as skipped', async () => {
    const { record: _, ...preflight } = await context(check);
    expect((await runChecks(preflight))[0]).toMatchObject({
      passed: false,
      skipped: true,
      observed: 'can be searched; lines count from the window’s begin on',
    });
    rmSync(log);
    const failed = (await runChecks(preflight))[0];
    expect(failed).toMatchObject({ passed: false, observed: `there is no file ${log}` });
    expect(failed?.skipped).toBeUndefined();
  });
});

describe('a journal', () => {
  const check = { kind: 'log', journal: 'shop.service', pattern: 'ERROR', 'show-lines': 1 };

  /** Marks the journal, and looks. */
  async function look(settings: Record<string, unknown>): Promise<SmokeResult> {
    const made = await context(settings);
    await markLogs(made, 'window');
    const [result] = await runChecks(made);
    if (result === undefined) throw new Error('there is no result');
    return result;
  }

  test('is searched from the window’s begin on, by unit', async () => {
    program('date', 'echo 1700000000');
    const asked = join(folder, 'journal-asked');
    program(
      'journalctl',
      `echo "$@" > ${asked}; echo "-- Boot 0123456789abcdef0123456789abcdef --"; echo fine; echo "ERROR no basket"`,
    );
    expect(await look(check)).toMatchObject({
      passed: false,
      observed: expect.stringMatching(
        /^1 new line matches, since \S+Z, the first: "ERROR no basket"$/,
      ),
    });
    expect(execFileSync('cat', [asked], { encoding: 'utf8' })).toBe(
      '--no-pager --output=cat --since=@1700000000 --unit=shop.service\n',
    );
  });

  test('without entries has no line, and is not taken for one', async () => {
    program('journalctl', 'echo "-- No entries --"');
    expect(await look({ ...check, pattern: '.' })).toMatchObject({ passed: true });
  });

  test.each([
    'echo "Hint: You are currently not seeing messages from other users and the system." >&2; echo "-- No entries --"',
    'echo "No journal files were found." >&2; echo "-- No entries --"',
    'echo "Failed to open" >&2; exit 1',
    'exit 1',
  ])('that cannot be read (%s) does not pass', async (script) => {
    program('journalctl', script);
    expect(await look(check)).toMatchObject({
      passed: false,
      observed: expect.stringContaining('the journal of shop.service cannot be searched'),
    });
  });
});
