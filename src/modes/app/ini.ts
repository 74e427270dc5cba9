import { byteOrderMark, lineEndOf, only, withoutComment, withoutTail } from './format.ts';
import type { Addition, Location, Place, Quote, SettingsFormat } from './format.ts';

interface Entry {
  readonly section: string;
  readonly key: string;
  readonly place: Place;
  readonly indent: string;
  /** Everything between key and value. */
  readonly sign: string;
  /** Why some readers would not take this line for an entry, or its value for all of it. */
  readonly doubt?: string;
}

interface Header {
  readonly section: string;
  /** Where the line after it begins. */
  readonly next: number;
}

interface Reading {
  readonly entries: readonly Entry[];
  readonly headers: readonly Header[];
}

/**
 * INI files as configparser, PHP, git and systemd read them. `section.key` names an entry; a key alone is one before
 * all sections. Where those readers would disagree about a line with the key, it is refused.
 */
export const ini: SettingsFormat = {
  defaultOn: '1',
  keyProblem: (key) =>
    /^[^\s=:[\];#"'][^=:\r\n]*$/.test(key)
      ? undefined
      : 'section.key, or a key that stands before all sections',
  locate,
  write,
};

function locate(text: string, key: string): Location {
  const { entries, headers } = read(text);
  const matches = entries.filter((entry) => fullKey(entry.section, entry.key) === key);
  const doubtful = matches.find(({ doubt }) => doubt !== undefined);
  const found = only(
    text,
    matches.map(({ place }) => place),
  );
  if (found !== undefined && 'kind' in found) return found;
  if (doubtful?.doubt !== undefined) return { kind: 'refused', reason: doubtful.doubt };
  if (found === undefined) {
    return { kind: 'missing', addition: additionFor(text, key, { entries, headers }) };
  }
  if (found.start === found.end && /[;#]/.test(text[found.end] ?? '')) {
    return { kind: 'refused', reason: 'is followed by a comment without a space before it' };
  }
  return { kind: 'found', place: found };
}

function fullKey(section: string, key: string): string {
  return section === '' ? key : `${section}.${key}`;
}

function read(text: string): Reading {
  const entries: Entry[] = [];
  const headers: Header[] = [];
  let section = '';
  let last: { indent: number; index: number } | undefined;
  let backslash = false;
  // Up to here PHP may take what it reads for the rest of a quoted value.
  let quotedUntil = 0;
  let at = text.startsWith(byteOrderMark) ? 1 : 0;
  while (at < text.length) {
    const newline = text.indexOf('\n', at);
    const next = newline === -1 ? text.length : newline + 1;
    const line = text.slice(at, newline === -1 ? text.length : newline).replace(/\r$/, '');
    const indent = /^[ \t]*/.exec(line)?.[0] ?? '';
    const isDeeper = last !== undefined && indent.length > last.indent;
    if (line.trim() === '' || /^[ \t]*[;#]/.test(line)) {
      backslash = false;
      at = next;
      continue;
    }
    const header = /^[ \t]*\[([^\]]*)\]/.exec(line);
    if (header !== null && !isDeeper) {
      section = (header[1] ?? '').trim();
      headers.push({ section, next });
      last = undefined;
    } else {
      const doubt = doubtAt(isDeeper, backslash, at < quotedUntil);
      const entry = entryIn(text, line, at, section);
      if (isDeeper && last !== undefined) {
        const owner = entries[last.index];
        if (owner !== undefined && owner.doubt === undefined) {
          entries[last.index] = { ...owner, doubt: 'has a value over several lines' };
        }
      }
      if (entry !== undefined) {
        entries.push(doubt === undefined ? entry : { ...entry, doubt });
        if (!isDeeper) last = { indent: indent.length, index: entries.length - 1 };
        quotedUntil = Math.max(quotedUntil, endOfOpenQuote(text, entry.place, next));
      }
    }
    backslash = line.endsWith('\\');
    at = next;
  }
  return { entries, headers };
}

function doubtAt(isDeeper: boolean, backslash: boolean, isQuoted: boolean): string | undefined {
  if (isDeeper) return 'is indented, so that some readers take it for a part of the value above';
  if (backslash)
    return 'follows a line that ends with a backslash, so that some readers join the two';
  return isQuoted ? 'may stand within a quoted value that begins above it' : undefined;
}

function entryIn(text: string, line: string, at: number, section: string): Entry | undefined {
  const sign = line.search(/[=:]/);
  if (sign === -1) return undefined;
  const name = withoutTail(line.slice(0, sign));
  const indent = /^[ \t]*/.exec(name)?.[0] ?? '';
  const key = name.slice(indent.length);
  if (key === '') return undefined;
  const behind = sign + 1 + (/^[ \t]*/.exec(line.slice(sign + 1))?.[0] ?? '').length;
  const rest = line.slice(behind);
  const start = at + behind;
  const entry = { section, key, indent, sign: line.slice(name.length, behind) };
  const quoted = /^(?:"((?:\\.|[^"\\])*)"|'([^']*)')(?=[ \t]*(?:[;#]|$))/.exec(rest);
  if (quoted !== null) {
    const quote = rest.startsWith('"') ? '"' : "'";
    const value = quoted[1] ?? quoted[2] ?? '';
    return { ...entry, place: { start, end: start + quoted[0].length, value, quote } };
  }
  const value = withoutTail(withoutComment(rest, ';#'));
  const afterSign = at + sign + 1;
  const place: Place =
    value === ''
      ? { start: afterSign, end: afterSign, value, quote: '' }
      : { start, end: start + value.length, value, quote: '' };
  const doubt = value.endsWith('\\') ? 'ends with a backslash' : undefined;
  return { ...entry, place, ...(doubt === undefined ? {} : { doubt }) };
}

