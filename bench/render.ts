import type { StartResult } from './action-start.ts';
import type { DirectionReport, ToggleReport } from './toggle-analysis.ts';
import type { ToggleResult } from './toggle.ts';
import type { WindowResult } from './window.ts';

export type Results = {
  readonly machine: string;
  /** Processes that wanted to run, on average over a minute: before the run, and at its end. */
  readonly busyBefore: number;
  readonly busyAfter: number;
  readonly start: StartResult;
  readonly toggle: ToggleResult;
  /** One for each size of the database. */
  readonly windows: readonly WindowResult[];
};

type Row = readonly [string, ...string[]];

/** The results as Markdown: tables and what they mean, without headings of the first order. */
export function renderResults({ start, toggle, windows, ...machine }: Results): string {
  return [
    `Measured on: ${machine.machine}. Processes that wanted to run, on average over a minute: ${machine.busyBefore.toFixed(1)} before, ${machine.busyAfter.toFixed(1)} at the end.`,
    '',
    ...renderToggle(toggle),
    '',
    ...renderWindows(windows),
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
    ...table(
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

function renderWindows(windows: readonly WindowResult[]): string[] {
  const times = (name: string, of: (window: WindowResult) => number): Row => [
    name,
    ...windows.map((window) => `${of(window).toFixed(0)} ms`),
  ];
  const parts = [...new Set(windows.flatMap(({ parts: some }) => some.map(({ name }) => name)))];
  const total = (of: (window: WindowResult) => number) =>
    windows.reduce((sum, window) => sum + of(window), 0);
  return [
    '## A whole window',
    '',
    "The example shop with eight clients, by the command line. The database's own work is what any tool has to do while the site is closed: copying the database as a restore point, and the migrations.",
    '',
    ...table(
      [
        '',
        ...windows.map(({ megabytes, windows: count }) => `${megabytes} MB (median of ${count})`),
      ],
      [
        times('the public saw 503', ({ downtime }) => downtime),
        times("the database's own work", ({ databaseWork }) => databaseWork),
        times('all the rest', ({ overhead }) => overhead),
        ...parts.map((part) =>
          times(
            `of it: ${part}`,
            (window) => window.parts.find(({ name }) => name === part)?.milliseconds ?? 0,
          ),
        ),
        [
          "downtime as a multiple of the database's own work",
          ...windows.map(({ downtime, databaseWork }) => multiple(downtime / databaseWork)),
        ],
      ],
    ),
    '',
    `Requests lost from closing to opening: ${total((window) => window.lostWhileToggling)}; by the two reloads that put the hook in and take it out again: ${total((window) => window.lostByReloads)} (clients on a connection that an old worker closed; browsers send a GET again then). Answered by neither the shop nor our 503: ${total((window) => window.unexpected)}.`,
  ];
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
    ...table(
      ['action', 'first step of a job', 'later step'],
      start.actions.map(({ name, first, later }): Row => [
        `\`${name}\``,
        multiple(first),
        multiple(later),
      ]),
    ),
  ];
}

function table(head: Row, rows: readonly Row[]): string[] {
  const line = (cells: Row) => `| ${cells.join(' | ')} |`;
  return [
    line(head),
    `|${head.map((_, index) => (index === 0 ? ' --- ' : ' ---: ')).join('|')}|`,
    ...rows.map(line),
  ];
}
