import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { formatProblems, problemsOf, readPlanDocument } from '../../src/plan/plan-document.ts';
import { planSchema } from '../../src/plan/plan.ts';

/** All problems of a plan file, as people read them. */
function problems(text: string): string[] {
  const reading = readPlanDocument(text);
  if (reading.kind === 'not-yaml') return formatProblems('plan', reading.problems).split('\n');
  const { document } = reading;
  const parsed = planSchema.safeParse(document.settings);
  if (parsed.success) return [];
  return formatProblems('plan', problemsOf(parsed.error, document.settings, { document })).split(
    '\n',
  );
}

describe('a good plan', () => {
  test('is read, with values in seconds, bytes and camelCase', () => {
    const reading = readPlanDocument(
      'name: shop\nwindow:\n  duration: 90m\npreflight:\n  free-disk: 2 GiB\n',
    );
    if (reading.kind !== 'read') throw new Error('not read');
    const plan = planSchema.parse(reading.document.settings);
    expect(plan.name).toBe('shop');
    expect(plan.window.duration).toBe(5400);
    expect(plan.preflight.freeDisk).toBe(2 * 1024 ** 3);
    expect(plan.enableMaintenance.bypassHeader).toBe('X-Maintenance-Bypass');
  });

  test.each(['', '# nothing but a comment\n', '---\n'])('may be empty: %j', (text) => {
    expect(problems(text)).toEqual([]);
  });

  test('may use a few aliases', () => {
    expect(
      problems(
        'smoke-test:\n  checks:\n    - &c {id: a, kind: http, url: /a, headers: &h {X-A: "1"}}\n    - {id: b, kind: http, url: /b, headers: *h}\n',
      ),
    ).toEqual([]);
  });

  test('times of day, versions and words stay text', () => {
    const reading = readPlanDocument('window:\n  start: 02:00\ncontacts:\n  lead: yes\n');
    expect(reading).toMatchObject({
      document: { settings: { window: { start: '02:00' }, contacts: { lead: 'yes' } } },
    });
  });
});

