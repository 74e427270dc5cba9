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
  readonly window: WindowResult;
};

type Row = readonly [string, ...string[]];

/** The results as Markdown: tables and what they mean, without headings of the first order. */
export function renderResults({ start, toggle, window, ...machine }: Results): string {
  return [
    `Measured on: ${machine.machine}. Processes that wanted to run, on average over a minute: ${machine.busyBefore.toFixed(1)} before, ${machine.busyAfter.toFixed(1)} at the end.`,
    '',
    ...renderToggle(toggle),
    '',
    ...renderWindow(window),
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
  const share =
    reload.closing.lastOld.median / Math.max(flag.closing.lastOld.median, Number.EPSILON);
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
    `By reload the last visitor is served ${share.toFixed(1)} times as long after closing as by flag.`,
  ];
}

function firstNew({ firstNew: { median, worst } }: DirectionReport): string {
  return `${median.toFixed(1)} / ${worst.toFixed(1)}`;
}

function lastOld({ lastOld: { median, worst } }: DirectionReport): string {
  return `${median.toFixed(1)} / ${worst.toFixed(1)}`;
}

function renderWindow(window: WindowResult): string[] {
  const { downtime, databaseWork, overhead } = window;
  const share = (milliseconds: number): string =>
    `${((milliseconds / downtime) * 100).toFixed(0)} %`;
  return [
    '## A whole window',
    '',
    `The example shop with ${window.megabytes} MB and eight clients, by the command line; median of ${window.windows}. The database's own work is what any tool has to do while the site is closed: copying the database as a restore point, and the migrations.`,
    '',
    ...table(
      ['', 'ms', 'share'],
      [
        ['the public saw 503', downtime.toFixed(0), '100 %'],
        ["the database's own work", databaseWork.toFixed(0), share(databaseWork)],
        ['all the rest', overhead.toFixed(0), share(overhead)],
        ...window.parts.map(({ name, milliseconds }): Row => [
          `of it: ${name}`,
          milliseconds.toFixed(0),
          share(milliseconds),
        ]),
      ],
    ),
    '',
    `Downtime is ${(downtime / databaseWork).toFixed(2)} times the database's own work. The rest hardly grows with the database, so on a larger one the ratio comes near to 1. Requests lost: ${window.lost}; answered by neither the shop nor our 503: ${window.unexpected}.`,
  ];
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
        `${first.toFixed(1)} ×`,
        `${later.toFixed(1)} ×`,
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
