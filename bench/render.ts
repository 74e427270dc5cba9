import type { StartResult } from './action-start.ts';
import type { DirectionReport, ToggleReport } from './toggle-analysis.ts';
import type { ToggleResult } from './toggle.ts';
import type { SizeResult } from './comparison/comparison.ts';
import { renderComparison } from './comparison/render.ts';
import { markdownTable, type Row } from './markdown-table.ts';

export type Results = {
  readonly machine: string;
  /** Processes that wanted to run, on average over a minute: before the run, and at its end. */
  readonly busyBefore: number;
  readonly busyAfter: number;
  readonly start: StartResult;
  readonly toggle: ToggleResult;
  /** One for each size of the database. */
  readonly comparison: readonly SizeResult[];
};

/** The results as Markdown: tables and what they mean, without headings of the first order. The chart is benchmarks.svg. */
export function renderResults({ start, toggle, comparison, ...machine }: Results): string {
  return [
    `Measured on: ${machine.machine}. Processes that wanted to run, on average over a minute: ${machine.busyBefore.toFixed(1)} before, ${machine.busyAfter.toFixed(1)} at the end.`,
    '',
    ...renderComparison(comparison, 'benchmarks.svg'),
    '',
    ...renderToggle(toggle),
    '',
    ...renderStart(start),
  ].join('\n');
}

function renderToggle(result: ToggleResult): string[] {
  const { flag, reload } = result;
  const row = (name: string, of: (report: ToggleReport) => number): Row => [
    name,
    String(of(flag)),
    String(of(reload)),
  ];
  const times = (name: string, of: (report: ToggleReport) => DirectionReport): Row[] => [
    [`${name}: first new answer, ms`, firstNew(of(flag)), firstNew(of(reload))],
    [`${name}: last old answer, ms`, lastOld(of(flag)), lastOld(of(reload))],
  ];
  const later = reload.closing.firstNew.median / flag.closing.firstNew.median;
  return [
    '## Closing and opening',
    '',
    `${result.clients} clients with connections that stay open, ${Math.round(result.requestsPerSecond)} requests a second; ${result.toggles} closings and ${result.toggles} openings by each means, in turns. Milliseconds count from the system call that creates or removes the flag, or from \`nginx -s reload\`, to the end of an answer: median and worst.`,
    '',
    ...markdownTable(
      ['', 'flag', 'reload'],
      [
        row('requests', ({ requests }) => requests),
        row('lost (no complete answer)', ({ lost }) => lost),
        row('neither 200 nor our 503', ({ others }) => others),
        row('sent after it, answered as before it', ({ stale }) => stale),
        ...times('closing', ({ closing }) => closing),
        ...times('opening', ({ opening }) => opening),
      ],
    ),
    '',
    ...(reload.details.length === 0 ? [] : [`By reload: ${reload.details.join('; ')}.`, '']),
    `By reload the first 503 comes ${later.toFixed(0)} times as late after closing as by flag.`,
  ];
}

function firstNew({ firstNew: { median, worst } }: DirectionReport): string {
  return `${median.toFixed(1)} / ${worst.toFixed(1)}`;
}

function lastOld({ lastOld: { median, worst } }: DirectionReport): string {
  return `${median.toFixed(1)} / ${worst.toFixed(1)}`;
}

function multiple(ratio: number): string {
  return `${ratio.toFixed(1)} ×`;
}

function renderStart(start: StartResult): string[] {
  return [
    '## Start of each action',
    '',
    `As the runner calls it, without inputs, so that it refuses as soon as it has checked them; against \`node -e 0\` (${start.bareMilliseconds.toFixed(0)} ms) in the same round; median of ${start.rounds}. A later step of a job finds the bundle compiled by the first.`,
    '',
    ...markdownTable(
      ['action', 'first step of a job', 'later step'],
      start.actions.map(({ name, first, later }): Row => [
        `\`${name}\``,
        multiple(first),
        multiple(later),
      ]),
    ),
  ];
}