describe('problems', () => {
  test('are told all at once, in the order of the file, with line and column', () => {
    const text = `name: Shop
window:
  duration: 90
  start: "25:00"
smoke-test:
  checks:
    - id: health
      kind: http
      url: healthz
      expect:
        status: 1000
    - kind: sql
      query: select 1
rollback:
  on-failure: pray
`;
    expect(problems(text)).toEqual([
      'plan:1:7 name: "Shop": is a name of small letters, digits and dashes, such as web-eu-1',
      'plan:3:13 window.duration: 90: is a duration such as 90m, 30s or 1h30m',
      'plan:4:10 window.start: "25:00": is a time of day such as "02:00", or a date and time such as "2026-11-29T02:00"',
      'plan:9:12 smoke-test.checks.0.url: "healthz": is a path such as /healthz, or an http or https URL without user and password',
      'plan:11:17 smoke-test.checks.0.expect.status: 1000: is a status such as 200',
      'plan:12:7 smoke-test.checks.1.id: missing: is a name of small letters, digits and dashes',
      'plan:15:15 rollback.on-failure: "pray": is rollback or hold',
    ]);
  });

  test('unknown keys stand where they are written, with the nearest known key', () => {
    const text = `nmae: shop
window:
  duraton: 90m
enable-maintenence:
  mode: nginx
database:
  kubernetes: true
`;
    expect(problems(text)).toEqual([
      'plan:1:1 nmae: unknown key "nmae"; did you mean "name"?',
      'plan:3:3 window.duraton: unknown key "duraton"; did you mean "duration"?',
      'plan:4:1 enable-maintenence: unknown key "enable-maintenence"; did you mean "enable-maintenance"?',
      'plan:7:3 database.kubernetes: unknown key "kubernetes"; known here: engine, url, client-directory',
    ]);
  });

  test('an unknown key of a task is compared with the keys of that task', () => {
    expect(
      problems('run-db-maintenance:\n  tasks:\n    - task: vacuum\n      files: /x\n'),
    ).toEqual([
      'plan:4:7 run-db-maintenance.tasks.0.files: unknown key "files"; known here: task, id, lock-timeout, statement-timeout, when-late, when-held-back, stage, tables, analyze, full, consent',
    ]);
    expect(
      problems('run-db-maintenance:\n  tasks:\n    - task: reindex\n      concurently: true\n'),
    ).toEqual([
      'plan:4:7 run-db-maintenance.tasks.0.concurently: unknown key "concurently"; did you mean "concurrently"?',
    ]);
  });

  test('an empty section is told from a missing one', () => {
    expect(problems('contacts:\n')).toEqual(['plan:1:10 contacts: null: is a mapping of settings']);
  });

  test.each([
    [
      'run-db-maintenance: {tasks: [{task: shred}]}',
      'is one of vacuum, analyze, reindex, migrate, sql',
    ],
    [
      'run-db-maintenance: {tasks: [{task: migrate}]}',
      'has either files (a folder of .sql files) or command',
    ],
    ['run-db-maintenance: {tasks: [{task: migrate, files: /a, command: [b]}]}', 'has either files'],
    [
      'run-db-maintenance: {tasks: [{task: vacuum, id: a}, {task: analyze, id: a}]}',
      'has each id once',
    ],
    [
      'smoke-test: {checks: [{id: a, kind: http, url: /}, {id: a, kind: http, url: /}]}',
      'has each id once',
    ],
    ['backup-db: {jobs: 0}', 'is at least 1'],
    ['backup-db: {jobs: 2.5}', 'is auto, or a whole number from 1 to 64'],
    ['window: {days: []}', 'names at least one day'],
    ['window: {time-zone: Europe/Bonn}', 'is an IANA time zone'],
    ['window: {start: 2026-02-30T02:00}', 'is a date that exists'],
    ['run-db-maintenance: {lock-timeout: 0s}', 'is a duration'],
    ['state-dir: /var/../etc', 'without ".."'],
    ['state-dir: var/lib', 'is an absolute path'],
    ['public-url: ftp://shop.example.org', 'is an http or https URL'],
    ['public-url: "https://"', 'is an http or https URL'],
    ['enable-maintenance: {exempt-paths: ["/a b"]}', 'is a path such as /healthz'],
    [
      'enable-maintenance: {bypass-addresses: [192.0.2.300]}',
      'is an IPv4 or IPv6 address or range',
    ],
    [
      'enable-maintenance: {bypass-addresses: [192.0.2.0/33]}',
      'is an IPv4 or IPv6 address or range',
    ],
    ['enable-maintenance: {bypass-header: "X: y"}', 'is a header name'],
    ['enable-maintenance: {title: "a\\nb"}', 'is text on one line'],
    [
      'smoke-test: {checks: [{id: a, kind: http, url: //evil.example/}]}',
      'is a path such as /healthz',
    ],
    [
      'smoke-test: {checks: [{id: a, kind: http, url: /, headers: {"X\\r\\nY": z}}]}',
      'smoke-test.checks.0.headers.X\\u{d}\\u{a}Y: "z": is the name of a header',
    ],
    ['report: {not-applicable: [{line: "16.1", why: none}]}', 'is a line of the checklist'],
  ])('%s', (text, message) => {
    const [first, ...more] = problems(text);
    expect(first).toContain(message);
    expect(more).toEqual([]);
  });

  test.each(['UTC', 'Etc/UTC', 'Europe/Berlin', 'Asia/Kolkata', 'Asia/Calcutta', 'europe/berlin'])(
    'the time zone %s is known, by its new name, its old one and in any spelling',
    (zone) => {
      expect(problems(`window: {time-zone: ${zone}}`)).toEqual([]);
    },
  );
});

