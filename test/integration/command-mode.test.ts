import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { systemClock } from '../../src/clock/system-clock.ts';
import { localHost } from '../../src/hosts/local.ts';
import { commandMode, type CommandModeSettings } from '../../src/modes/command.ts';
import { readStatus } from '../../src/modes/command/status.ts';
import { failureOf, type Failure } from '../../src/ports/failure.ts';
import type { Host } from '../../src/ports/host.ts';
import { dyingHost } from '../fixtures/dying-host.ts';

const host = localHost({ environment: { PATH: process.env.PATH ?? '' } });
const secret = 'key-of-the-platform-0815';
let base: string;
let folder: string;

/** A command line of an application: `site down`, `up`, `status`; it closes by a file, as artisan does. */
const site = `#!/bin/sh
echo "$1 \${API_KEY:-no key} $(pwd)" >> calls
case "$1" in
  down) [ -e refuse-down ] && { echo "cannot: $API_KEY"; exit 3; }
        [ -e down ] && { echo already down; exit 1; }
        [ -e half ] || touch down; echo going down;;
  up) [ -e refuse-up ] && { echo "cannot go up" >&2; exit 4; }
      [ -e down ] || { echo already up; exit 1; }
      rm down; echo going up;;
  status) [ -e broken ] && { echo "PHP Fatal error"; exit 255; }
          if [ -e down ]; then printf '\\033[33mMaintenance mode is currently enabled\\033[0m\\n'
          else echo 'Maintenance mode is currently disabled'; fi;;
  is-down) [ -e down ];;
esac
`;

beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'command-mode-'));
  folder = join(base, 'state', 'mode');
  mkdirSync(join(base, 'state'));
  writeFileSync(join(base, 'site'), site, { mode: 0o755 });
});
afterEach(() => {
  rmSync(base, { recursive: true, force: true });
});

function mode(over: Partial<CommandModeSettings> = {}, on: Host = host) {
  return commandMode(
    { host: on, clock: systemClock() },
    {
      windowId: 'mw-20261122-020000-1a2b',
      folder,
      closeCommand: ['./site', 'down'],
      openCommand: ['./site', 'up'],
      statusCommand: ['./site', 'status'],
      statusClosed: 'currently enabled$',
      statusOpen: 'currently disabled$',
      commands: { environment: { API_KEY: secret }, workingDirectory: base, timeoutSeconds: 20 },
      settleSeconds: 0,
      ...over,
    },
  );
}

const isDown = () => existsSync(join(base, 'down'));
const touch = (name: string) => {
  writeFileSync(join(base, name), '');
};
const calls = () =>
  readFileSync(join(base, 'calls'), 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[0])
    .filter((call) => call === 'down' || call === 'up');

async function failureIn(action: Promise<unknown>): Promise<Failure> {
  return action.then(
    () => Promise.reject(new Error('it did not fail')),
    (error: unknown) => failureOf(error),
  );
}

