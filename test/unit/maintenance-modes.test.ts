import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { modeMakers } from '../../src/assembly/modes.ts';
import { requireMode } from '../../src/phases/requirements.ts';
import type { ActionId } from '../../src/plan/action-ids.ts';
import { modeNames, settingLackedBy } from '../../src/plan/modes.ts';
import { planSchema } from '../../src/plan/plan.ts';
import { resolveSettings } from '../../src/plan/resolve.ts';
import { resolveSecrets } from '../../src/plan/secrets.ts';
import { failureOf } from '../../src/ports/failure.ts';

const root = 'name: shop\npublic-url: https://shop.example.org/\ndatabase: {url: $DATABASE_URL}\n';
const app = 'mode: app, app-file: /srv/shop/.env, app-key: MAINTENANCE_MODE';
const command =
  'mode: command, close-command: [site, down], open-command: [site, up], status-command: [site, status]';

function resolved(id: ActionId, section: string, inputs: Record<string, string> = {}) {
  const text = `${root}enable-maintenance: {${section}}\n`;
  return resolveSettings(id, { inputs, plan: { path: 'plan.yml', text } });
}

function refusal(id: ActionId, section: string): string[] {
  try {
    resolved(id, section);
  } catch (error) {
    return failureOf(error).message.split('\n').slice(1);
  }
  return [];
}

describe('a mode without what it needs is refused when the plan is read', () => {
  const rows: [ActionId, string, string[]][] = [
    ['enable-maintenance', '', ['site-files']],
    ['enable-maintenance', 'mode: app', ['app-file', 'app-key']],
    ['enable-maintenance', 'mode: app, app-file: /a/.env', ['app-key']],
    ['enable-maintenance', 'mode: command', ['close-command', 'open-command', 'status-command']],
    [
      'enable-maintenance',
      'mode: command, site-files: [/a]',
      ['close-command', 'open-command', 'status-command'],
    ],
    ['enable-maintenance', app, []],
    ['enable-maintenance', command, []],
    ['maintenance-window', 'mode: app', ['app-file', 'app-key']],
    ['maintenance-window', command, []],
    // What closes the site may be left out of a preflight, but not be named by half.
    ['preflight', '', []],
    ['preflight', 'mode: app', ['app-file', 'app-key']],
    ['preflight', 'mode: nginx', ['site-files']],
    ['backup-db', 'mode: app', []],
  ];
  test.each(rows)('%s {%s}', (id, section, missing) => {
    const problems = refusal(id, section);
    expect(
      problems.map((problem) => /^enable-maintenance\.([a-z-]+): missing/.exec(problem)?.[1]),
    ).toEqual(missing);
  });

  test('what inputs bring is not missing', () => {
    const { plan } = resolved('enable-maintenance', 'mode: app', {
      'app-file': '/srv/shop/.env',
      'app-key': 'CLOSED',
    });
    expect(settingLackedBy(plan.enableMaintenance)).toBeUndefined();
  });

  test('a mode that there is not is refused by its name', () => {
    expect(refusal('enable-maintenance', 'mode: haproxy')[0]).toContain(
      '"haproxy": is nginx, app or command',
    );
  });
});

describe('settings that are refused by their value', () => {
  test.each([
    ['app-file: .env', 'is an absolute path'],
    ['app-format: xml', 'is auto, dotenv, ini, json, yaml or python'],
    ['app-value: [1]', 'is a word, a number, true or false'],
    ['app-value: "a\\nb"', 'is text on one line'],
    ['status-closed: "("', 'is a regular expression'],
    ['close-command: "site down"', 'list'],
    ['command-directory: srv', 'is an absolute path'],
    ['command-environment: [lower]', 'is the name of an environment variable'],
    ['command-timeout: soon', 'is a duration'],
  ])('%s', (section, words) => {
    expect(refusal('backup-db', section).join('\n')).toContain(words);
  });
});

test('truth values and numbers of a plan are read as the words that they are', () => {
  const valueOf = (text: string) =>
    resolved('backup-db', `app-value: ${text}`).plan.enableMaintenance.appValue;
  expect([valueOf('true'), valueOf('1'), valueOf('"0"'), valueOf('closed')]).toEqual([
    'true',
    '1',
    '0',
    'closed',
  ]);
});

describe('a plan without a mode', () => {
  test.each(modeNames)('is told what %s lacks', (mode) => {
    const plan = planSchema.parse({ 'enable-maintenance': { mode } });
    const lacked = settingLackedBy(plan.enableMaintenance) ?? '';
    try {
      requireMode({ mode: undefined, plan });
      throw new Error('it was not refused');
    } catch (error) {
      const failure = failureOf(error);
      expect(failure.code).toBe('setting-missing');
      expect(failure.message).toContain(`enable-maintenance.${lacked}`);
      expect(failure.message).toContain(`mode ${mode}`);
    }
  });
});

describe('the environment of the commands', () => {
  const planOf = (section: string) =>
    resolved('backup-db', `${section}, command-environment: [API_KEY]`).plan;

  test('is taken by name, and must be there', () => {
    const environment = { API_KEY: 'key', OTHER: 'x', DATABASE_URL: 'postgresql://h/d' };
    expect(resolveSecrets(planOf(command), environment).commandEnvironment).toEqual({
      API_KEY: 'key',
    });
    try {
      resolveSecrets(planOf(command), { DATABASE_URL: 'postgresql://h/d' });
      throw new Error('it was not refused');
    } catch (error) {
      expect(failureOf(error)).toMatchObject({ code: 'secret-missing' });
      expect(failureOf(error).message).toContain(
        'API_KEY (enable-maintenance.command-environment)',
      );
    }
  });

  test('is nothing to nginx, which runs none', () => {
    const plan = planOf('mode: nginx');
    const secrets = resolveSecrets(plan, { DATABASE_URL: 'postgresql://h/d' });
    expect(secrets.commandEnvironment).toEqual({});
  });
});

test.each(['app-mode.yml', 'command-mode.yml', 'fleet.yml'])(
  'the example %s is a whole plan',
  (name) => {
    const path = new URL(`../../examples/plans/${name}`, import.meta.url);
    const plan = { path: name, text: readFileSync(path, 'utf8') };
    const resolved = resolveSettings('maintenance-window', { inputs: {}, plan });
    expect(settingLackedBy(resolved.plan.enableMaintenance)).toBeUndefined();
  },
);

test('every mode that a plan may name can be made', () => {
  expect(Object.keys(modeMakers).sort()).toEqual([...modeNames].sort());
});
