import { describe, expect, test } from '@jest/globals';
import { buildReport, type Report, type ReportInput } from '../../src/report/report-model.ts';
import type { statusOf } from '../fixtures/record-factory.ts';
import {
  approvals,
  at,
  closingUndone,
  goodWindow,
  heldWindow,
  killedWhileClosing,
  migrationRolledBack,
  planOf,
  preflightOnly,
  refusedByApproval,
  smokeTestRolledBack,
} from '../fixtures/record-factory.ts';

function withStatus(input: ReportInput, change: Parameters<typeof statusOf>[0]): ReportInput {
  return { ...input, record: { ...input.record, status: { ...input.record.status, ...change } } };
}

function todo(report: Report): string {
  return report.leftToDo.map(({ urgent, text }) => `${urgent ? 'now: ' : ''}${text}`).join('\n');
}

describe('a window over several hosts that is held', () => {
  const reopening = {
    from: 'changed' as const,
    failedAt: at(43),
    blame: 'host' as const,
    hosts: ['web3'],
  };
  const rollback = { startedAt: at(44), reason: 'asked for by ada', from: 'changed' as const };

  test('tells that the changes are good, and who is missing', () => {
    const input = withStatus(heldWindow(), {
      reopening,
      rollback,
      heldDoors: 'of the web hosts closed: web1, web2; not to be seen: web3 (no route)',
    });
    expect(buildReport(input).outcome.sentence).toMatch(
      /^Held: of the web hosts closed: web1, web2; not to be seen: web3 \(no route\); all changes were made and proved, and web3 could not be opened, because .*; a person has to decide\.$/,
    );
  });

  test('does not say so of changes that were taken back since', () => {
    const input = withStatus(heldWindow(), {
      reopening,
      rollback: { ...rollback, replacementOid: 16_500 },
    });
    expect(buildReport(input).outcome.sentence).not.toContain('all changes were made');
  });

  test('is not said to be closed when it is open', () => {
    const input = withStatus(heldWindow(), { heldDoors: 'the site is open' });
    expect(buildReport(input).outcome.sentence).toMatch(/^Held: the site is open, because/);
  });
});