describe('closes and opens by the commands', () => {
  test.each<[string, Partial<CommandModeSettings>]>([
    ['told by what the status command prints', {}],
    ['told by one pattern', { statusOpen: undefined }],
    [
      'told by its exit code',
      { statusCommand: ['./site', 'is-down'], statusClosed: undefined, statusOpen: undefined },
    ],
  ])('%s', async (_, over) => {
    const door = mode(over);
    const checks = await door.check();
    expect(checks.map(({ id, verdict }) => [id, verdict])).toEqual([
      ['command-programs', 'passed'],
      ['command-status', 'passed'],
      ['command-bypass', 'warning'],
    ]);
    expect([isDown(), existsSync(folder)]).toEqual([false, false]);
    const prior: unknown = JSON.parse(JSON.stringify(await door.plan()));
    expect(await door.installed(prior)).toBe(false);
    await door.install(prior);
    expect(await door.installed(prior)).toBe(true);
    expect([isDown(), await door.state()]).toEqual([false, { kind: 'open' }]);

    await door.close();
    expect([isDown(), await door.state()]).toEqual([
      true,
      { kind: 'closed', windowId: 'mw-20261122-020000-1a2b' },
    ]);
    expect(await door.installed(prior)).toBe(true);
    expect((await failureIn(door.restore(prior))).code).toBe('command-still-closed');
    // Refused by the command, for it is done already; the status counts.
    await door.close();

    await door.open();
    expect([isDown(), await door.state()]).toEqual([false, { kind: 'open' }]);
    await door.open();
    expect(calls()).toEqual(['down', 'down', 'up']);
    expect(await door.restore(prior)).toMatchObject({ kind: 'restored' });
    expect(await door.restore(prior)).toEqual({ kind: 'nothing-to-do' });
    expect(existsSync(folder)).toBe(false);
    expect(readFileSync(join(base, 'calls'), 'utf8')).toContain(`down ${secret} ${base}`);
  });

  test('the status may lag behind', async () => {
    const late = ['sh', '-c', '(sleep 0.4; touch down) >/dev/null 2>&1 &'];
    await mode({ closeCommand: late, settleSeconds: 20 }).close();
    expect(isDown()).toBe(true);
  });
});

describe('what the status command says', () => {
  const enabled = { statusClosed: 'currently enabled', statusOpen: 'currently disabled' };
  const heroku = { statusClosed: '^on$' };
  const rows: [string, number | null, string, Partial<CommandModeSettings>, string][] = [
    ['exit code 0', 0, '', {}, 'closed'],
    ['exit code 1', 1, '', {}, 'open'],
    ['another exit code', 255, '', {}, 'unknown'],
    ['a signal', null, '', {}, 'unknown'],
    ['a match', 0, 'Maintenance mode is currently enabled\n', enabled, 'closed'],
    ['a match of the other', 0, 'Maintenance mode is currently disabled\n', enabled, 'open'],
    ['neither', 0, 'Nextcloud is not installed\n', enabled, 'unknown'],
    ['both', 0, 'currently enabled, currently disabled', enabled, 'unknown'],
    ['a match that is an exit code as well', 3, '1\n', { statusClosed: '^1$' }, 'closed'],
    ['no match', 0, 'off\r\n', heroku, 'open'],
    ['no match of a command that failed', 1, 'off\n', heroku, 'unknown'],
    ['a match in one of several lines', 0, 'warning\r\non\r\n', heroku, 'closed'],
    ['a match after a signal', null, 'on\n', heroku, 'unknown'],
  ];
  test.each(rows)('%s', (_, exitCode, stdout, patterns, reading) => {
    expect(readStatus({ exitCode, stdout }, patterns)).toBe(reading);
  });
});

describe('a run that was killed', () => {
  /** The status, the folder, the note, the command, the status. */
  test.each([0, 1, 2, 3, 4])(
    'while closing, after %i effects, goes on or back',
    async (effects) => {
      const prior = await mode().plan();
      await expect(mode({}, dyingHost(host, effects)).close()).rejects.toThrow();
      await mode().close();
      expect(isDown()).toBe(true);
      await mode().open();
      await expect(mode({}, dyingHost(host, effects)).close()).rejects.toThrow();
      await mode().open();
      expect(isDown()).toBe(false);
      expect((await mode().restore(prior)).kind).toBe('nothing-to-do');
      expect(existsSync(folder)).toBe(false);
    },
  );

  /** The status, the command, the status, the note, the folder. */
  test.each([0, 1, 2, 3, 4])('while opening, after %i effects, opens', async (effects) => {
    const prior = await mode().plan();
    await mode().close();
    await expect(mode({}, dyingHost(host, effects)).open()).rejects.toThrow();
    await mode().open();
    expect(isDown()).toBe(false);
    expect((await mode().restore(prior)).kind).toBe('nothing-to-do');
    expect(await mode().state()).toEqual({ kind: 'open' });
  });
});

