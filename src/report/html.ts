import { formatDuration } from '../plan/duration.ts';
import { adviceHtml } from './advice.ts';
import { webAddress } from './escape.ts';
import { badge, code, facts, prose, section, table, text } from './html-parts.ts';
import { style } from './html-style.ts';
import { checklist, checks, durations, people, recovery } from './html-sections.ts';
import { smokeTests, type Pictures } from './html-smoke-tests.ts';
import { codeHtml } from './code-versions.ts';
import { h, joined, nothing, type Markup } from './html-template.ts';
import { servicesHtml } from './stopped-services.ts';
import { timeline } from './html-timeline.ts';
import { clockOf, secondOf } from './moment.ts';
import type { Report } from './report-model.ts';
import { serverTasksHtml } from './server-tasks.ts';
import {
  actualText,
  downtimeText,
  figureName,
  figureText,
  outcomeMarks,
  plannedText,
  severityMarks,
  smokeCounts,
  taskMark,
} from './wording.ts';

/**
 * The report as one self-contained page: no script, no external resource, light and dark, fit for paper. What
 * may be loaded is forbidden by the page's own policy, too.
 */
export function renderHtml(report: Report, pictures: Pictures = new Map()): string {
  const { head } = report;
  const sections: readonly [id: string, title: string, content: Markup][] = [
    ['left-to-do', 'Left to do', leftToDo(report)],
    ['issues', 'Issues met', issues(report)],
    ['done', 'What was done', tasks(report)],
    ['servers', 'Servers', serverTasksHtml(report)],
    ['services', 'Services', servicesHtml(report)],
    ['recovery', 'Backup and way back', recovery(report)],
    ['code', 'Code', codeHtml(report)],
    ['smoke-tests', 'Smoke tests', smokeTests(report, pictures)],
    ['timeline', 'Timeline', timeline(report)],
    ['durations', 'Durations', durations(report)],
    ['advice', 'Advice', adviceHtml(report)],
    ['checks', 'Preflight checks', checks(report)],
    ['people', 'Approvals and people', people(report)],
    ['checklist', 'Checklist', checklist(report)],
  ];
  const shown = sections.filter(([, , content]) => content.markup !== '');
  const page = h`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'${pictures.size > 0 ? '; img-src data:' : ''}">
<meta name="referrer" content="no-referrer">
<title>Maintenance report: ${head.name}, ${head.windowId}</title>
<style>${{ markup: style }}</style>
</head>
<body>
<div class="page">
${banner(report)}
<nav aria-label="Sections"><ul>${shown.map(([id, title]) => h`<li><a href="#${id}">${title}</a></li>`)}</ul></nav>
<main>
${shown.map(([id, title, content]) => section(id, title, content))}</main>
<footer><p>Written at ${secondOf(report.generatedAt, head.timeZone)} from the record of window ${head.windowId}. A line counts as proved only by evidence in that record.</p></footer>
</div>
</body>
</html>
`;
  return page.markup;
}

