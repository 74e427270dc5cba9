/**
 * Longest quoted token that we write, in bytes. nginx reads its configuration through a buffer of 4096
 * bytes and refuses a longer one ("too long parameter").
 */
const longestToken = 3500;

/**
 * A text as a quoted string of an nginx configuration.
 * @throws RangeError when it has a `$` (nginx knows no escape for it: it always begins a variable) or a NUL
 */
export function quoted(text: string): string {
  return `"${escaped(text)}"`;
}

function escaped(text: string): string {
  if (/[$\0]/.test(text)) throw new RangeError('a nginx string can hold neither "$" nor NUL');
  return text.replaceAll(/["\\]/g, String.raw`\$&`);
}

/** A text as several quoted strings, each short enough for nginx; no character is cut in two. */
export function quotedPieces(text: string): readonly string[] {
  const pieces: string[] = [];
  let piece: string[] = [];
  let bytes = 0;
  for (const char of text) {
    const written = escaped(char);
    const more = Buffer.byteLength(written);
    if (bytes + more > longestToken) {
      pieces.push(`"${piece.join('')}"`);
      piece = [];
      bytes = 0;
    }
    piece.push(written);
    bytes += more;
  }
  pieces.push(`"${piece.join('')}"`);
  return pieces;
}

/**
 * Joins the alternatives of a regular expression into as few groups as fit in tokens.
 * @param alternatives each shorter than a token
 */
export function groupsThatFit(alternatives: readonly string[]): readonly string[] {
  const groups: string[] = [];
  for (const alternative of alternatives) {
    const last = groups.at(-1);
    if (last !== undefined && last.length + alternative.length + 1 <= longestToken) {
      groups[groups.length - 1] = `${last}|${alternative}`;
    } else {
      groups.push(alternative);
    }
  }
  return groups;
}
