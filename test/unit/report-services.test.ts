import { describe, expect, test } from '@jest/globals';
import type { CodeRecord } from '../../src/record/code.ts';
import type { ServiceRecord } from '../../src/record/services.ts';
import { renderHtml } from '../../src/report/html.ts';
import { renderMarkdown } from '../../src/report/markdown.ts';
import { buildReport, type Report, type ReportInput } from '../../src/report/report-model.ts';
import { verdictText } from '../../src/report/wording.ts';
import {
  at,
  goodWindow,
  heldWindow,
  migrationRolledBack,
  planOf,
} from '../fixtures/record-factory.ts';

const web: ServiceRecord = {
  id: 'web',
  host: 'web1',
  kind: 'unit',
  title: 'unit <web>.service',
  resume: 'before-tests',
  prior: 'running',
  priorDetail: 'active (running)',
  stopBegunAt: at(40),
  stoppedAt: at(42),
  stopSeconds: 2,
  startedAt: at(60),
};
const timer: ServiceRecord = {
  ...web,
  id: 'reports',
  title: 'unit reports.timer',
  resume: 'when-open',
};
const left: ServiceRecord = {
  id: 'old',
  host: 'web1',
  kind: 'unit',
  title: 'unit old.service',
  resume: 'before-tests',
  prior: 'stopped',
  priorDetail: 'inactive (dead)',
};
const code: CodeRecord = {
  host: 'web1',
  directory: '/srv/shop',
  commit: 'c0ffee'.padEnd(40, '0'),
  branch: 'main|<b>',
  tag: 'maintenance-20261122-010000',
  taggedAt: at(5),
  modified: 0,
  untracked: 0,
};

function reportOf(
  input: ReportInput,
  status: { services?: ServiceRecord[]; code?: CodeRecord[] },
  plan: Record<string, unknown> = {},
): Report {
  const { record } = input;
  return buildReport({
    ...input,
    plan: planOf(plan),
    record: { ...record, status: { ...record.status, ...status } },
  });
}

function line(report: Report, id: string): string {
  const found = report.checklist.flatMap(({ lines }) => lines).find((each) => each.id === id);
  return found === undefined ? 'none' : `${found.result.verdict}: ${verdictText(found.result)}`;
}

describe('services', () => {
  test('are told with what became of them, and settle their lines', () => {
    const report = reportOf(goodWindow(), { services: [timer, web, left] });
    expect(report.services.map(({ id, now, downSeconds }) => [id, now, downSeconds])).toEqual([
      ['reports', 'running-again', 18],
      ['web', 'running-again', 18],
      ['old', 'left-alone', null],
    ]);
    expect(line(report, '4.2')).toMatch(/^proved: .*web on web1 after 2 s: ended by themselves/);
    expect(line(report, '7.1')).toMatch(
      /^proved: .*Started again and seen to stay up: reports on web1, web on web1/,
    );
    expect(line(report, '7.6')).toMatch(/^proved: .*reports on web1\.$/);
    expect(report.leftToDo.filter(({ text }) => text.includes('service'))).toEqual([]);
    for (const text of [renderMarkdown(report), renderHtml(report)]) {
      expect(text).toContain('Services');
      expect(text).toContain('It was stopped and was left so.');
      expect(text).not.toContain('<web>');
    }
  });

  test('that still stand when the window is over are urgent', () => {
    const { startedAt: _, ...owed } = timer;
    const report = reportOf(goodWindow(), { services: [owed, web] });
    expect(line(report, '7.1')).toMatch(/^open: .*not proved to run again: reports on web1/);
    expect(line(report, '7.6')).toMatch(/^open: /);
    expect(report.leftToDo).toContainEqual({
      urgent: true,
      text: 'The service reports (unit reports.timer) on web1 was running before this window and is not proved to run again: start it.',
    });
  });

  test('that a held window keeps stopped are told', () => {
    const { startedAt: _, ...owed } = web;
    const report = reportOf(heldWindow(), { services: [owed, left] });
    expect(report.leftToDo.map(({ text }) => text)).toContain(
      'Services that this window stopped and that are not proved to run again: web on web1. `disable-maintenance` (reopen-held) and `rollback` start them.',
    );
  });

  test('that were ended by force do not count as stopped gracefully', () => {
    const report = reportOf(goodWindow(), { services: [{ ...web, killed: true }] });
    expect(line(report, '4.2')).toBe('open: Ended by force: web on web1.');
  });

  test('of nobody leave the lines to the other evidence', () => {
    const report = reportOf(goodWindow(), {});
    expect(line(report, '4.2')).toMatch(/^not-applicable: /);
    expect(renderMarkdown(report)).not.toContain('## Services');
  });
});

describe('code', () => {
  const plan = { code: { directory: '/srv/shop' } };

  test('is told with its tag, which belongs to the backups', () => {
    const report = reportOf(goodWindow(), { code: [code] }, plan);
    expect(line(report, '4.3')).toContain(
      'Code tagged maintenance-20261122-010000 at c0ffee000000 on web1.',
    );
    for (const text of [renderMarkdown(report), renderHtml(report)]) {
      expect(text).toContain('maintenance-20261122-010000');
      expect(text).not.toContain('main|<b>');
    }
  });

  test('that was not tagged is missing among the backups', () => {
    expect(line(reportOf(goodWindow(), {}, plan), '4.3')).toBe('open: The code was not tagged.');
  });

  test('that a rollback detached is left to do', () => {
    const putBack = {
      begunAt: at(90),
      from: 'bad'.padEnd(40, '0'),
      finishedAt: at(91),
      place: `detached at ${code.tag}`,
    };
    const report = reportOf(migrationRolledBack(), { code: [{ ...code, putBack }] }, plan);
    expect(report.leftToDo.map(({ text }) => text)).toContain(
      'The code in /srv/shop on web1 is detached at maintenance-20261122-010000; it was on main|<b>, which was not moved: check out what shall be deployed next.',
    );
  });
});

describe('the order of a rollback', () => {
  const lineOf = (plan: Record<string, unknown>) =>
    reportOf(goodWindow(), {}, plan)
      .checklist.flatMap(({ lines }) => lines)
      .find(({ id }) => id === '10.4')?.result;

  test('is that of the plan, the other way round', () => {
    const services = ['web', 'queue'].map((id) => ({ id, kind: 'unit', unit: `${id}.service` }));
    const plan = { 'enable-maintenance': { 'site-files': ['/etc/nginx/shop'], services } };
    expect(lineOf(plan)).toMatchObject({
      verdict: 'proved',
      by: expect.stringMatching(/order web, queue; .* starts queue, web again/),
    });
  });

  test('is nothing where the plan stops no service', () => {
    expect(lineOf({})).toMatchObject({ verdict: 'not-applicable' });
  });
});
