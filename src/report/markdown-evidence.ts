import { formatDuration } from '../plan/duration.ts';
import { markdown, markdownBlock, markdownCode } from './escape.ts';
import { mermaidGantt, windowBars } from './gantt.ts';
import { markdownDetails, markdownTable } from './markdown-table.ts';
import { mark, prose } from './markdown-words.ts';
import { clockOf, secondOf } from './moment.ts';
import type { Report } from './report-model.ts';
import { timelineBegin, timelineEnd } from './summary-limit.ts';
import {
  checkMarks,
  durationText,
  reviewMark,
  rowMarks,
  smokeCounts,
  smokeMark,
  verdictMarks,
  verdictText,
} from './wording.ts';

export function smokeTests({ smokeTests: runs, head: { timeZone } }: Report): string {
  if (runs.length === 0) return '## Smoke tests\n\nNone in this record.';
  const parts = runs.map((run) => {
    const rows = run.results.map((result) => [
      mark(smokeMark(result)),
      `${markdownCode(result.id)} (${markdown(result.kind)})`,
      markdown(result.observed),
      markdown(result.expected),
      formatDuration(result.seconds),
      String(result.attempts),
    ]);
    return `**${markdown(run.phase)}**, ${markdown(secondOf(run.at, timeZone))}: ${smokeCounts(run.results)}\n\n${markdownTable(['', 'Check', 'Observed', 'Expected', 'Took', 'Tries'], rows)}`;
  });
  return `## Smoke tests\n\n${parts.join('\n\n')}`;
}

export function timeline(report: Report): string {
  const { timeline: rows, downtime, head: window } = report;
  const chart = mermaidGantt(windowBars(rows, downtime, report.generatedAt), window.timeZone);
  const table = rows.map((row) => [
    markdown(clockOf(row.at, window.timeZone)),
    markdown(row.phase),
    markdown(row.title),
    mark(rowMarks[row.outcome]),
    durationText(row.seconds),
    prose(row.detail),
  ]);
  return [
    '## Timeline',
    `Times of day in ${markdown(window.timeZone)}.`,
    chart === undefined ? '' : markdownBlock(chart, 'mermaid'),
    `${timelineBegin}\n\n${markdownTable(['At', 'Phase', 'Step', 'Outcome', 'Took', 'What was observed'], table)}\n\n${timelineEnd}`,
  ]
    .filter((part) => part !== '')
    .join('\n\n');
}

export function durations({ phases, prediction }: Report): string {
  const table = markdownTable(
    ['Phase', 'Steps', 'Failed', 'Work'],
    phases.map(({ phase, steps, failed, seconds }) => [
      markdown(phase),
      String(steps),
      String(failed),
      formatDuration(seconds),
    ]),
  );
  const predicted = markdownTable(
    ['Step', 'Public', 'Predicted', 'Took', 'Basis'],
    [
      ...(prediction?.steps ?? []).map(({ step, closed, predicted: seconds, actual, basis }) => [
        markdown(step),
        closed ? 'kept out' : 'served',
        formatDuration(seconds),
        durationText(actual),
        markdown(basis),
      ]),
      ...(prediction === null
        ? []
        : [
            [
              '**Downtime**',
              '',
              `**${formatDuration(prediction.downtime.predicted)}**`,
              `**${durationText(prediction.downtime.actual)}**`,
              'all closed steps; seen from outside',
            ],
          ]),
    ],
  );
  const parts = [
    phases.length > 0 ? table : '',
    prediction === null ? '' : `**Predicted and actual**\n\n${predicted}`,
  ].filter((part) => part !== '');
  return parts.length === 0 ? '' : `## Durations\n\n${parts.join('\n\n')}`;
}

export function checks({ checks: found }: Report): string {
  if (found.length === 0) return '';
  const rows = found.map((check) => [
    mark(checkMarks[check.verdict]),
    markdown(check.title),
    markdown(check.value),
    markdown(check.limit),
    check.next === undefined ? '' : prose(check.next),
  ]);
  return `## Preflight checks\n\n${markdownTable(['', 'Check', 'Observed', 'Accepted', 'Next'], rows)}`;
}

export function people({
  approvals,
  contacts,
  signOffs,
  jobs,
  head: { timeZone },
}: Report): string {
  const reviews = approvals.reviews.map((review) => [
    mark(reviewMark(review.state)),
    markdown(review.environments.join(', ')),
    `${markdown(review.user)}${review.selfApproval ? ' **(self-approval)**' : ''}`,
    markdown(review.comment, 1000),
  ]);
  const note = approvals.note === null ? '' : ` ${markdown(approvals.note)}`;
  const asked =
    reviews.length > 0
      ? markdownTable(['', 'Gate', 'By', 'Comment'], reviews)
      : approvals.known
        ? `No review is known of this run.${note}`
        : `The approvals could not be read.${note}`;
  const names = [...contacts, ...signOffs.map(({ title, value }) => ({ role: title, value }))];
  const parts = [
    '## Approvals and people',
    asked,
    reviews.length > 0 && note !== '' ? note.trim() : '',
    markdownTable(
      ['', ''],
      names.map(({ role, value }) => [role, value === '' ? '–' : markdown(value)]),
    ),
  ];
  if (jobs.length > 0) {
    const rows = jobs.map((job) => [
      markdown(job.name),
      markdown(job.conclusion),
      job.startedAt === undefined ? '' : markdown(clockOf(job.startedAt, timeZone)),
      job.completedAt === undefined ? '' : markdown(clockOf(job.completedAt, timeZone)),
    ]);
    parts.push(`**Jobs**\n\n${markdownTable(['Job', 'Result', 'Began', 'Ended'], rows)}`);
  }
  return parts.filter((part) => part !== '').join('\n\n');
}

export function checklist({ checklist: sections, counts }: Report): string {
  const parts = sections.map((section) => {
    const open = section.lines.filter(({ result }) => result.verdict === 'open').length;
    const rows = section.lines.map(({ id, title, result }) => [
      id,
      markdown(title),
      mark(verdictMarks[result.verdict]),
      prose(verdictText(result)),
    ]);
    const title = `<b>${section.number}. ${markdown(section.title)}</b>: ${section.lines.length - open} of ${section.lines.length} settled${open > 0 ? `, ${open} open` : ''}`;
    return markdownDetails(title, markdownTable(['Line', '', 'Verdict', 'By'], rows));
  });
  const summary = `${counts.proved} proved by this record, ${counts.attested} attested by a person, ${counts.notApplicable} not applicable, **${counts.open} open**.`;
  return `## Checklist\n\n${summary}\n\n${parts.join('\n\n')}`;
}
