import { describe, expect, test } from '@jest/globals';
import { checklist, decide, provabilityTable } from '../../src/report/checklist.ts';
import { buildReport, type ReportInput } from '../../src/report/report-model.ts';
import { verdictText } from '../../src/report/wording.ts';
import {
  approvals,
  backup,
  goodWindow,
  heldWindow,
  killedWhileClosing,
  migrationRolledBack,
  planOf,
  preflightOnly,
  refusedByApproval,
  scenarios,
  smokeTestRolledBack,
} from '../fixtures/record-factory.ts';

function lineOf(input: ReportInput, id: string): { verdict: string; text: string } {
  const line = buildReport(input)
    .checklist.flatMap(({ lines }) => lines)
    .find((entry) => entry.id === id);
  if (line === undefined) throw new Error(`no line ${id}`);
  return { verdict: line.result.verdict, text: verdictText(line.result) };
}

function changed(
  input: ReportInput,
  change: Partial<ReportInput['record']['status']>,
): ReportInput {
  return { ...input, record: { ...input.record, status: { ...input.record.status, ...change } } };
}

/** The checklist's sections and how many lines each has. */
const shape: [section: string, lines: number][] = [
  ['Planning and preparation', 6],
  ['System health', 6],
  ['Safety preparations', 6],
  ['Execution', 7],
  ['Validation and testing', 6],
  ['Monitoring and alerts', 6],
  ['Verification of the system', 6],
  ['Documentation and report', 6],
  ['Clean-up and follow-up', 6],
  ['Rollback', 6],
  ['Incident response', 6],
  ['Security updates', 6],
  ['Application updates', 6],
  ['Infrastructure changes', 6],
  ['Final approval', 6],
];

describe('the checklist', () => {
  test('has all sections and lines, numbered in their order', () => {
    expect(checklist.map(({ title, lines }) => [title, lines.length])).toEqual(shape);
    checklist.forEach((section, index) => {
      expect(section.number).toBe(index + 1);
      expect(section.lines.map(({ id }) => id)).toEqual(
        section.lines.map((_, line) => `${index + 1}.${line + 1}`),
      );
    });
  });

  test.each(Object.entries(scenarios))('is resolved whole for %s', (_name, make) => {
    const report = buildReport(make());
    const lines = report.checklist.flatMap((section) => section.lines);
    expect(lines).toHaveLength(91);
    for (const { result } of lines) expect(verdictText(result)).toMatch(/\S{2}/);
    const { proved, attested, notApplicable, open } = report.counts;
    expect(proved + attested + notApplicable + open).toBe(91);
  });

  test('says for the documents what proves each line', () => {
    const table = provabilityTable();
    expect(table).toHaveLength(91);
    for (const row of table) expect(`${row.provedBy}${row.notApplicableWhen}`).not.toBe('');
    expect(table.find(({ id }) => id === '1.6')?.provedBy).toContain('backup-db');
    expect(table.find(({ id }) => id === '8.4')?.provedBy).toContain('attestation');
  });

  test('accepts every line as the name of an attestation', () => {
    const attestations = checklist.flatMap(({ lines }) =>
      lines.map(({ id }) => ({ line: id, by: 'Ada', statement: 'Yes.' })),
    );
    const plan = planOf({ report: { attestations } });
    expect(plan.report.attestations).toHaveLength(91);
    // With everything attested, open is only what evidence speaks against.
    const open = buildReport({ ...goodWindow(), plan })
      .checklist.flatMap(({ lines }) => lines)
      .filter(({ result }) => result.verdict === 'open');
    expect(open).toEqual([]);
  });
});

describe('a verdict', () => {
  const said = [{ line: '1.1', by: 'Ada', statement: 'I saw it.' }];
  const exempt = [{ line: '1.1', why: 'Not ours.' }];

  test('by proof needs no word', () => {
    expect(decide({ kind: 'proof', by: 'x' }, said, exempt)).toEqual({
      verdict: 'proved',
      by: 'x',
    });
  });

  test('against the line is not hidden by a word', () => {
    expect(decide({ kind: 'failed', why: 'It failed.' }, said, exempt)).toEqual({
      verdict: 'open',
      why: 'It failed. This stands although Ada attests: “I saw it.”; the plan calls it not applicable: “Not ours.”.',
    });
    expect(decide({ kind: 'failed', why: 'It failed.' }, [], [])).toEqual({
      verdict: 'open',
      why: 'It failed.',
    });
  });

  test('without evidence is what people say, else open', () => {
    expect(decide({ kind: 'none', todo: 'Do it.' }, said, exempt)).toEqual({
      verdict: 'attested',
      by: 'Ada',
      statement: 'I saw it.',
    });
    expect(decide({ kind: 'none', todo: 'Do it.' }, [], exempt)).toEqual({
      verdict: 'not-applicable',
      why: 'Not ours.',
    });
    expect(decide({ kind: 'none', todo: 'Do it.' }, [], [])).toEqual({
      verdict: 'open',
      why: 'Do it.',
    });
    expect(decide({ kind: 'not-applicable', why: 'No.' }, said, [])).toMatchObject({
      verdict: 'attested',
    });
  });
});

