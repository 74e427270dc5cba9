import { formatDuration } from '../plan/duration.ts';
import { markdown, markdownCode } from './escape.ts';
import { badge, code, prose as htmlProse, table, text } from './html-parts.ts';
import { h, joined, nothing, type Markup } from './html-template.ts';
import { markdownDetails, markdownTable } from './markdown-table.ts';
import { mark, prose } from './markdown-words.ts';
import type { Report, ServerTaskFact } from './report-model.ts';
import { figureName, figureText, rowMarks } from './wording.ts';

/** What was done to the machines; empty when nothing was. */
export function serverTasksMarkdown({ serverTasks }: Report): string {
  if (serverTasks.length === 0) return '';
  const rows = serverTasks.map((task) => [
    mark(rowMarks[task.outcome]),
    `${markdownCode(task.id)}<br>${markdown(task.task)}, ${stageText(task)}`,
    markdown(task.host),
    formatDuration(task.seconds),
    [prose(task.summary), task.proof === '' ? '' : `Proof: ${prose(task.proof)}`]
      .filter((part) => part !== '')
      .join('<br>'),
    task.figures
      .map(({ name, before }) => `${markdown(figureName(name))}: ${figureText(name, before)}`)
      .join('<br>'),
  ]);
  const lists = serverTasks
    .filter(({ items }) => items.length > 0)
    .map((task) =>
      markdownDetails(
        markdown(listTitle(task)),
        markdownTable(
          ['', 'Before', 'After'],
          task.items.map(({ name, before, after }) => [
            markdown(name),
            markdown(before ?? '–'),
            markdown(after ?? '–'),
          ]),
        ),
      ),
    );
  return [
    '## Servers',
    markdownTable(['', 'Task', 'Host', 'Took', 'Result', 'Figures'], rows),
    ...lists,
  ].join('\n\n');
}

/** The same as HTML. */
export function serverTasksHtml({ serverTasks }: Report): Markup {
  if (serverTasks.length === 0) return nothing;
  const overview = table(
    'What was done to the machines',
    [
      { title: 'Task' },
      { title: 'Outcome', kind: 'short' },
      { title: 'Host', kind: 'short' },
      { title: 'Took', kind: 'number' },
      { title: 'Result' },
      { title: 'Figures', kind: 'short' },
    ],
    serverTasks.map((task) => [
      joined(
        [code(task.id), h`<span class="soft">${task.task}, ${stageText(task)}</span>`],
        h`<br>`,
      ),
      badge(rowMarks[task.outcome]),
      text(task.host),
      text(formatDuration(task.seconds)),
      joined(
        [
          htmlProse(task.summary),
          task.proof === ''
            ? nothing
            : h`<span class="soft">Proof:</span> ${htmlProse(task.proof)}`,
        ],
        h`<br>`,
      ),
      joined(
        task.figures.map(({ name, before }) => h`${figureName(name)}: ${figureText(name, before)}`),
        h`<br>`,
      ),
    ]),
  );
  const lists = serverTasks
    .filter(({ items }) => items.length > 0)
    .map((task) =>
      table(
        listTitle(task),
        [{ title: 'What' }, { title: 'Before' }, { title: 'After' }],
        task.items.map(({ name, before, after }) => [
          text(name),
          text(before ?? '–'),
          text(after ?? '–'),
        ]),
      ),
    );
  return joined([overview, ...lists], h`<br>`);
}

function stageText({ stage }: ServerTaskFact): string {
  return stage === 'online' ? 'while open' : 'while closed';
}

function listTitle({ id, host, items }: ServerTaskFact): string {
  return `${id} on ${host}: ${items.length} ${items.length === 1 ? 'entry' : 'entries'}`;
}
