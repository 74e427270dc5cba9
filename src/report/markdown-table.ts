/**
 * A table of GitHub Flavored Markdown. Cells are Markdown already: values in them have gone through `markdown()`,
 * so that they hold no pipe and no newline.
 */
export function markdownTable(
  headers: readonly string[],
  rows: readonly (readonly string[])[],
): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => (cell === '' ? ' ' : cell)).join(' | ')} |`;
  return [line(headers), line(headers.map(() => '---')), ...rows.map(line)].join('\n');
}

/** A part that unfolds on a click; the title is Markdown-escaped text. */
export function markdownDetails(title: string, content: string): string {
  return `<details><summary>${title}</summary>\n\n${content}\n\n</details>`;
}