describe('lines of a good window', () => {
  test.each([
    [
      '1.1',
      'proved',
      /Preflight check time: 5 s after .* Approved by bo-lind \(maintenance-approval\)\./,
    ],
    ['1.2', 'open', /CHG-1042/],
    ['1.3', 'attested', /Ada Park: “Customers were told/],
    [
      '1.6',
      'proved',
      /11 MiB, 620000 rows in 3 tables, restored and compared table by table; a restore takes 6\.4 s \(measured\)/,
    ],
    ['2.2', 'proved', /health within 0\.5 s/],
    ['2.6', 'not-applicable', /There is no load balancer/],
    ['3.2', 'proved', /gate-maintenance-approval: reviewers bo-lind, team:dba/],
    ['3.6', 'proved', /the hook answers/],
    ['4.2', 'not-applicable', /stops no service; requests under way were drained/],
    ['4.5', 'not-applicable', /updates no packages/],
    ['4.7', 'proved', /nginx-config/],
    ['5.2', 'proved', /orders \(value 120000\)/],
    ['5.5', 'proved', /certificate was verified/],
    ['7.2', 'open', /15 to 20 minutes/],
    ['7.5', 'open', /No smoke test asks another host/],
    ['9.1', 'proved', /lock is free/],
    ['9.2', 'proved', /byte for byte\. Restore point .* dropped/],
    ['11.1', 'proved', /Bo Lind .* On call/],
    ['11.5', 'proved', /6\.4 s \(measured\)/],
    ['12.4', 'not-applicable', /updates no packages/],
    ['13.2', 'proved', /version 0007 reached/],
    ['14.4', 'not-applicable', /changes no infrastructure/],
    ['15.1', 'proved', /Bo Lind \(@bo-lind\) approved maintenance-approval: “Looks fine, go\.”/],
    ['15.3', 'open', /roles of reviewers/],
    ['15.4', 'open', /contacts\.business/],
    ['15.6', 'proved', /Approved by bo-lind/],
  ] as const)('%s is %s', (id, verdict, words) => {
    const line = lineOf(goodWindow(), id);
    expect(line.text).toMatch(words);
    expect(line.verdict).toBe(verdict);
  });
});

