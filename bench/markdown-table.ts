export type Row = readonly [string, ...string[]];

/** A table in Markdown, its first column to the left, the others by default to the right, as numbers stand. */
export function markdownTable(
  head: Row,
  rows: readonly Row[],
  others: 'left' | 'right' = 'right',
): string[] {
  const line = (cells: Row) => `| ${cells.join(' | ')} |`;
  const rule = others === 'left' ? ' --- ' : ' ---: ';
  return [
    line(head),
    `|${head.map((_, index) => (index === 0 ? ' --- ' : rule)).join('|')}|`,
    ...rows.map(line),
  ];
}
