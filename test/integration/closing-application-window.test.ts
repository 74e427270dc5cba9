import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { actions } from '../../src/actions/catalogue.ts';
import type { ActionResult } from '../../src/assembly/window-session.ts';
import type { ActionId } from '../../src/plan/action-ids.ts';
import { startApplication, type ClosingApplication } from '../fixtures/closing-application.ts';

const secret = 'correct-horse-battery-staple';
const text = `DB_PASSWORD="${secret}"\nMAINTENANCE_MODE=false # closes\nKEY='two\nlines'`;
let application: ClosingApplication;
let stateDir: string;

beforeEach(async () => {
  stateDir = mkdtempSync(join(tmpdir(), 'closing-application-window-'));
  application = await startApplication('dotenv', '.env', text);
});
afterEach(async () => {
  await application.stop();
  rmSync(stateDir, { recursive: true, force: true });
});

/** The settings of the mode app; those of the mode command do the same by a shell and a third command. */
const modes = {
  app: (): Record<string, string> => ({
    mode: 'app',
    'app-file': application.file,
    'app-key': 'MAINTENANCE_MODE',
    'app-reload-command': application.reloadCommand.join('\n'),
  }),
  command: (): Record<string, string> => {
    const set = (from: string, to: string) =>
      [
        'sh',
        '-c',
        `sed -i 's/MODE=${from}/MODE=${to}/' "$0" && ${application.reloadCommand[2] ?? ''}`,
        application.file,
      ].join('\n');
    return {
      mode: 'command',
      'close-command': set('false', 'true'),
      'open-command': set('true', 'false'),
      'status-command': `grep\nMAINTENANCE_MODE\n${application.file}`,
      'status-closed': '^MAINTENANCE_MODE=true',
      'status-open': '^MAINTENANCE_MODE=false',
    };
  },
};

async function act(
  id: ActionId,
  inputs: Readonly<Record<string, string>>,
  said: string[] = [],
): Promise<ActionResult> {
  const say = (message: string) => void said.push(message);
  return actions[id]({
    inputs: {
      name: 'shop',
      'state-dir': stateDir,
      'public-url': application.url,
      ...inputs,
    },
    environment: { PATH: process.env.PATH, BYPASS_TOKEN: application.token },
    workspace: stateDir,
    run: { id: 'run-1', attempt: 1 },
    progress: {
      info: say,
      warning: say,
      begin: (...words) => {
        say(words.join(' '));
      },
      end: (...words) => {
        say(words.join(' '));
      },
    },
    signal: new AbortController().signal,
    mask: () => undefined,
    github: undefined,
  });
}

const file = () => readFileSync(application.file, 'utf8');

function everythingIn(folder: string): string {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'utf8'))
    .join('\n');
}

describe.each(['app', 'command'] as const)('a window in mode %s', (name) => {
  test('is prepared, closes, proves itself by status and bypass, and reopens', async () => {
    const inputs = { ...modes[name](), 'bypass-token': '$BYPASS_TOKEN', 'close-timeout': '20s' };
    const said: string[] = [];
    const prepared = await act('enable-maintenance', { ...inputs, 'prepare-only': 'true' }, said);
    expect(prepared.outcome).toMatchObject({ kind: 'done' });
    expect([file(), await application.ask()]).toEqual([text, 200]);

    const closed = await act('enable-maintenance', inputs, said);
    expect(closed.outcome).toMatchObject({ kind: 'done' });
    expect(closed.outputs).toMatchObject({ state: 'closed' });
    expect(await application.ask()).toBe(503);
    expect(everythingIn(stateDir) + said.join('\n')).not.toContain(secret);
    // Once more, as after a kill: nothing is done again.
    expect((await act('enable-maintenance', inputs)).outcome).toMatchObject({ kind: 'done' });

    const reopened = await act('disable-maintenance', {}, said);
    expect(reopened.outcome).toMatchObject({ kind: 'done' });
    expect(reopened.outputs).toMatchObject({ state: 'reopened' });
    expect([file(), await application.ask()]).toEqual([text, 200]);
    expect(readdirSync(join(stateDir, 'shop'))).not.toContain('mode');
    expect(everythingIn(stateDir) + said.join('\n')).not.toContain(secret);
  });

  test('is taken back by rollback', async () => {
    expect((await act('enable-maintenance', modes[name]())).outputs).toMatchObject({
      state: 'closed',
    });
    const result = await act('rollback', {});
    expect(result.outputs).toMatchObject({ state: 'rolled-back', outcome: 'reopened' });
    expect([file(), await application.ask()]).toEqual([text, 200]);
  });

  test('is undone when closing has no effect from outside', async () => {
    const inputs =
      name === 'app'
        ? { ...modes.app(), 'app-reload-command': 'true' }
        : {
            ...modes.command(),
            'close-command': `sed\n-i\ns/MODE=false/MODE=true/\n${application.file}`,
          };
    const result = await act('enable-maintenance', { ...inputs, 'close-timeout': '500ms' });
    expect(result.outcome).toMatchObject({ kind: 'failed', failure: { code: 'not-closed' } });
    expect(result.outputs).toMatchObject({ state: 'rolled-back' });
    expect([file(), await application.ask()]).toEqual([text, 200]);
  });
});

test('closing is undone when the application does not honour the bypass', async () => {
  const inputs = {
    ...modes.app(),
    'bypass-token': '$BYPASS_TOKEN',
    'bypass-header': 'X-Other',
  };
  const result = await act('enable-maintenance', inputs);
  expect(result.outcome).toMatchObject({ kind: 'failed', failure: { code: 'bypass-closed' } });
  expect([file(), await application.ask()]).toEqual([text, 200]);
});