describe('evidence against a line', () => {
  test('a failed smoke test is not hidden by the one that passed before it', () => {
    const run = goodWindow().record.status.smokeTests?.[0];
    const results = run!.results.map((result) => ({
      ...result,
      passed: false,
      observed: 'status 500',
    }));
    const input = changed(goodWindow(), {
      smokeTests: [run!, { ...run!, passed: false, results }],
    });
    expect(lineOf(input, '5.1')).toMatchObject({
      verdict: 'open',
      text: expect.stringContaining('observed status 500'),
    });
  });

  test('after a rollback the last smoke tests count, and the migration does not', () => {
    expect(lineOf(smokeTestRolledBack(), '5.1')).toMatchObject({
      verdict: 'proved',
      text: expect.stringMatching(/^rollback at/),
    });
    expect(lineOf(smokeTestRolledBack(), '13.2')).toMatchObject({
      verdict: 'open',
      text: expect.stringContaining('undone by its rollback'),
    });
    expect(lineOf(migrationRolledBack(), '9.2')).toMatchObject({
      verdict: 'open',
      text: expect.stringContaining('failed database shop_mw'),
    });
  });

  test('a backup that failed is open, although somebody attests it', () => {
    const input = killedWhileClosing();
    const [line] = input.record.journal;
    const failed = {
      ...line!,
      phase: 'backup-db',
      step: 'dump-online',
      event: 'failed' as const,
      detail: 'No space left on device.',
    };
    const without = changed(
      { ...input, record: { ...input.record, journal: [line!, failed] } },
      { backup: undefined },
    );
    const verdict = lineOf(without, '1.6');
    expect(verdict.verdict).toBe('open');
    expect(verdict.text).toContain('No space left on device.');
    expect(verdict.text).toContain('although Ada Park attests');
  });

  test('a gate that nobody has to review protects nothing', () => {
    const checks = goodWindow().record.status.checks?.map((check) =>
      check.id.startsWith('gate-')
        ? { ...check, verdict: 'warning' as const, value: 'has no required reviewers' }
        : check,
    );
    expect(lineOf(changed(goodWindow(), { checks }), '3.2')).toMatchObject({
      verdict: 'open',
      text: expect.stringContaining('no required reviewers'),
    });
  });

  test('a window outside its time was not scheduled', () => {
    const input = changed(goodWindow(), { ignoredWindow: 'urgent' });
    for (const id of ['1.1', '15.6']) expect(lineOf(input, id).verdict).toBe('open');
  });

  test('self-approval and rejection are no approval', () => {
    const own = { ...goodWindow(), approvals: [{ ...approvals[0]!, user: 'ADA' }] };
    expect(lineOf(own, '1.1')).toMatchObject({
      verdict: 'open',
      text: expect.stringContaining('who started the run'),
    });
    expect(lineOf(own, '15.2')).toMatchObject({ verdict: 'open' });
    expect(lineOf(refusedByApproval(), '15.6')).toMatchObject({
      verdict: 'open',
      text: 'bo-lind rejected maintenance-approval.',
    });
  });

  test('approvals that could not be read are not known', () => {
    const input = { ...goodWindow(), approvals: undefined, approvalsNote: 'not run by GitHub' };
    expect(lineOf(input, '1.1')).toEqual({
      verdict: 'open',
      text: 'The approvals of this run are not known: not run by GitHub.',
    });
  });

  test('a held window proves nothing of the reopening', () => {
    for (const id of ['5.4', '5.5', '7.1', '7.4', '9.1'])
      expect(lineOf(heldWindow(), id).verdict).toBe('open');
    expect(lineOf(heldWindow(), '11.6')).toMatchObject({
      verdict: 'open',
      text: expect.stringContaining('held'),
    });
    expect(lineOf(killedWhileClosing(), '5.4').text).toBe('What the public sees is not proved.');
  });

  test('a window that went no further proves nothing of the work', () => {
    for (const id of ['1.6', '2.4', '4.3', '5.1', '7.1', '10.3']) {
      expect(lineOf(preflightOnly(), id).verdict).not.toBe('proved');
    }
  });
});

describe('what the plan makes not applicable', () => {
  test('lines of migrations, where the plan has none', () => {
    const plan = planOf({ 'run-db-maintenance': { tasks: [{ task: 'vacuum' }] } });
    for (const id of ['13.1', '13.2', '13.5', '13.6']) {
      expect(lineOf({ ...goodWindow(), plan }, id)).toMatchObject({ verdict: 'not-applicable' });
    }
  });

  test('certificates, where the public URL is plain http', () => {
    const plan = planOf({ 'public-url': 'http://127.0.0.1:8080/' });
    expect(lineOf({ ...goodWindow(), plan }, '5.5')).toEqual({
      verdict: 'not-applicable',
      text: 'The public URL is plain http.',
    });
  });

  test('backups, where the plan has no database', () => {
    const plan = planOf({ database: {}, report: {} });
    const input = changed({ ...preflightOnly(), plan }, {});
    expect(lineOf(input, '1.6')).toEqual({
      verdict: 'not-applicable',
      text: 'The plan names no database.',
    });
  });
});

test('performance before and after is compared where the same test ran twice', () => {
  const good = goodWindow();
  const [run] = good.record.status.smokeTests ?? [];
  const before = {
    ...run!,
    phase: 'preflight',
    results: run!.results.map((result) => ({ ...result, seconds: 0.02 })),
  };
  expect(lineOf(changed(good, { smokeTests: [before, run!] }), '8.3')).toEqual({
    verdict: 'proved',
    text: 'Smoke tests of preflight and smoke-test: health 20 ms before, 12 ms after.',
  });
  expect(lineOf(good, '8.3').verdict).toBe('open');
  expect(backup.rows).toBeDefined();
});