describe('a command that fails', () => {
  test('is undone, and told without the secret', async () => {
    touch('refuse-down');
    const failure = await failureIn(mode().close());
    expect(failure.code).toBe('close-command-failed');
    expect(failure.message).toContain('exit code 3; it said: cannot: ***');
    expect(failure.state).toContain('undone');
    expect([isDown(), existsSync(folder)]).toEqual([false, false]);
  });

  test('as one does that ends well and closes nothing', async () => {
    touch('half');
    const failure = await failureIn(mode().close());
    expect(failure.message).toContain('ended well, but the status command does not say');
    expect(failure.state).toContain('says that the site is open');
  });

  test('and cannot be undone either', async () => {
    touch('refuse-up');
    const half = ['sh', '-c', './site down; exit 6'];
    const failure = await failureIn(mode({ closeCommand: half }).close());
    expect(failure.state).toContain('still says that the site is closed');
    expect(await mode().state()).toMatchObject({ kind: 'closed' });
    expect((await failureIn(mode().open())).message).toContain('cannot go up');
    rmSync(join(base, 'refuse-up'));
    await mode().open();
    expect(isDown()).toBe(false);
  });

  test('for the status, is never taken for open', async () => {
    touch('broken');
    for (const attempt of [mode().state(), mode().plan(), mode().close(), mode().open()]) {
      const failure = await failureIn(attempt);
      expect(failure.code).toBe('command-status-unknown');
      expect(failure.message).toContain('PHP Fatal error');
    }
    expect((await mode().check()).map(({ verdict }) => verdict)).toEqual([
      'passed',
      'failed',
      'warning',
    ]);
    expect(calls()).toEqual([]);
  });

  test('by taking too long', async () => {
    const slow = mode({
      closeCommand: ['sleep', '60'],
      commands: { environment: {}, workingDirectory: base, timeoutSeconds: 1 },
    });
    expect((await failureIn(slow.close())).message).toContain('did not end within 1 seconds');
  });

  test('because its program is not there', async () => {
    const [programs] = await mode({ openCommand: ['/no/such/artisan', 'up'] }).check();
    expect(programs).toMatchObject({
      verdict: 'failed',
      value: 'not found on local: /no/such/artisan',
    });
  });
});

describe('a site that somebody else closed', () => {
  test.each(['nobody', 'mw-20261101-020000-ffff'])('is left closed (noted: %s)', async (holder) => {
    const prior = await mode().plan();
    if (holder === 'nobody') touch('down');
    else await mode({ windowId: holder }).close();
    const notes = () => (existsSync(folder) ? readdirSync(folder) : []);
    const before = notes();
    const called = existsSync(join(base, 'calls')) ? calls().length : 0;
    expect(await mode().state()).toMatchObject({ kind: 'closed-by-another' });
    for (const attempt of [mode().close(), mode().open(), mode().plan(), mode().install(prior)]) {
      expect((await failureIn(attempt)).code).toBe('closed-by-another');
    }
    expect((await mode().check())[1]).toMatchObject({ verdict: 'failed' });
    expect(await mode().restore(prior)).toMatchObject({ kind: 'partly-restored' });
    expect([isDown(), notes(), calls().length]).toEqual([true, before, called]);
  });
});

test.each<[string, Partial<CommandModeSettings>]>([
  ['close-command', { closeCommand: [] }],
  ['status-command', { statusCommand: [] }],
  ['status-open', { statusClosed: undefined }],
  ['status-closed', { statusClosed: '(' }],
])('%s that cannot work is refused at once', async (name, over) => {
  const failure = await failureIn(Promise.resolve().then(() => mode(over)));
  expect(failure).toMatchObject({ code: 'command-setting', state: 'Nothing was touched.' });
  expect(failure.message).toContain(name);
});
