import { formatBytes } from '../plan/bytes.ts';
import { formatDuration } from '../plan/duration.ts';
import { formWords } from './backup-form.ts';
import { proofWords, restoreBasisWords } from './backup-proof.ts';
import { copyWords, retentionWords } from './backup-places.ts';
import { adviceMarkdown } from './advice.ts';
import { markdown, markdownCode, webAddress } from './escape.ts';
import { checklist, checks, durations, people, smokeTests, timeline } from './markdown-evidence.ts';
import { markdownTable } from './markdown-table.ts';
import { mark, prose } from './markdown-words.ts';
import { codeMarkdown } from './code-versions.ts';
import { servicesMarkdown } from './stopped-services.ts';
import { clockOf, secondOf } from './moment.ts';
import type { Report } from './report-model.ts';
import { serverTasksMarkdown } from './server-tasks.ts';
import {
  actualText,
  downtimeText,
  durationText,
  releasedWord,
  sizeText,
  figureName,
  figureText,
  outcomeMarks,
  plannedText,
  severityMarks,
  taskMark,
} from './wording.ts';

/** The report as Markdown, fit for a job summary once it has gone through `fitSummary`. */
export function renderMarkdown(report: Report): string {
  const sections = [
    head(report),
    leftToDo(report),
    issues(report),
    tasks(report),
    serverTasksMarkdown(report),
    servicesMarkdown(report),
    recovery(report),
    codeMarkdown(report),
    smokeTests(report),
    timeline(report),
    durations(report),
    adviceMarkdown(report),
    checks(report),
    people(report),
    checklist(report),
  ];
  return `${sections.filter((section) => section !== '').join('\n\n')}\n`;
}

function head(report: Report): string {
  const { head: window, outcome } = report;
  const address = webAddress(window.run.url);
  const run =
    address === undefined
      ? markdown(window.run.id)
      : `<a href="${markdown(address, 2000)}">${markdown(window.run.id)}</a>`;
  const rows: [string, string][] = [
    ['Window', markdownCode(window.windowId)],
    [
      'Run',
      `${run}${window.run.attempt > 1 ? `, attempt ${window.run.attempt}` : ''}${window.otherRuns.length > 0 ? `; gone on with by ${markdown(window.otherRuns.join(', '))}` : ''}`,
    ],
    ['Started by', markdown(window.run.actor ?? 'not recorded')],
    ['Reason', markdown(window.reason ?? 'none given', 1000)],
    ['Site', markdown(window.publicUrl ?? 'the plan names none')],
    ['Planned', markdown(plannedText(window))],
    ['Began and ended', markdown(actualText(window))],
    ['Public kept out', `**${markdown(downtimeText(report.downtime))}**`],
    ['Next window', markdown(report.nextWindow ?? 'not planned')],
  ];
  const kind = outcomeMarks[outcome.kind];
  return [
    `# ${kind.sign} Maintenance report: ${markdown(window.name)}`,
    `**${markdown(outcome.sentence, 2000)}**`,
    markdownTable(['', ''], rows),
  ].join('\n\n');
}

function leftToDo({ leftToDo: items, counts }: Report): string {
  const lines = items.map(({ urgent, text }) =>
    urgent ? `- **Now:** ${prose(text)}` : `- ${prose(text)}`,
  );
  if (counts.open > 0) {
    lines.push(
      `- ${counts.open} ${counts.open === 1 ? 'line' : 'lines'} of the checklist below ${counts.open === 1 ? 'is' : 'are'} open.`,
    );
  }
  return `## Left to do\n\n${lines.length === 0 ? 'Nothing.' : lines.join('\n')}`;
}

function issues({ issues: found, head: { timeZone } }: Report): string {
  if (found.length === 0) {
    return '## Issues met\n\nThe record holds no failed, interrupted or skipped step and no warning.';
  }
  const rows = found.map((issue) => [
    mark(severityMarks[issue.severity]),
    issue.at === null ? '' : markdown(clockOf(issue.at, timeZone)),
    markdown(issue.where),
    [
      prose(issue.message),
      issue.state === null ? '' : `State then: ${prose(issue.state)}`,
      issue.next === null ? '' : `Advised: ${prose(issue.next)}`,
    ]
      .filter((part) => part !== '')
      .join('<br>'),
    issue.resolution === null ? '' : markdown(issue.resolution),
  ]);
  return `## Issues met\n\n${markdownTable(['', 'At', 'Where', 'What', 'Resolution'], rows)}`;
}

