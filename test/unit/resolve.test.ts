import { describe, expect, test } from '@jest/globals';
import type { ActionId } from '../../src/plan/action-ids.ts';
import { resolveSettings, type SettingSources } from '../../src/plan/resolve.ts';
import { FailureError } from '../../src/ports/failure.ts';

const text = `name: shop
public-url: https://shop.example.org/
window:
  duration: 90m
  days: [saturday, sunday]
database:
  url: $DATABASE_URL
enable-maintenance:
  site-files: [/etc/nginx/sites-available/shop]
  retry-after: 5m
smoke-test:
  checks:
    - id: health
      kind: http
      url: /healthz
`;

function resolve(id: ActionId, sources: Partial<SettingSources> & { text?: string } = {}) {
  const { text: file, ...rest } = sources;
  const plan = file === undefined ? undefined : { path: 'maintenance.yml', text: file };
  return resolveSettings(id, { inputs: {}, plan, ...rest });
}

function messages(id: ActionId, sources: Partial<SettingSources> & { text?: string }): string[] {
  try {
    resolve(id, sources);
  } catch (error) {
    if (!(error instanceof FailureError)) throw error;
    expect(error.failure.code).toBe('plan-invalid');
    expect(error.failure.state).toBe('Nothing was touched.');
    return error.failure.message.split('\n').slice(1);
  }
  throw new Error('was not refused');
}

describe('who wins', () => {
  const recorded = {
    'enable-maintenance': { 'retry-after': '1m', title: 'Recorded' },
    window: { duration: '30m' },
  };

  test('an input over the plan, the plan over the record, the record over the default', () => {
    const { plan } = resolve('enable-maintenance', {
      text,
      recorded,
      inputs: { 'window-duration': '2h' },
    });
    expect(plan.window.duration).toBe(7200);
    expect(plan.enableMaintenance.retryAfter).toBe(300);
    expect(plan.enableMaintenance.title).toBe('Recorded');
    expect(plan.enableMaintenance.bypassCookie).toBe('maintenance_bypass');
  });

  test('an empty input does not win', () => {
    const { plan } = resolve('enable-maintenance', { text, inputs: { 'window-duration': ' ' } });
    expect(plan.window.duration).toBe(5400);
  });

  test('lists are replaced, not appended to', () => {
    const { plan } = resolve('enable-maintenance', {
      text,
      inputs: { 'site-files': '/a\n/b', 'window-days': 'monday' },
    });
    expect(plan.enableMaintenance.siteFiles).toEqual(['/a', '/b']);
    expect(plan.window.days).toEqual(['monday']);
  });

  test('what is recorded is what was given, not the defaults', () => {
    const { raw } = resolve('smoke-test', { text, inputs: { deadline: '90s' } });
    expect(raw['smoke-test']).toEqual({
      checks: [{ id: 'health', kind: 'http', url: '/healthz' }],
      deadline: '90s',
    });
    expect(raw).not.toHaveProperty('report');
    expect(resolve('smoke-test', { recorded: raw }).plan.smokeTest.deadline).toBe(90);
  });
});

describe('inputs as text', () => {
  const alone = {
    name: 'shop',
    'public-url': 'https://shop.example.org/',
    'database-url': '$DATABASE_URL',
    'site-files': '/etc/nginx/sites-available/shop',
  };

  test('an action works without a plan', () => {
    const { plan, invocation } = resolve('enable-maintenance', { inputs: alone });
    expect(plan.name).toBe('shop');
    expect(plan.database.url).toBe('$DATABASE_URL');
    expect(invocation).toEqual({ 'prepare-only': false });
  });

  test.each([
    ['/a,/b', ['/a', '/b']],
    [' /a , /b ,', ['/a', '/b']],
    ['/a\n/b\n', ['/a', '/b']],
    ['/a\r\n\r\n/b\r\n', ['/a', '/b']],
    ['/with,comma\n', ['/with,comma']],
  ])('a list: %j', (list, files) => {
    const inputs = { ...alone, 'site-files': list };
    expect(resolve('enable-maintenance', { inputs }).plan.enableMaintenance.siteFiles).toEqual(
      files,
    );
  });

  test('flags and numbers', () => {
    const inputs = { 'prepare-only': 'true', ...alone };
    expect(resolve('enable-maintenance', { inputs }).invocation).toEqual({ 'prepare-only': true });
    expect(resolve('backup-db', { inputs: { ...alone, jobs: ' 4 ' } }).plan.backupDb.jobs).toBe(4);
    expect(resolve('backup-db', { inputs: { ...alone, jobs: 'auto' } }).plan.backupDb.jobs).toBe(
      'auto',
    );
    expect(
      resolve('preflight', { inputs: { ...alone, 'accept-invalid-indexes': 'false' } }).plan
        .preflight.acceptInvalidIndexes,
    ).toBe(false);
  });

  test('documents are YAML', () => {
    const tasks = '- task: vacuum\n  tables: [public.orders]\n- task: sql\n  sql: select 1\n';
    const { plan } = resolve('run-db-maintenance', { inputs: { ...alone, tasks } });
    expect(plan.runDbMaintenance.tasks).toMatchObject([
      { task: 'vacuum', tables: ['public.orders'], stage: 'online' },
      { task: 'sql', transaction: true, blast: 'data' },
    ]);
  });

  test.each([
    ['flag', { 'prepare-only': 'yes' }, 'input prepare-only: "yes": is true or false'],
    [
      'duration',
      { 'drain-timeout': 'soon' },
      'input drain-timeout: "soon": is a duration such as 90m, 30s or 1h30m',
    ],
    [
      'list',
      { 'site-files': '/a,b' },
      'input site-files: 1: "b": is an absolute path without ".." and control characters',
    ],
    [
      'secret',
      { 'bypass-token': 'hunter2hunter2hunter2' },
      'input bypass-token: the value (not shown: it may hold a secret): names an environment variable, such as $DATABASE_URL; secrets themselves never stand in a plan or an input',
    ],
    [
      'URL',
      { 'public-url': 'shop' },
      'input public-url: "shop": is an http or https URL without user and password',
    ],
  ])('a bad %s names input, value and what is accepted', (_, inputs, message) => {
    expect(messages('enable-maintenance', { inputs: { ...alone, ...inputs } })).toEqual([message]);
  });

  test.each([
    ['abc', '"abc": is auto, or a whole number from 1 to 64'],
    ['2.5', '"2.5": is auto, or a whole number from 1 to 64'],
    ['0', '0: is at least 1'],
    ['65', '65: is at most 64'],
  ])('the number %s is refused', (jobs, message) => {
    expect(messages('backup-db', { inputs: { ...alone, jobs } })).toEqual([
      `input jobs: ${message}`,
    ]);
  });

  test.each([
    [
      '- task: vacum',
      'input tasks: 0.task: "vacum": is one of vacuum, analyze, reindex, migrate, sql',
    ],
    [
      '- task: vacuum\n  analyse: true',
      'input tasks: 0.analyse: unknown key "analyse"; did you mean "analyze"?',
    ],
    ['task: vacuum', 'input tasks: {"task":"vacuum"}: is a list of tasks'],
    ['- task: vacuum\n  task: sql', 'input tasks: YAML:2:3 Map keys must be unique'],
    ['- &a [*a]', 'input tasks: YAML aliases cannot be resolved: '],
  ])('the document %j is refused', (tasks, message) => {
    const [first] = messages('run-db-maintenance', { inputs: { ...alone, tasks } });
    expect(first).toContain(message);
  });
});

