import { mermaidLabel } from './escape.ts';
import { epochOf, wallOf } from './moment.ts';
import type { Downtime } from './downtime.ts';
import type { TimelineRow } from './timeline.ts';

/** A bar of a chart; moments in milliseconds since the epoch. */
export interface GanttBar {
  readonly section: string;
  readonly label: string;
  readonly start: number;
  readonly end: number;
  readonly look: 'done' | 'active' | 'crit';
}

/** Bars above which a chart is no longer read; then one bar a phase is drawn. */
const barLimit = 60;

/** A Mermaid gantt chart in the window's own wall-clock time; `undefined` when there is nothing to draw. */
export function mermaidGantt(bars: readonly GanttBar[], timeZone: string): string | undefined {
  if (bars.length === 0) return undefined;
  const begin = Math.min(...bars.map(({ start }) => start));
  const end = Math.max(...bars.map((bar) => bar.end));
  const lines = [
    'gantt',
    '  dateFormat YYYY-MM-DDTHH:mm:ss.SSS',
    `  axisFormat ${end - begin > 6 * 3_600_000 ? '%H:%M' : '%H:%M:%S'}`,
    '  todayMarker off',
  ];
  let section: string | undefined;
  bars.forEach((bar, index) => {
    if (bar.section !== section) {
      section = bar.section;
      lines.push(`  section ${mermaidLabel(section) || 'steps'}`);
    }
    // A number in front, so that no label begins with a word of Mermaid's own.
    const label = `${index + 1} ${mermaidLabel(bar.label)}`.trim();
    lines.push(
      `  ${label} :${bar.look}, ${wallOf(bar.start, timeZone)}, ${wallOf(Math.max(bar.end, bar.start + 1), timeZone)}`,
    );
  });
  return lines.join('\n');
}

/** The window as bars: what the public saw, then the steps by phase. */
export function windowBars(
  rows: readonly TimelineRow[],
  downtime: Downtime,
  generatedAt: string,
): readonly GanttBar[] {
  const now = epochOf(generatedAt) ?? 0;
  const closed = downtime.spans.flatMap(({ from, to }): GanttBar[] => {
    const start = epochOf(from);
    return start === undefined
      ? []
      : [
          {
            section: 'Public',
            label: to === null ? 'closed, not reopened' : 'closed to the public',
            start,
            end: Math.max(start, epochOf(to) ?? now),
            look: 'crit',
          },
        ];
  });
  const steps = rows.flatMap((row): GanttBar[] => {
    const start = epochOf(row.at);
    if (start === undefined || row.outcome === 'note' || row.outcome === 'skipped') return [];
    return [
      {
        section: row.phase,
        label: row.outcome === 'done' ? row.title : `${row.title} (${row.outcome})`,
        start,
        end: Math.max(start, epochOf(row.endedAt) ?? start),
        look: row.outcome === 'done' ? 'done' : 'crit',
      },
    ];
  });
  return [...closed, ...(steps.length > barLimit ? byPhase(steps) : steps)];
}

function byPhase(steps: readonly GanttBar[]): readonly GanttBar[] {
  const phases = new Map<string, GanttBar>();
  for (const step of steps) {
    const sofar = phases.get(step.section);
    phases.set(step.section, {
      section: step.section,
      label: step.section,
      start: Math.min(sofar?.start ?? step.start, step.start),
      end: Math.max(sofar?.end ?? step.end, step.end),
      look: sofar?.look === 'crit' || step.look === 'crit' ? 'crit' : 'done',
    });
  }
  return [...phases.values()];
}
