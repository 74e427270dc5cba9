/**
 * Escaping for everything that a report prints: values come from plans, databases, HTTP answers and people, and
 * none of them may turn into markup. One place for Markdown, HTML and Mermaid.
 */

/** C0 and C1 controls but tab and newline, and the characters that reorder text (Unicode TR 36, bidirectional). */
const unprintable =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

/** Well-formed, printable text of at most `maxLength` UTF-16 units; what is cut off is shown by an ellipsis. */
export function printable(value: string, maxLength: number): string {
  const cut =
    value.length > maxLength
      ? `${value.slice(0, Math.max(0, maxLength - 1)).replace(/[\ud800-\udbff]$/, '')}…`
      : value;
  return cut.toWellFormed().replaceAll(/\r\n?/g, '\n').replaceAll(unprintable, '\ufffd');
}

/**
 * A value as inline text of GitHub Flavored Markdown: HTML as entities, markup and math by backslash, newlines
 * as `<br>`. Fit for table cells, list items and paragraphs.
 */
export function markdown(value: string, maxLength = 600): string {
  return (
    printable(value, maxLength)
      .replaceAll('&', '&amp;')
      .replaceAll('<', '&lt;')
      .replaceAll('>', '&gt;')
      // An entity, because rows of a table are split before backslashes are read.
      .replaceAll('|', '&#124;')
      .replaceAll(/[\\`*[\]~$]/g, String.raw`\$&`)
      // Within a word an underscore is only itself.
      .replaceAll(/(?<![\p{L}\p{N}])_|_(?![\p{L}\p{N}])/gu, String.raw`\_`)
      // What begins a heading, a list or a quotation at the start of a line.
      .replace(/^(\s*)([#+=-])/, String.raw`$1\$2`)
      .replace(/^(\s*\d+)([.)])(?=\s|$)/, String.raw`$1\$2`)
      .replaceAll('\t', ' ')
      .trim()
      .replaceAll(/\n+/g, '<br>')
  );
}

/** A value in code type within Markdown; an element, because a code span cannot hold every value. */
export function markdownCode(value: string, maxLength = 200): string {
  return `<code>${markdown(value, maxLength)}</code>`;
}

/** A block of code in Markdown, fenced by more backticks than the content has in a row. */
export function markdownBlock(content: string, language: string): string {
  const text = printable(content, 100_000);
  const longest = Math.max(0, ...[...text.matchAll(/`+/g)].map(([run]) => run.length));
  const fence = '`'.repeat(Math.max(3, longest + 1));
  return `${fence}${language}\n${text.replace(/\n+$/, '')}\n${fence}`;
}

/** A value as text or as a quoted attribute of HTML. */
export function html(value: string, maxLength = 4000): string {
  return printable(value, maxLength)
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;');
}

/**
 * A label of a Mermaid gantt chart. Colons, semicolons, hashes, percent signs and newlines end a label there
 * (https://mermaid.js.org/syntax/gantt.html), so only letters, digits and harmless marks are left.
 */
export function mermaidLabel(value: string, maxLength = 48): string {
  return printable(value, 1000)
    .replaceAll(/[^\p{L}\p{N} ._()+/-]/gu, ' ')
    .replaceAll(/-{2,}/g, '-')
    .replaceAll(/\s+/g, ' ')
    .trim()
    .slice(0, maxLength)
    .replace(/[\ud800-\udbff]$/, '')
    .trim();
}

/** The value when it is an address that a browser may be sent to, in its canonical spelling. */
export function webAddress(value: string | null | undefined): string | undefined {
  if (value === null || value === undefined || !URL.canParse(value)) return undefined;
  const url = new URL(value);
  return url.protocol === 'https:' || url.protocol === 'http:' ? url.href : undefined;
}
