import { refused, rollback, type SizeResult } from './comparison.ts';
import { sideNames, type SideName } from './side.ts';
import { sizeName } from './sizes.ts';

const labels: Readonly<Record<SideName, string>> = {
  runbook: 'runbook by hand',
  clone: 'window, clone',
  standby: 'window, standby',
};

const width = 760;
const height = 350;
const panel = { width: 316, top: 84, height: 230, left: [48, 432] } as const;
const barWidth = 28;
const legendAt = [0, 148, 278] as const;

type Panel = {
  readonly title: string;
  readonly value: (result: SizeResult, side: SideName) => number;
  readonly floor: (result: SizeResult) => number;
};

/**
 * The comparison as an SVG picture, for light and dark pages: bars on a scale on which each line is ten times the
 * one below, in seconds; a dashed line over the bar of the clone is its physical floor.
 */
export function renderChart(results: readonly SizeResult[]): string {
  const panels: readonly Panel[] = [
    { title: 'The public is refused', value: refused, floor: ({ floor }) => floor.copy },
    { title: 'Rollback', value: rollback, floor: ({ floor }) => floor.renames },
  ];
  const seconds = panels.flatMap(({ value, floor }) =>
    results.flatMap((result) => [floor(result), ...sideNames.map((side) => value(result, side))]),
  );
  const scale = logarithmic(seconds.map((milliseconds) => milliseconds / 1000));
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-labelledby="title">
<title id="title">Seconds in which the public was refused, and seconds of a rollback: by the runbook and by a window, by size of the database</title>
<style>
  text { font: 13px system-ui, -apple-system, 'Segoe UI', sans-serif; fill: #1f2328; }
  .title { font-weight: 600; font-size: 15px; }
  .value { font-size: 12px; }
  .quiet { fill: #59636e; }
  .line { stroke: #d1d9e0; }
  .runbook { fill: #bc4c00; }
  .clone { fill: #0969da; }
  .standby { fill: #1a7f37; }
  .floor { stroke: #1f2328; stroke-width: 2; stroke-dasharray: 5 3; }
  @media (prefers-color-scheme: dark) {
    text { fill: #f0f6fc; }
    .value { font-size: 12px; }
  .quiet { fill: #9198a1; }
    .line { stroke: #3d444d; }
    .runbook { fill: #f0883e; }
    .clone { fill: #4493f8; }
    .standby { fill: #3fb950; }
    .floor { stroke: #f0f6fc; }
  }
</style>
${[...renderLegend(), ...panels.flatMap((one, index) => renderPanel(one, results, scale, panel.left[index] ?? 0))].join('\n')}
</svg>
`;
}

type Scale = {
  /** Whole powers of ten. */
  readonly lines: readonly number[];
  /** Pixels above the base line. */
  readonly up: (seconds: number) => number;
};

function logarithmic(values: readonly number[]): Scale {
  const low = Math.floor(Math.log10(Math.min(...values)));
  const high = Math.ceil(Math.log10(Math.max(...values)));
  return {
    lines: Array.from({ length: high - low + 1 }, (_, index) => 10 ** (low + index)),
    up: (seconds) => ((Math.log10(seconds) - low) / Math.max(1, high - low)) * panel.height,
  };
}

function renderLegend(): string[] {
  const entries = sideNames.map((side, index) => {
    const x = panel.left[0] + (legendAt[index] ?? 0);
    return `<rect class="${side}" x="${x}" y="14" width="14" height="14" rx="2"/><text x="${x + 22}" y="26">${labels[side]}</text>`;
  });
  const x = panel.left[0] + 424;
  return [
    ...entries,
    `<path class="floor" d="M${x} 21h26"/><text x="${x + 34}" y="26">floor of the clone: cp, two renames</text>`,
  ];
}

function renderPanel(
  { title, value, floor }: Panel,
  results: readonly SizeResult[],
  { lines, up }: Scale,
  left: number,
): string[] {
  const base = panel.top + panel.height;
  const step = panel.width / results.length;
  const at = (number: number) => number.toFixed(1);
  const bars = results.flatMap((result, index) => {
    const middle = left + step * (index + 0.5);
    const drawn = sideNames.map((side, number) => {
      const seconds = value(result, side) / 1000;
      const x = middle + (number - sideNames.length / 2) * (barWidth + 4) + 2;
      const y = base - up(seconds);
      return `<rect class="${side}" x="${at(x)}" y="${at(y)}" width="${barWidth}" height="${at(base - y)}" rx="2"/><text x="${at(x + barWidth / 2)}" y="${at(y - 6)}" text-anchor="middle" class="value">${shortSeconds(seconds)}</text>`;
    });
    const y = base - up(floor(result) / 1000);
    return [
      ...drawn,
      `<path class="floor" d="M${at(middle - barWidth / 2 - 3)} ${at(y)}h${barWidth + 6}"/>`,
      `<text x="${at(middle)}" y="${base + 22}" text-anchor="middle">${sizeName(result.megabytes)}</text>`,
    ];
  });
  return [
    `<text class="title" x="${left}" y="${panel.top - 22}">${title}, seconds</text>`,
    ...lines.map((line) => {
      const y = at(base - up(line));
      return `<path class="line" d="M${left} ${y}h${panel.width}"/><text class="quiet" x="${left - 8}" y="${Number(y) + 4}" text-anchor="end">${line}</text>`;
    }),
    ...bars,
  ];
}

function shortSeconds(seconds: number): string {
  return seconds >= 10
    ? seconds.toFixed(0)
    : seconds >= 1
      ? seconds.toFixed(1)
      : seconds.toFixed(2);
}
