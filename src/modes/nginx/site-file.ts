import { parseConfig, type Directive } from './config-tree.ts';

/** Bytes that we put into a file; the offset counts in the file without any insertion. */
export interface Insertion {
  readonly offset: number;
  readonly text: string;
}

/**
 * Where our include line goes: right after each given opening brace, in the file's own line ends.
 * @param bytes the file without our line
 * @param offsets byte offsets right after the braces
 * @param includePath absolute path of our snippet, of characters that need no quotes
 */
export function hookInsertions(
  bytes: Uint8Array,
  offsets: readonly number[],
  includePath: string,
): readonly Insertion[] {
  const lineFeed = bytes.indexOf(10);
  const lineEnd = lineFeed > 0 && bytes[lineFeed - 1] === 13 ? '\r\n' : '\n';
  return offsets
    .toSorted((a, b) => a - b)
    .map((offset) => ({ offset, text: `${lineEnd}    include ${includePath};` }));
}

/** The file with the insertions in it. */
export function insertInto(bytes: Uint8Array, insertions: readonly Insertion[]): Uint8Array {
  const parts: Uint8Array[] = [];
  let from = 0;
  for (const { offset, text } of insertions.toSorted((a, b) => a.offset - b.offset)) {
    parts.push(bytes.subarray(from, offset), Buffer.from(text, 'latin1'));
    from = offset;
  }
  parts.push(bytes.subarray(from));
  return Buffer.concat(parts);
}

/**
 * Takes our include line out, wherever somebody may have moved it. What {@link insertInto} put in leaves
 * no byte behind; a line that was reformatted goes as a whole when nothing else stands on it.
 * @throws FailureError `nginx-unreadable`
 */
export function removeHooks(
  bytes: Uint8Array,
  includePath: string,
  path: string,
): { readonly bytes: Uint8Array; readonly removed: number } {
  const text = Buffer.from(bytes).toString('latin1');
  const found = hooksIn(parseConfig(bytes, path), includePath);
  const parts: string[] = [];
  let from = 0;
  for (const { start, end } of found) {
    const range = rangeToRemove(text, start, end);
    parts.push(text.slice(from, range.start));
    from = range.end;
  }
  parts.push(text.slice(from));
  return { bytes: Buffer.from(parts.join(''), 'latin1'), removed: found.length };
}

/** Our include directives in a file or block, in file order. */
export function hooksIn(
  directives: readonly Directive[],
  includePath: string,
): readonly Directive[] {
  return directives.flatMap((directive) => {
    if (directive.body !== undefined) return hooksIn(directive.body.directives, includePath);
    const ours = directive.name === 'include' && directive.args[0] === includePath;
    return ours ? [directive] : [];
  });
}

function rangeToRemove(text: string, start: number, end: number): { start: number; end: number } {
  const asInserted = /\{(\r?\n {4})$/.exec(text.slice(Math.max(0, start - 7), start));
  if (asInserted?.[1] !== undefined) return { start: start - asInserted[1].length, end };
  let lineStart = start;
  while (text[lineStart - 1] === ' ' || text[lineStart - 1] === '\t') lineStart -= 1;
  const beginsLine = lineStart === 0 || text[lineStart - 1] === '\n';
  const rest = /^[ \t]*\r?\n/.exec(text.slice(end, end + 200));
  return beginsLine && rest !== null
    ? { start: lineStart, end: end + rest[0].length }
    : { start, end };
}