describe('secrets', () => {
  test.each([
    ['database: {url: "postgres://shop:hunter2@db/shop"}'],
    ['database: {url: "host=db password=hunter2"}'],
    ['database: {url: [hunter2]}'],
    ['enable-maintenance: {bypass-token: hunter2hunter2hunter2}'],
    ['enable-maintenance: {bypass-token: {hunter2: hunter2}}'],
    ['public-url: "https://admin:hunter2@shop.example.org/"'],
    ['public-url: "https://admin:hun/hunter2@shop.example.org/"'],
    ['smoke-test: {checks: [{id: a, kind: http, url: "https://admin:hunter2@x/"}]}'],
  ])('%s is refused without being shown', (text) => {
    const found = problems(text);
    expect(found).toHaveLength(1);
    expect(found.join()).toContain('not shown');
    expect(found.join()).not.toContain('hunter2');
  });
});

describe('hostile files', () => {
  test('an alias bomb is refused', () => {
    const rows = ['a: &a [x, x, x, x, x, x, x, x, x]'];
    for (let i = 0; i < 8; i += 1) {
      const last = 'abcdefghi'[i] ?? '';
      const next = 'bcdefghij'[i] ?? '';
      rows.push(`${next}: &${next} [${Array(9).fill(`*${last}`).join(', ')}]`);
    }
    expect(problems(rows.join('\n'))).toEqual([
      expect.stringContaining('aliases cannot be resolved: Excessive alias count'),
    ]);
  });

  test.each([
    ['name: *nobody', 'Unresolved alias'],
    ['smoke-test: &s {checks: [*s]}', 'circular'],
    ['name: a\nname: b', 'plan:2:1 Map keys must be unique'],
    ['window:\n\tduration: 5m', 'plan:2:1 Tabs are not allowed as indentation'],
    ['name: "open', 'plan:1:12 Missing closing "quote'],
    ['name: a\n---\nname: b', 'multiple documents'],
    ['database:\n  url: !vault abc', 'plan:2:8 Unresolved tag: !vault'],
    ['name: !!js/function "x"', 'Unresolved tag'],
    ['- name', 'plan:1:1 the plan is a mapping of sections'],
    ['just text', 'plan:1:1 the plan is a mapping of sections'],
  ])('%j is refused', (text, message) => {
    expect(problems(text).join('\n')).toContain(message);
  });

  test('a YAML 1.1 directive does not bring back its surprises', () => {
    expect(problems('%YAML 1.1\n---\n<<: {name: shop}')).toEqual([
      expect.stringContaining('unknown key "<<"'),
    ]);
  });

  test('several syntax errors are told at once', () => {
    expect(problems('name: a\nname: b\nhost: c\nhost: d')).toEqual([
      'plan:2:1 Map keys must be unique',
      'plan:4:1 Map keys must be unique',
    ]);
  });

  test('a key cannot begin a line of the log', () => {
    expect(problems('"x\\n::stop-commands::y": 1')).toEqual([
      expect.stringContaining('x\\u{a}::stop-commands::y: unknown key'),
    ]);
  });

  test('__proto__ is an unknown key like any other', () => {
    expect(problems('__proto__: {name: shop}\nwindow:\n  __proto__: {duration: 5m}\n')).toEqual([
      expect.stringContaining('plan:1:1 __proto__: unknown key "__proto__"'),
      expect.stringContaining('plan:3:3 window.__proto__: unknown key "__proto__"'),
    ]);
    expect(({} as Record<string, unknown>).name).toBeUndefined();
  });

  test('whatever a file holds, it is read or refused with a message, and never throws', () => {
    const word = fc.constantFrom(
      ...[
        'name',
        'window',
        '__proto__',
        'constructor',
        ':',
        '- ',
        '\n',
        '  ',
        '\t',
        '&a ',
        '*a',
        '{',
        '}',
        '[',
        ']',
      ],
      ...[
        '!!set ',
        '"',
        "'",
        '|',
        '>',
        '%YAML 1.1',
        '---',
        '? ',
        '<<',
        '.nan',
        '~',
        '0x',
        '#',
        '\u0000',
        '\uFEFF',
      ],
    );
    fc.assert(
      fc.property(fc.array(word, { maxLength: 30 }), (words) => {
        const found = problems(words.join(''));
        for (const line of found) expect(line).toMatch(/^plan(?::\d+:\d+)? \S/);
      }),
      { numRuns: 500 },
    );
  });
});