describe('the outcome', () => {
  test.each([
    [
      'a good window',
      goodWindow,
      'completed',
      /^Completed: 3 of 3 tasks done, 2 smoke tests passed, the public URL answered from the application at 2026-11-22 02:00 CET after 3\.3 s of maintenance\.$/,
    ],
    [
      'a failing migration',
      migrationRolledBack,
      'rolled-back',
      /^Rolled back after run-db-maintenance \(migrate from \/srv\/shop\/migrations\) failed: the database was put back to the restore point of 2026-11-22 02:00 CET, and the public was kept out for 4\.5 s\.$/,
    ],
    [
      'a failing smoke test',
      smokeTestRolledBack,
      'rolled-back',
      /^Rolled back after smoke-test \(run 2 smoke tests\) failed: the database was put back/,
    ],
    [
      'a closing that undid itself',
      closingUndone,
      'rolled-back',
      /neither schema nor data had to be restored, and the public was not proved to be kept out at any time\.$/,
    ],
    [
      'a held window',
      heldWindow,
      'held',
      /^Held: the site is kept closed since 2026-11-22 02:00 CET, because run-db-maintenance \(migrate .*\) failed, and then rollback \(run 2 smoke tests\) failed; a person has to decide\.$/,
    ],
    [
      'a killed window',
      killedWhileClosing,
      'unfinished',
      /^Unfinished: the record ends while the site was being closed; the public may see either answer\.$/,
    ],
    [
      'only a preflight',
      preflightOnly,
      'abandoned',
      /^Not carried out: no check failed, and the window went no further; nothing was touched\.$/,
    ],
    [
      'a refusal',
      refusedByApproval,
      'abandoned',
      /^Not carried out: bo-lind rejected maintenance-approval: “Not during the sale\.”; the site was not closed\.$/,
    ],
  ] as const)('of %s', (_name, make, kind, sentence) => {
    const { outcome } = buildReport(make());
    expect(outcome.kind).toBe(kind);
    expect(outcome.sentence).toMatch(sentence);
  });

  test.each([
    ['closed', /site closed and its schema and data unchanged/],
    ['changing', /how far the change came is not proved/],
    ['changed', /site still closed/],
    ['reopening', /either answer/],
    ['rolling-back', /middle of a rollback/],
  ] as const)('of a record that ends in state %s is unfinished', (state, sentence) => {
    const { outcome, leftToDo, head } = buildReport(withStatus(killedWhileClosing(), { state }));
    expect(outcome).toMatchObject({
      kind: 'unfinished',
      sentence: expect.stringMatching(sentence),
    });
    expect(leftToDo[0]).toMatchObject({
      urgent: true,
      text: expect.stringContaining(`The window is ${state}. Call On call`),
    });
    expect(head.endedAt).toBeNull();
  });

  test('of a reopening that was cut off tells what is owed, and who does it', () => {
    const good = goodWindow();
    const { restoration: _, ...maintenance } = good.record.status.maintenance ?? {
      mode: 'nginx',
      prior: null,
    };
    expect(todo(buildReport(good))).not.toContain('cut off');
    expect(todo(buildReport(withStatus(good, { maintenance })))).toContain(
      'now: The site is open, but its reopening was cut off: what was there before maintenance mode is to be given back. Run `disable-maintenance` again, or `rollback`',
    );
  });

  test('does not claim tasks that have no result', () => {
    const good = goodWindow();
    const { outcome, missingTasks } = buildReport(
      withStatus(good, { tasks: good.record.status.tasks?.slice(0, 2) }),
    );
    expect(missingTasks).toBe(1);
    expect(outcome.kind).toBe('completed-with-issues');
    expect(outcome.sentence).toMatch(/^Ended with the site open, but 1 of 3 tasks was not done\./);
  });

  test('does not claim smoke tests that did not run', () => {
    expect(
      buildReport(withStatus(goodWindow(), { smokeTests: undefined })).outcome.sentence,
    ).not.toMatch(/smoke/);
  });

  test('tells a step that failed after the reopening', () => {
    const good = goodWindow();
    const [line] = good.record.journal;
    const journal = [
      ...good.record.journal,
      {
        ...line!,
        at: at(44),
        phase: 'disable-maintenance',
        step: 'give-back',
        title: 'Give back what was there before',
        event: 'failed' as const,
        detail: 'No space left.',
      },
    ];
    const { outcome } = buildReport({ ...good, record: { ...good.record, journal } });
    expect(outcome.kind).toBe('completed-with-issues');
    expect(outcome.sentence).toContain(
      'disable-maintenance (give back what was there before) failed',
    );
  });

  test('of a failure before closing tells that the public was served', () => {
    const killed = killedWhileClosing();
    const journal = killed.record.journal.slice(0, 2);
    const failed = {
      ...journal[0]!,
      phase: 'backup-db',
      step: 'dump-online',
      title: 'Dump shop',
      event: 'failed' as const,
      detail: 'No space left on device',
    };
    const { outcome, downtime } = buildReport({
      ...killed,
      record: {
        status: { ...killed.record.status, state: 'planned' },
        journal: [...journal, failed],
      },
    });
    expect(outcome).toEqual({
      kind: 'failed',
      sentence:
        'Failed at backup-db (dump shop), before the site was closed: No space left on device.',
    });
    expect(downtime.kind).toBe('never-closed');
  });

  test('of a preflight that refused names the checks', () => {
    const input = preflightOnly();
    const checks = input.record.status.checks?.map((check) =>
      check.id === 'role' ? { ...check, verdict: 'failed' as const } : check,
    );
    const { outcome } = buildReport(withStatus(input, { checks }));
    expect(outcome).toEqual({
      kind: 'failed',
      sentence: 'Refused by preflight, nothing was touched: Database role.',
    });
  });

  test('a rejection that was followed by an approval does not end the window', () => {
    const input = {
      ...preflightOnly(),
      approvals: [...(refusedByApproval().approvals ?? []), ...approvals],
    };
    expect(buildReport(input).outcome.sentence).not.toMatch(/rejected/);
  });
});

describe('what is told of a rollback', () => {
  test('tasks that it undid are not told as done', () => {
    const { tasks } = buildReport(smokeTestRolledBack());
    expect(tasks.map(({ id, undone }) => `${id} ${undone}`)).toEqual([
      'vacuum false',
      'reindex false',
      'migrate true',
    ]);
  });

  test('a restore that was only intended is not told as done', () => {
    const input = migrationRolledBack();
    const cut = input.record.journal.findIndex(({ step }) => step === 'keep-failed');
    const report = buildReport({
      ...input,
      record: {
        status: { ...input.record.status, state: 'rolling-back' },
        journal: input.record.journal.slice(0, cut + 1),
      },
    });
    expect(report.recovery.rollback).toMatchObject({
      restored: false,
      failedDatabase: null,
      basis: 'none',
    });
    expect(report.outcome.kind).toBe('unfinished');
    expect(report.timeline.at(-1)).toMatchObject({ step: 'keep-failed', outcome: 'unfinished' });
  });

  test('a restore from the backup tells the writes between backup and closing as lost', () => {
    const { recovery, leftToDo } = buildReport(
      withStatus(migrationRolledBack(), { restorePoint: undefined }),
    );
    expect(recovery.rollback?.basis).toBe('backup');
    expect(recovery.rollback?.loss).toMatch(
      /^Everything written between the taking of what was restored and the closing/,
    );
    expect(leftToDo[0]).toMatchObject({
      urgent: true,
      text: expect.stringMatching(/^Tell those concerned what was lost/),
    });
  });

  test('after the reopening it tells what the public lost, or that nothing was written', () => {
    const { rollback } = migrationRolledBack().record.status;
    const loss = (acceptedLoss: string): string | undefined =>
      buildReport(
        withStatus(migrationRolledBack(), {
          rollback: { ...rollback!, from: 'reopened', acceptedLoss },
        }),
      ).recovery.rollback?.loss;
    expect(loss('accepted')).toMatch(
      /^Everything written since the restore point was taken is missing, also what the public wrote/,
    );
    expect(loss('nothing was written')).toMatch(/^Nothing, by the counters/);
  });

  test('the restore point has its age at the rollback, the backup its measured restore', () => {
    const { recovery } = buildReport(migrationRolledBack());
    expect(recovery.restorePoint).toMatchObject({
      ageAt: 'rollback',
      ageSeconds: 1.7,
      takenWhileClosed: true,
    });
    expect(recovery.backup).toMatchObject({ restoreSeconds: 6.4, tables: 3 });
  });
});

