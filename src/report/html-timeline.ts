import { windowBars, type GanttBar } from './gantt.ts';
import { h, joined, nothing, type Markup } from './html-template.ts';
import { badge, prose, table, text } from './html-parts.ts';
import { clockOf, dayOf } from './moment.ts';
import type { Report } from './report-model.ts';
import { durationText, rowMarks } from './wording.ts';

/** The window as bars (a picture of the table below it), then every step. */
export function timeline(report: Report): Markup {
  const { timeline: rows, head } = report;
  if (rows.length === 0) return h`<p>The journal is empty.</p>`;
  const days = new Set(rows.map(({ at }) => dayOf(at, head.timeZone)));
  const when = (at: string): string =>
    days.size > 1
      ? `${dayOf(at, head.timeZone)} ${clockOf(at, head.timeZone)}`
      : clockOf(at, head.timeZone);
  const steps = table(
    `Every step of the window; times in ${head.timeZone}`,
    [
      { title: 'At', kind: 'short' },
      { title: 'Phase', kind: 'short' },
      { title: 'Step', kind: 'sentence' },
      { title: 'Outcome', kind: 'short' },
      { title: 'Took', kind: 'number' },
      { title: 'What was observed' },
    ],
    rows.map((row) => [
      h`<time datetime="${row.at}">${when(row.at)}</time>`,
      text(row.phase),
      text(row.title),
      badge(rowMarks[row.outcome]),
      text(durationText(row.seconds)),
      prose(row.detail),
    ]),
  );
  return joined([lanes(report), steps]);
}

function lanes(report: Report): Markup {
  const bars = windowBars(report.timeline, report.downtime, report.generatedAt);
  const steps = bars.filter(({ section }) => section !== 'Public');
  if (bars.length === 0) return nothing;
  const begin = Math.min(...bars.map(({ start }) => start));
  const end = Math.max(begin + 1, ...bars.map((bar) => bar.end));
  const place = ({ start, end: stop }: GanttBar, look: string): Markup =>
    h`<i class="${look}" style="left:${percent(start - begin, end - begin)}%;width:${percent(stop - start, end - begin)}%"></i>`;
  const open = bars.filter(({ section }) => section === 'Public');
  const phases = [...new Set(steps.map(({ section }) => section))];
  const middle = begin + (end - begin) / 2;
  const { timeZone } = report.head;
  return h`<div class="lanes" aria-hidden="true">
<div class="lane"><span>Public</span><div class="track">${open.map((bar) => place(bar, 'closed'))}</div></div>
${phases.map(
  (phase) =>
    h`<div class="lane"><span>${phase}</span><div class="track">${steps
      .filter(({ section }) => section === phase)
      .map((bar) => place(bar, bar.look))}</div></div>
`,
)}<div class="axis"><span>${clock(begin, timeZone)}</span><span>${clock(middle, timeZone)}</span><span>${clock(end, timeZone)}</span></div>
<p class="key">Hatched: the public, proved to be kept out; a step that failed or has no outcome.</p>
</div>
`;
}

/** A share as a percentage with two digits; numbers only, so it is safe in a style. */
function percent(part: number, whole: number): string {
  return (Math.min(1, Math.max(0, part / whole)) * 100).toFixed(2);
}

function clock(epoch: number, timeZone: string): string {
  return clockOf(new Date(epoch).toISOString(), timeZone);
}