/** Where a double quote ends that is still open at the end of the value's line; 0 when none is. */
function endOfOpenQuote(text: string, place: Place, next: number): number {
  if (place.quote !== '' || text[place.start] !== '"' || place.start === place.end) return 0;
  const end = text.indexOf('"', next);
  return end === -1 ? 0 : end;
}

/** Right below the section's header, or at the beginning, written as the entry that then follows. */
function additionFor(text: string, key: string, reading: Reading): Addition | undefined {
  const { entries, headers } = reading;
  const fitting = headers.filter(({ section }) => section !== '' && key.startsWith(`${section}.`));
  const [header, another] = fitting;
  if (another !== undefined || (header === undefined && key.includes('.'))) return undefined;
  const lineEnd = lineEndOf(text);
  const section = header?.section ?? '';
  const offset = header?.next ?? (text.startsWith(byteOrderMark) ? 1 : 0);
  const follower = entries.find(
    ({ section: other, place }) => other === section && place.start >= offset,
  );
  const word = header === undefined ? key : key.slice(section.length + 1);
  if (!/^[^\s=:[\];#"'][^=:\r\n]*$/.test(word)) return undefined;
  const isShown = follower !== undefined && follower.place.start !== follower.place.end;
  const before = `${follower?.indent ?? ''}${word}${isShown ? follower.sign : ' = '}`;
  const isOpenLine = header !== undefined && !text.slice(0, offset).endsWith('\n');
  return isOpenLine
    ? { offset, before: lineEnd + before, after: '' }
    : { offset, before, after: lineEnd };
}

function write(value: string, quote: Quote): string | undefined {
  switch (quote) {
    case '':
      return /^[^\s;#"'\\[\]][^;#"'\\]*$/.test(value) && value === value.trim() ? value : undefined;
    case '"':
      return /["\\$]/.test(value) ? undefined : `"${value}"`;
    case "'":
      return value.includes("'") ? undefined : `'${value}'`;
    case '`':
      return undefined;
  }
}