describe('issues', () => {
  test('are failed steps first, with what was told then and what became of them', () => {
    const { issues } = buildReport(migrationRolledBack());
    expect(issues.map(({ severity, where }) => `${severity}: ${where}`)).toEqual([
      'failed: run-db-maintenance: migrate from /srv/shop/migrations',
      'warning: preflight: Long transactions',
    ]);
    expect(issues[0]).toMatchObject({
      message: '0007_invoices.sql: column "total" of relation "orders" already exists',
      state: 'The site is closed; the migration was rolled back by the database.',
      resolution: 'the window was rolled back',
    });
  });

  test('an attempt that failed before another succeeded is resolved', () => {
    const good = goodWindow();
    const index = good.record.journal.findIndex(({ step }) => step === 'flag');
    const flag = good.record.journal[index]!;
    const journal = good.record.journal.toSpliced(index, 0, flag, {
      ...flag,
      event: 'failed',
      detail: 'no 503',
    });
    const report = buildReport({ ...good, record: { ...good.record, journal } });
    expect(report.outcome.kind).toBe('completed');
    expect(report.issues[0]).toMatchObject({
      severity: 'failed',
      message: 'no 503',
      resolution: 'a later attempt of the step succeeded',
    });
  });

  test('self-approval, a cancelled job, an ignored window and an overrun are told', () => {
    const input: ReportInput = {
      ...withStatus(goodWindow(), { ignoredWindow: 'the sale ends today', deadline: at(40) }),
      approvals: [{ ...approvals[0]!, user: 'Ada' }],
      jobs: [{ name: 'maintain', conclusion: 'cancelled' }],
    };
    const report = buildReport(input);
    const words = report.issues.map(({ message }) => message).join('\n');
    expect(words).toContain('Self-approval: Ada started the run and approved it.');
    expect(words).toContain('The job ended as “cancelled”.');
    expect(words).toContain('Started outside its planned time on purpose: the sale ends today');
    expect(words).toContain('The site reopened 3.4 s after the planned end.');
    expect(report.head.planned.start).toBeNull();
    expect(todo(report)).toContain('somebody other than its starter');
  });

  test('an unfinished step is told with how to find out', () => {
    const [issue] = buildReport(killedWhileClosing()).issues;
    expect(issue).toMatchObject({
      severity: 'unfinished',
      where: 'enable-maintenance: Close the site to the public',
      resolution: null,
    });
  });
});

describe('what is left to do', () => {
  test('after a rollback: the failed database, the cause, the watch', () => {
    const text = todo(buildReport(migrationRolledBack()));
    expect(text).toContain('The failed database is kept as shop_mw_20261122_010000_1a2b_failed');
    expect(text).toContain('plan the tasks for another window');
    expect(text).toContain('15 to 20 minutes');
  });

  test('names a line of the plan that the checklist does not have', () => {
    const plan = planOf();
    const stray = {
      ...plan,
      report: { ...plan.report, notApplicable: [{ line: '4.9', why: 'x' }] },
    };
    expect(todo(buildReport({ ...goodWindow(), plan: stray }))).toContain(
      'The plan speaks of line 4.9',
    );
  });
});

test('a record of broken moments still makes a report', () => {
  const good = goodWindow();
  const journal = good.record.journal.map((line) => ({ ...line, at: 'yesterday' }));
  const report = buildReport({
    ...withStatus(good, { startedAt: 'soon', deadline: 'never', updatedAt: '' }),
    record: { status: { ...good.record.status, startedAt: 'soon', deadline: 'never' }, journal },
  });
  expect(report.head).toMatchObject({
    startedAt: 'soon',
    seconds: null,
    planned: { start: null, end: 'never' },
  });
});