function tasks({ tasks: done, missingTasks }: Report): string {
  const missing =
    missingTasks === 0
      ? ''
      : `${missingTasks} ${missingTasks === 1 ? 'task' : 'tasks'} of the plan ${missingTasks === 1 ? 'has' : 'have'} no result in the record.`;
  if (done.length === 0)
    return `## What was done\n\n${missing === '' ? 'No database task.' : missing}`;
  const rows = done.map((task) => [
    mark(taskMark(task)),
    `${markdownCode(task.id)}<br>${markdown(task.task)}, ${task.stage === 'online' ? 'while open' : 'while closed'}`,
    formatDuration(task.seconds),
    [prose(task.summary), task.proof === '' ? '' : `Proof: ${prose(task.proof)}`]
      .filter((part) => part !== '')
      .join('<br>'),
    task.figures
      .map(
        ({ name, before, after }) =>
          `${markdown(figureName(name))}: ${figureText(name, before)}${after === null ? '' : ` → ${figureText(name, after)}`}`,
      )
      .join('<br>'),
  ]);
  const table = markdownTable(['', 'Task', 'Took', 'Result', 'Before → after'], rows);
  return ['## What was done', table, missing].filter((part) => part !== '').join('\n\n');
}

function recovery({
  recovery: { backup, restorePoint, rollback },
  head: { timeZone },
}: Report): string {
  const rows: [string, string][] = [];
  if (backup !== null) {
    rows.push(
      ['Backup', markdownCode(backup.directory, 400)],
      [
        'Taken',
        `${markdown(secondOf(backup.takenAt, timeZone))}, in ${formatDuration(backup.dumpSeconds)}; PostgreSQL ${markdown(backup.serverVersion)}, pg_dump ${markdown(backup.dumpVersion)}`,
      ],
      [
        'Holds',
        `${formatBytes(backup.bytes)}; ${backup.totalRows.toLocaleString('en-US')} rows in ${backup.tables} tables; ${backup.tocEntries} entries; sha256 ${markdownCode(backup.sha256)}`,
      ],
      ...[formWords(backup)].flatMap((words): [string, string][] =>
        words === undefined ? [] : [['Form', markdown(words)]],
      ),
      ...(backup.notes ?? []).map((note): [string, string] => ['Mind', markdown(note)]),
      [
        'Proved',
        `${markdown(proofWords(backup))}, at ${markdown(secondOf(backup.verifiedAt, timeZone))}`,
      ],
      ...(backup.verification?.observed ?? []).map((line): [string, string] => [
        'Observed',
        markdown(line),
      ]),
      [
        'Recovery time (RTO basis)',
        `**${formatDuration(backup.restoreSeconds)}**, ${restoreBasisWords(backup.restoreBasis)}`,
      ],
      ...backup.copies.map((copy): [string, string] => [
        `Copy ${markdown(copy.id)}`,
        `${markdownCode(copy.label, 400)}: ${markdown(copyWords(copy))}; read back at ${markdown(secondOf(copy.readBackAt, timeZone))}`,
      ]),
      ...backup.retention.map((place): [string, string] => [
        'Older backups',
        `${markdownCode(place.label, 400)}: ${markdown(retentionWords(place))}`,
      ]),
    );
  } else {
    rows.push(['Backup', 'none in this record']);
  }
  if (restorePoint !== null) {
    rows.push(
      [
        'Restore point',
        `${restorePoint.kind} ${markdownCode(restorePoint.place, 400)}, ${sizeText(restorePoint.bytes)}taken at ${markdown(secondOf(restorePoint.takenAt, timeZone))} in ${formatDuration(restorePoint.seconds)}, ${restorePoint.takenWhileClosed ? 'while the public was kept out' : 'while the public was not proved to be kept out'}${restorePoint.dropped ? `; ${releasedWord(restorePoint.kind)}` : restorePoint.keptUntil === null ? '' : `; kept until ${markdown(secondOf(restorePoint.keptUntil, timeZone))}`}`,
      ],
      [
        'Its age (RPO basis)',
        `${durationText(restorePoint.ageSeconds)} at the ${restorePoint.ageAt}`,
      ],
    );
  }
  if (rollback !== null) {
    rows.push(
      [
        'Rollback',
        `${markdown(secondOf(rollback.startedAt, timeZone))}, ${rollback.finishedAt === null ? '**not finished**' : `finished after ${durationText(rollback.seconds)}`}; the window was ${markdown(rollback.from)}`,
      ],
      ['Because', prose(rollback.reason)],
      ['Data lost', prose(rollback.loss)],
      [
        'Failed database kept as',
        rollback.failedDatabase === null ? 'none kept' : markdownCode(rollback.failedDatabase),
      ],
    );
    if (rollback.acceptedLoss !== null) rows.push(['Loss accepted', prose(rollback.acceptedLoss)]);
  }
  return `## Backup and way back\n\n${markdownTable(['', ''], rows)}`;
}
