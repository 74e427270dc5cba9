import { additionAtEnd, byteOrderMark, lineEndAt, withoutComment, withoutTail } from './format.ts';
import type { Location, Place, Quote, SettingsFormat } from './format.ts';

const name = '[A-Za-z_][A-Za-z0-9_.-]*';
const entryStart = new RegExp(String.raw`[ \t]*(?:export[ \t]+)?(${name})[ \t]*=`, 'y');
/** After the closing quote nothing but a comment may follow; otherwise the quote was part of a bare value. */
const restOfLine = /[ \t]*(?:#[^\n]*)?\r?(?:\n|$)/y;

interface Entry {
  readonly key: string;
  readonly place: Place;
}

/**
 * Environment files as dotenv libraries, Docker and systemd read them: `KEY=value`, with `export`, comments, and
 * quoted values over several lines. Of a key that stands twice the last one counts, as in all of them.
 */
export const dotenv: SettingsFormat = {
  defaultOn: 'true',
  keyProblem: (key) =>
    new RegExp(`^${name}$`).test(key) ? undefined : 'a variable name such as MAINTENANCE_MODE',
  locate,
  write,
};

function locate(text: string, key: string): Location {
  const last = entriesOf(text).findLast((entry) => entry.key === key);
  if (last === undefined) return { kind: 'missing', addition: additionAtEnd(text, `${key}=`) };
  const { place } = last;
  if (place.start === place.end && text[place.end] === '#') {
    return { kind: 'refused', reason: 'is followed by a # that may be its value or a comment' };
  }
  return { kind: 'found', place };
}

function entriesOf(text: string): readonly Entry[] {
  const entries: Entry[] = [];
  let at = text.startsWith(byteOrderMark) ? 1 : 0;
  while (at < text.length) {
    entryStart.lastIndex = at;
    const match = entryStart.exec(text);
    let end = at;
    if (match !== null) {
      const place = valueAt(text, entryStart.lastIndex);
      entries.push({ key: match[1] ?? '', place });
      end = place.end;
    }
    const newline = text.indexOf('\n', end);
    at = newline === -1 ? text.length : newline + 1;
  }
  return entries;
}

function valueAt(text: string, afterSign: number): Place {
  let start = afterSign;
  while (text[start] === ' ' || text[start] === '\t') start += 1;
  const quote = text[start];
  if (quote === '"' || quote === "'" || quote === '`') {
    const end = closingQuote(text, start, quote);
    if (end !== undefined) return { start, end, value: text.slice(start + 1, end - 1), quote };
  }
  const line = text.slice(afterSign, lineEndAt(text, afterSign));
  const bare = withoutTail(withoutComment(line, '#'));
  if (bare.trim() === '') return { start: afterSign, end: afterSign, value: '', quote: '' };
  const value = bare.replace(/^[ \t]+/, '');
  return { start, end: start + value.length, value, quote: '' };
}

/** Offset after the closing quote; libraries differ in whether a backslash escapes within single quotes. */
function closingQuote(text: string, start: number, quote: string): number | undefined {
  for (const escapes of quote === '"' ? [true] : [true, false]) {
    for (let at = start + 1; at < text.length; at += 1) {
      if (escapes && text[at] === '\\') at += 1;
      else if (text[at] === quote) {
        restOfLine.lastIndex = at + 1;
        if (restOfLine.test(text)) return at + 1;
        break;
      }
    }
  }
  return undefined;
}

function write(value: string, quote: Quote): string | undefined {
  switch (quote) {
    case '':
      return /^[A-Za-z0-9_.:/@%+,-]+$/.test(value) ? value : write(value, "'");
    case '"':
      return /["\\$`]/.test(value) ? undefined : `"${value}"`;
    case "'":
    case '`':
      return value.includes(quote) || value.includes('\\') ? undefined : quote + value + quote;
  }
}
