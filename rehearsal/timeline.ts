import type { Closure, TrafficReport } from './traffic-report.ts';

/** A step of a window, as far as the timeline shows it. */
export type TimelineStep = {
  /** When it ended, milliseconds since the epoch. */
  readonly at: number;
  readonly phase: string;
  readonly step: string;
  readonly outcome: 'done' | 'skipped' | 'failed';
  /** What was observed, in one line. */
  readonly detail: string;
};

type Row = { readonly at: number; readonly cells: readonly [string, string, string, string] };

const heading = ['time', 'phase', 'step', 'outcome', 'what it proved'] as const;
const longestCell = 34;
const longestDetail = 120;

/**
 * A window as text: a line for each step and for each moment at which the public's view changed,
 * in order of time, with columns; below it, what the traffic amounts to.
 * @param timeZone of the times shown; default UTC
 */
export function renderTimeline(
  traffic: TrafficReport,
  steps: readonly TimelineStep[],
  timeZone = 'UTC',
): string {
  const rows: Row[] = steps.map(({ at, phase, step, outcome, detail }) => ({
    at,
    cells: [phase, step, outcome, oneLine(detail)],
  }));
  for (const closure of traffic.closures) {
    rows.push({ at: closure.from, cells: ['public', 'sees 503', '', seenWith(closure)] });
    rows.push({ at: closure.to, cells: ['public', lastView(closure), '', closedFor(closure)] });
  }
  for (const { method, path, endedAt, outcome } of traffic.lost) {
    const why = outcome.kind === 'lost' ? outcome.error : '';
    rows.push({
      at: endedAt,
      cells: ['public', 'loses a request', '', oneLine(`${method} ${path}: ${why}`)],
    });
  }
  rows.sort((a, b) => a.at - b.at);

  const clock = new Intl.DateTimeFormat('en-GB', {
    timeZone,
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
    fractionalSecondDigits: 1,
    hourCycle: 'h23',
  });
  const lines = rows.map(({ at, cells }) => [clock.format(at), ...cells]);
  const widths = heading.map((title, column) =>
    Math.max(title.length, ...lines.map((line) => shortened(line[column] ?? '', column).length)),
  );
  const table = [[...heading], ...lines].map((line) =>
    line
      .map((cell, column) => shortened(cell, column).padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
  return [...table, '', ...renderTraffic(traffic)].join('\n');
}

/** What the public got: one line a fact. */
export function renderTraffic(traffic: TrafficReport): string[] {
  const { requests, byStatus, lost, closures, orders } = traffic;
  const statuses = Object.entries(byStatus).map(([status, count]) => `${count} × ${status}`);
  const closed =
    closures.length === 0
      ? 'never'
      : seconds(traffic.closedMilliseconds) +
        (closures.length === 1 ? '' : ` in ${closures.length} parts`);
  return [
    `public saw 503:  ${closed}`,
    `requests:        ${requests.length} (${statuses.join(', ') || 'none answered'})`,
    `lost requests:   ${lost.length}${onKeptConnections(traffic)}`,
    `other answers:   ${traffic.unexpected.length} (neither a success nor our 503)`,
    `orders placed:   ${orders.length}`,
  ];
}

/** A reload of nginx, before closing or after reopening, closes the connections that clients keep open. */
function onKeptConnections({ lostOnReusedConnections: count }: TrafficReport): string {
  return count === 0
    ? ''
    : ` (${count} on a connection kept open, which nginx closes as it reloads; browsers ask again)`;
}

function seenWith({ windows, lastSuccessBefore, from }: Closure): string {
  const before =
    lastSuccessBefore === undefined
      ? 'no answer before it'
      : `last answer of the shop ${Math.round(from - lastSuccessBefore)} ms before`;
  return `X-Maintenance: ${windows.join(', ')}; ${before}`;
}

function lastView({ firstSuccessAfter }: Closure): string {
  return firstSuccessAfter === undefined ? 'still sees 503' : 'sees the shop again';
}

function closedFor({ from, to, firstSuccessAfter }: Closure): string {
  const after =
    firstSuccessAfter === undefined
      ? ''
      : `, first answer of the shop ${Math.round(firstSuccessAfter - to)} ms after the last 503`;
  return `503 for ${seconds(to - from)}${after}`;
}

function seconds(milliseconds: number): string {
  return `${(milliseconds / 1000).toFixed(milliseconds < 10_000 ? 2 : 1)} s`;
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ').trim();
}

/** The last column may be long, the others keep the table readable. */
function shortened(cell: string, column: number): string {
  const longest = column === heading.length - 1 ? longestDetail : longestCell;
  return cell.length <= longest ? cell : `${cell.slice(0, longest - 1)}…`;
}