describe('all problems at once', () => {
  test('of the plan, of inputs, and what is missing', () => {
    const broken = 'nmae: shop\nwindow:\n  duration: soon\n';
    expect(
      messages('enable-maintenance', { text: broken, inputs: { 'close-timeout': '5' } }),
    ).toEqual([
      'maintenance.yml:1:1 nmae: unknown key "nmae"; did you mean "name"?',
      'maintenance.yml:3:13 window.duration: "soon": is a duration such as 90m, 30s or 1h30m',
      'input close-timeout: "5": is a duration such as 90m, 30s or 1h30m',
      'name: missing; give it in the plan or as input `name`',
      'public-url: missing; give it in the plan or as input `public-url`',
      'enable-maintenance.site-files: missing; give it in the plan or as input `site-files`',
    ]);
  });

  test('what an input names wrongly is not missing as well', () => {
    expect(messages('backup-db', { inputs: { name: 'Shop', 'database-url': 'x' } })).toHaveLength(
      2,
    );
  });

  test('of a file that is not YAML only that is told, and the inputs', () => {
    expect(messages('backup-db', { text: 'name: a\nname: b', inputs: { jobs: '0' } })).toEqual([
      'maintenance.yml:2:1 Map keys must be unique',
      'input jobs: 0: is at least 1',
    ]);
  });

  test('a setting that is no input of the action is asked for in the plan', () => {
    expect(messages('maintenance-window', {})).toContain(
      'enable-maintenance.site-files: missing; give it in the plan',
    );
  });

  test('where a record may still bring it, nothing is missing; all else is refused', () => {
    expect(
      resolve('enable-maintenance', { inputs: { name: 'shop' }, lenient: true }).plan.name,
    ).toBe('shop');
    expect(messages('enable-maintenance', { inputs: { name: 'Shop' }, lenient: true })).toEqual([
      'input name: "Shop": is a name of small letters, digits and dashes, such as web-eu-1',
    ]);
  });

  test('a record that an other version wrote is refused as well', () => {
    const recorded = { name: 'shop', window: { length: '5m' } };
    expect(messages('rollback', { recorded })).toEqual([
      expect.stringContaining('settings window.length: unknown key "length"'),
    ]);
  });
});

describe('hostile keys', () => {
  const hostile = JSON.parse(
    '{"name": "shop", "__proto__": {"host": "polluted"}, "window": {"__proto__": {"duration": "1m"}}}',
  ) as NonNullable<SettingSources['recorded']>;

  test('__proto__ in a record stays a key, is refused, and changes no prototype', () => {
    const found = messages('rollback', { recorded: hostile, text: 'window: {}\n' });
    expect(found.join('\n')).toContain('__proto__: unknown key "__proto__"');
    expect(({} as Record<string, unknown>).host).toBeUndefined();
    expect(({} as Record<string, unknown>).duration).toBeUndefined();
  });

  test('what only a prototype has is missing', () => {
    const found = messages('report', { text: '__proto__: {name: shop}' });
    expect(found).toContain('name: missing; give it in the plan or as input `name`');
  });

  test('names of what every object has are no inputs and no settings', () => {
    expect(messages('report', { inputs: { constructor: 'x' }, text: 'toString: 1' })).toEqual([
      expect.stringContaining('unknown key "toString"'),
      expect.stringContaining('name: missing'),
    ]);
  });
});