function banner(report: Report): Markup {
  const { head, outcome, downtime, smokeTests: runs, counts } = report;
  const all = [...report.tasks, ...report.serverTasks];
  const done = all.filter((task) => task.outcome === 'done' && !('undone' in task && task.undone));
  const kind = outcomeMarks[outcome.kind];
  const lastRun = runs.at(-1);
  const figures: [string, string][] = [
    [
      'Public kept out',
      downtime.seconds === null ? 'not closed' : formatDuration(downtime.seconds),
    ],
    ['Whole window', head.seconds === null ? 'not ended' : formatDuration(head.seconds)],
    ['Tasks done', `${done.length} of ${all.length + report.missingTasks}`],
    ['Last smoke test', lastRun === undefined ? 'none' : smokeCounts(lastRun.results)],
    [
      'Checklist lines open',
      `${counts.open} of ${counts.open + counts.proved + counts.attested + counts.notApplicable}`,
    ],
  ];
  return h`<header>
<p class="eyebrow">Maintenance report · ${head.windowId}</p>
<h1>${head.name}</h1>
<p><span class="badge large ${kind.tone}"><span aria-hidden="true">${kind.sign}</span> ${kind.word}</span></p>
<p class="outcome">${outcome.sentence}</p>
<dl class="figures">${figures.map(([name, value]) => h`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>
${window(report)}</header>`;
}

function window({ head, downtime, nextWindow }: Report): Markup {
  const address = webAddress(head.run.url);
  const run =
    address === undefined
      ? text(head.run.id)
      : h`<a href="${address}" rel="noreferrer noopener">${head.run.id}</a>`;
  const more = [
    head.run.attempt > 1 ? `, attempt ${head.run.attempt}` : '',
    head.otherRuns.length > 0 ? `; gone on with by ${head.otherRuns.join(', ')}` : '',
  ].join('');
  return h`<h2 class="soft" style="margin-top:1.3rem">The window</h2>
${facts('When, why and by whom', [
  ['Run', h`${run}${more}`],
  ['Started by', text(head.run.actor ?? 'not recorded')],
  ['Reason', text(head.reason ?? 'none given')],
  ['Site', text(head.publicUrl ?? 'the plan names none')],
  ['Planned', text(plannedText(head))],
  ['Began and ended', text(actualText(head))],
  ['Public kept out', text(downtimeText(downtime))],
  ['Next window', text(nextWindow ?? 'not planned')],
])}`;
}

function leftToDo({ leftToDo: items, counts }: Report): Markup {
  const lines = items.map(
    (item) =>
      h`<li>${item.urgent ? h`${badge({ tone: 'bad', sign: '!', word: 'now' })} ` : nothing}${prose(item.text)}</li>`,
  );
  if (counts.open > 0) {
    lines.push(
      h`<li><a href="#checklist">${counts.open} ${counts.open === 1 ? 'line' : 'lines'} of the checklist</a> ${counts.open === 1 ? 'is' : 'are'} open.</li>`,
    );
  }
  return lines.length === 0 ? h`<p>Nothing.</p>` : h`<ul class="todo">${lines}</ul>`;
}

function issues({ issues: found, head: { timeZone } }: Report): Markup {
  if (found.length === 0) {
    return h`<p>The record holds no failed, interrupted or skipped step and no warning.</p>`;
  }
  return table(
    'What did not go as planned, the gravest first',
    [
      { title: 'Kind', kind: 'short' },
      { title: 'At', kind: 'short' },
      { title: 'Where' },
      { title: 'What' },
      { title: 'Resolution' },
    ],
    found.map((issue) => [
      badge(severityMarks[issue.severity]),
      issue.at === null
        ? nothing
        : h`<time datetime="${issue.at}">${clockOf(issue.at, timeZone)}</time>`,
      text(issue.where),
      joined(
        [
          prose(issue.message),
          issue.state === null
            ? nothing
            : h`<span class="soft">State then:</span> ${prose(issue.state)}`,
          issue.next === null
            ? nothing
            : h`<span class="soft">Advised:</span> ${prose(issue.next)}`,
        ],
        h`<br>`,
      ),
      text(issue.resolution ?? ''),
    ]),
  );
}

function tasks({ tasks: done, missingTasks }: Report): Markup {
  const missing =
    missingTasks === 0
      ? nothing
      : h`<p>${missingTasks} ${missingTasks === 1 ? 'task' : 'tasks'} of the plan ${missingTasks === 1 ? 'has' : 'have'} no result in the record.</p>`;
  if (done.length === 0) return missingTasks === 0 ? h`<p>No database task.</p>` : missing;
  const rows = done.map((task) => [
    joined(
      [
        code(task.id),
        h`<span class="soft">${task.task}, ${task.stage === 'online' ? 'while open' : 'while closed'}</span>`,
      ],
      h`<br>`,
    ),
    badge(taskMark(task)),
    text(formatDuration(task.seconds)),
    joined(
      [
        prose(task.summary),
        task.proof === '' ? nothing : h`<span class="soft">Proof:</span> ${prose(task.proof)}`,
      ],
      h`<br>`,
    ),
    joined(
      task.figures.map(
        ({ name, before, after }) =>
          h`${figureName(name)}: ${figureText(name, before)}${after === null ? '' : ` → ${figureText(name, after)}`}`,
      ),
      h`<br>`,
    ),
  ]);
  return h`${table(
    'Tasks, with figures before and after',
    [
      { title: 'Task' },
      { title: 'Outcome', kind: 'short' },
      { title: 'Took', kind: 'number' },
      { title: 'Result' },
      { title: 'Before → after', kind: 'short' },
    ],
    rows,
  )}${missing}`;
}
