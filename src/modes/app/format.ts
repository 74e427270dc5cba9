/** How a value is written: bare, or within these quotes. */
export type Quote = '' | '"' | "'" | '`';

/** A value in a settings file; offsets are characters of the decoded text, quotes included. */
export interface Place {
  readonly start: number;
  readonly end: number;
  /** Without quotes. */
  readonly value: string;
  readonly quote: Quote;
  /** What has to stand before a value where there is none: `key:` needs a space. */
  readonly lead?: string;
}

/** Where an entry can be put that is not there: `before`, the value, `after`. */
export interface Addition {
  readonly offset: number;
  readonly before: string;
  readonly after: string;
}

export type Location =
  | { readonly kind: 'found'; readonly place: Place }
  /** Without an addition the key cannot be added either: its section or mapping is not there. */
  | { readonly kind: 'missing'; readonly addition: Addition | undefined }
  /** What follows "it …" in a message; never shows the file's contents. */
  | { readonly kind: 'refused'; readonly reason: string };

/** A kind of settings file. Pure: text in, positions out; nothing is ever printed anew. */
export interface SettingsFormat {
  /** What closes the application where the file does not show how it writes such values. */
  readonly defaultOn: string;
  /** What a key looks like, when this is none. */
  readonly keyProblem: (key: string) => string | undefined;
  readonly locate: (text: string, key: string) => Location;
  /** The value as the format writes it; `undefined` when it cannot. */
  readonly write: (value: string, quote: Quote) => string | undefined;
}

/** The byte order mark, as it shows in a decoded text. */
export const byteOrderMark = '\uFEFF';

/** Line end of a text, by its first line. */
export function lineEndOf(text: string): string {
  const at = text.indexOf('\n');
  return at > 0 && text[at - 1] === '\r' ? '\r\n' : '\n';
}

/** Line number of an offset, from 1. */
export function lineOf(text: string, offset: number): number {
  return text.slice(0, offset).split('\n').length;
}

/** Offset of the line break that ends the line of `offset`, before a carriage return. */
export function lineEndAt(text: string, offset: number): number {
  const at = text.indexOf('\n', offset);
  const end = at === -1 ? text.length : at;
  return end > offset && text[end - 1] === '\r' ? end - 1 : end;
}

/** An entry as the last line; the file ends with a line break, or without one, as before. */
export function additionAtEnd(text: string, before: string): Addition {
  const lineEnd = lineEndOf(text);
  const isOpenLine = text !== '' && text !== byteOrderMark && !text.endsWith('\n');
  return {
    offset: text.length,
    before: isOpenLine ? `${lineEnd}${before}` : before,
    after: isOpenLine ? '' : lineEnd,
  };
}

/** One place of the key, none, or the refusal of several. */
export function only(text: string, places: readonly Place[]): Place | Location | undefined {
  const [first, second] = places;
  if (first === undefined || second === undefined) return first;
  return {
    kind: 'refused',
    reason: `stands more than once (lines ${places.map(({ start }) => lineOf(text, start)).join(', ')})`,
  };
}

/** Without blanks at its end; other white space is a value's own. */
export function withoutTail(text: string): string {
  let end = text.length;
  while (end > 0 && isBlank(text[end - 1])) end -= 1;
  return text.slice(0, end);
}

/** A line up to its comment: one of these signs at the beginning or after a blank. */
export function withoutComment(line: string, signs: string): string {
  for (let at = 0; at < line.length; at += 1) {
    const isComment = signs.includes(line[at] ?? '') && (at === 0 || isBlank(line[at - 1]));
    if (isComment) return line.slice(0, at);
  }
  return line;
}

function isBlank(character: string | undefined): boolean {
  return character === ' ' || character === '\t';
}
