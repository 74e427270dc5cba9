/** Comments around the rows of the timeline; values cannot hold them, because `<` is escaped in values. */
export const timelineBegin = '<!-- timeline -->';
export const timelineEnd = '<!-- end of timeline -->';

/** GitHub's limit for the summary of a step, in bytes. */
export const summaryLimitBytes = 1024 * 1024;

/**
 * Shortens a report until it fits a job summary, and says so: first the middle of the timeline, then whole
 * sections from the end. The files of the report are never shortened.
 */
export function fitSummary(text: string, maxBytes = summaryLimitBytes): string {
  if (bytesOf(text) <= maxBytes) return text;
  const shorter = withoutMiddle(text, maxBytes);
  return bytesOf(shorter) <= maxBytes ? shorter : withoutEnd(shorter, maxBytes);
}

function withoutMiddle(text: string, maxBytes: number): string {
  const begin = text.indexOf(timelineBegin);
  const end = text.indexOf(timelineEnd, begin);
  if (begin === -1 || end === -1) return text;
  const lines = text.slice(begin, end).split('\n');
  const head = lines.findIndex((line) => line.startsWith('| ---')) + 1;
  const rows = lines.slice(head).filter((line) => line.startsWith('|'));
  const [before, after] = [text.slice(0, begin), text.slice(end)];
  const build = (kept: number): string => {
    const first = Math.ceil(kept / 2);
    const left = [...rows.slice(0, first), ...rows.slice(rows.length - (kept - first))];
    const note = `_${rows.length - kept} of ${rows.length} rows of the timeline are left out here; the report’s files have them all._`;
    return `${before}${[...lines.slice(0, head), ...left].join('\n')}\n\n${note}\n\n${after}`;
  };
  // The most rows that fit, by halving.
  let [least, most] = [0, rows.length];
  while (least < most) {
    const middle = Math.ceil((least + most) / 2);
    if (bytesOf(build(middle)) <= maxBytes) least = middle;
    else most = middle - 1;
  }
  return build(least);
}

function withoutEnd(text: string, maxBytes: number): string {
  const note =
    '\n\n_The rest does not fit the limit of a job summary; the report’s files have it all._\n';
  // Headings begin a line, which no value can do.
  const parts = text.split(/\n(?=## )/);
  while (parts.length > 1 && bytesOf(parts.join('\n') + note) > maxBytes) parts.pop();
  const kept = parts.join('\n').trimEnd() + note;
  return bytesOf(kept) <= maxBytes ? kept : note.trimStart().slice(0, maxBytes);
}

function bytesOf(text: string): number {
  return new TextEncoder().encode(text).length;
}
