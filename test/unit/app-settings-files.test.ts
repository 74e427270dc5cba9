import { describe, expect, test } from '@jest/globals';
import { closingChange, findKey, isOn, openingChange } from '../../src/modes/app/change.ts';
import { formatOfName, formats, type FormatName } from '../../src/modes/app/formats.ts';
import { realFiles } from '../fixtures/settings-files.ts';

const bytesOf = (text: string) => Buffer.from(text, 'utf8');

function close(
  bytes: Uint8Array,
  format: FormatName,
  key: string,
  { value, create = false }: { value?: string; create?: boolean } = {},
) {
  const found = findKey(bytes, formats[format], key);
  if (typeof found === 'string') throw new Error(found);
  return closingChange(bytes, found, { format: formats[format], key, value, create });
}

describe('real-looking settings files', () => {
  test.each(realFiles)('$title', ({ format, text, key, value, create, closed, encoding }) => {
    const bytes = Buffer.from(text, encoding ?? 'utf8');
    const closing = close(bytes, format, key, {
      ...(value === undefined ? {} : { value }),
      ...(create === undefined ? {} : { create }),
    });
    if (closing.kind !== 'change') throw new Error(closing.reason);
    // Exactly the change that a person would have made: the rest is the same text.
    expect(closing.bytes.toString(encoding ?? 'utf8')).toBe(closed(text));
    const again = findKey(closing.bytes, formats[format], key);
    if (typeof again === 'string') throw new Error(again);
    expect(isOn(again.location, value)).toBe(true);
    const opening = openingChange(
      closing.bytes,
      { change: closing.change, isUntouched: true },
      { format: formats[format], key, value },
    );
    expect(opening.kind === 'exact' && opening.bytes.equals(bytes)).toBe(true);
  });

  test('there are files of every format, many in all', () => {
    expect(new Set(realFiles.map(({ format }) => format))).toEqual(new Set(Object.keys(formats)));
    expect(realFiles.length).toBeGreaterThanOrEqual(25);
  });
});

describe('what is refused, with the reason', () => {
  const rows: [FormatName, string, string, string][] = [
    ['dotenv', 'A=1\n', 'MAINTENANCE', 'is not there'],
    ['dotenv', '# MAINTENANCE=false\n', 'MAINTENANCE', 'is not there'],
    ['dotenv', 'NOTE="one\nMAINTENANCE=false\nthree"\n', 'MAINTENANCE', 'is not there'],
    ['dotenv', 'MAINTENANCE=staging\n', 'MAINTENANCE', 'neither on nor off'],
    ['dotenv', 'MAINTENANCE=#false\n', 'MAINTENANCE', 'may be its value or a comment'],
    ['ini', '[app]\na=0\n[app]\na=0\n', 'app.a', 'stands more than once (lines 2, 4)'],
    ['ini', '[app]\nnote = one\n  a = 0\n', 'app.a', 'indented'],
    ['ini', '[app]\na = 0\n  and more\n', 'app.a', 'over several lines'],
    ['ini', '[app]\nroot = C:\\\na = 0\n', 'app.a', 'backslash'],
    ['ini', '[app]\ntext = "one\na = 0\n"\n', 'app.a', 'quoted value'],
    ['ini', '[a]\nb.c = 0\n[a.b]\nc = 0\n', 'a.b.c', 'more than once'],
    ['json', '{"a": {"b": false}, "a": {}}', 'a.b', 'more than once'],
    ['json', '{"a": false, "a": true}', 'a', 'more than once'],
    ['json', '{"a.b": false, "a": {"b": false}}', 'a.b', 'more than once'],
    ['json', '{"a": [false]}', 'a', 'an object or an array'],
    ['json', '{"a": false', 'a', 'line 1 is not JSON'],
    ['json', '{\n "a": false\n "b": 1}', 'a', 'line 3 is not JSON'],
    ['json', '[1]', 'a', 'the file is no object'],
    ['json', '{"/* a": 1, // "maintenance": false\n "b": 2}', 'maintenance', 'is not there'],
    ['yaml', 'a: &m false\nb: *m\n', 'a', 'aliases elsewhere'],
    ['yaml', 'a: &m false\nb: *m\n', 'b', 'is an alias'],
    ['yaml', 'a: false\na: true\n', 'a', 'DUPLICATE_KEY'],
    ['yaml', 'a: false\n---\na: false\n', 'a', 'more than once'],
    ['yaml', 'a: |\n  false\n', 'a', 'several lines'],
    ['yaml', 'a:\n  - false\n', 'a', 'a mapping or a list'],
    ['yaml', 'a: {b: false\n', 'a.b', 'is not YAML'],
    ['yaml', 'text: |\n  maintenance: false\n', 'maintenance', 'is not there'],
    ['python', 'M = False\nM = False\n', 'M', 'stands more than once (lines 1, 2)'],
    ['python', 'M = env.bool("M", False)\n', 'M', 'is computed'],
    ['python', 'M = N = False\n', 'N', 'together with others'],
    ['python', 'M, N = False, 1\n', 'M', 'together with others'],
    ['python', 'M = 0\nM += 1\n', 'M', 'changed in place'],
    ['python', 'if x:\n    M = False\n', 'M', 'is not there'],
    ['python', 'class C:\n    M = False\n', 'M', 'is not there'],
    ['python', '"""\nM = False\n"""\n', 'M', 'is not there'],
    ['python', 'x = [\nM == 1,\n', 'M', 'a bracket is not closed'],
    ['python', 'x = """\nM = False\n', 'M', 'a quote is not closed'],
    ['python', 'settings.M = False\n', 'M', 'is not there'],
  ];
  test.each(rows)('%s %j, key %s: %s', (format, text, key, reason) => {
    const closing = close(bytesOf(text), format, key);
    expect(closing.kind === 'impossible' && closing.reason).toContain(reason);
    expect(closing.kind === 'impossible' && closing.next).not.toBe('');
  });

  test('what cannot be written within the quotes that are there', () => {
    const closing = close(bytesOf(`M="no"\n`), 'dotenv', 'M', { value: '$(id)' });
    expect(closing.kind === 'impossible' && closing.reason).toContain('cannot take this app-value');
  });

  test.each([
    ['UTF-16', Buffer.from('\uFEFFM=false\n', 'utf16le')],
    ['binary', Buffer.from([77, 61, 0, 1, 2])],
  ])('%s', (_, bytes) => {
    expect(findKey(bytes, formats.dotenv, 'M')).toContain('zero bytes');
  });

  test('the message never shows a value that may be a secret', () => {
    const closing = close(bytesOf('PASSWORD=hunter2-is-secret\n'), 'dotenv', 'PASSWORD');
    expect(JSON.stringify(closing)).not.toContain('hunter2');
  });
});

describe('a key that is added', () => {
  const rows: [FormatName, string, string, string][] = [
    ['dotenv', 'A=1\n', 'M', 'A=1\nM=true\n'],
    ['dotenv', 'A=1', 'M', 'A=1\nM=true'],
    ['dotenv', 'A=1\r\n', 'M', 'A=1\r\nM=true\r\n'],
    ['dotenv', '', 'M', 'M=true\n'],
    ['ini', '[a]\nx=1\n[b]\ny = 2\n', 'b.m', '[a]\nx=1\n[b]\nm = 1\ny = 2\n'],
    ['ini', '[a]\n\tx = 1\n', 'a.m', '[a]\n\tm = 1\n\tx = 1\n'],
    ['ini', '[a]', 'a.m', '[a]\nm = 1'],
    ['ini', 'x=1\n[a]\n', 'm', 'm=1\nx=1\n[a]\n'],
    ['json', '{"a": 1}', 'm', '{"m": true,"a": 1}'],
    ['json', '{\n  "a": 1\n}\n', 'm', '{\n  "m": true,\n  "a": 1\n}\n'],
    ['json', '{}', 'm', '{"m": true}'],
    ['json', '{"a": { /* c */ "x": 1}}', 'a.m', '{"a": { "m": true, /* c */ "x": 1}}'],
    ['yaml', '# c\na: 1\n', 'm', '# c\nm: true\na: 1\n'],
    ['yaml', 'a:\n  b: 1\n', 'a.m', 'a:\n  m: true\n  b: 1\n'],
    ['yaml', 'a: {b: 1}\n', 'a.m', 'a: {m: true, b: 1}\n'],
    ['yaml', 'a: {}\n', 'a.m', 'a: {m: true}\n'],
    ['yaml', '# nothing yet\n', 'm', '# nothing yet\nm: true\n'],
    ['python', 'A = 1\n', 'M', 'A = 1\nM = True\n'],
    ['python', 'def f():\n    pass', 'M', 'def f():\n    pass\nM = True'],
    ['python', '', "app.config['M']", "app.config['M'] = True\n"],
  ];
  test.each(rows)('%s %j, key %s', (format, text, key, closed) => {
    const closing = close(bytesOf(text), format, key, { create: true });
    if (closing.kind !== 'change') throw new Error(closing.reason);
    expect(closing.bytes.toString()).toBe(closed);
    const how = { format: formats[format], key, value: undefined };
    const { change } = closing;
    const exact = openingChange(closing.bytes, { change, isUntouched: true }, how);
    expect(exact.kind === 'exact' && exact.bytes.toString()).toBe(text);
    // The same when it is found by its text, as in a file that somebody edited elsewhere.
    const found = openingChange(closing.bytes, { change, isUntouched: false }, how);
    expect(found.kind === 'key-only' && found.bytes.toString()).toBe(text);
  });

  test.each<[FormatName, string, string]>([
    ['ini', '[a]\nx=1\n', 'b.m'],
    ['json', '{"a": 1}', 'a.m'],
    ['json', '{"a": 1}', 'b.m'],
    ['yaml', 'a: 1\n', 'a.m'],
    ['yaml', 'a:\n', 'a.m'],
    ['yaml', 'a: 1\n---\nb: 1\n', 'm'],
    ['yaml', 'a:\n  - b: 1\n', 'a.m'],
  ])('%s %j has no place for %s', (format, text, key) => {
    const closing = close(bytesOf(text), format, key, { create: true });
    expect(closing.kind === 'impossible' && closing.reason).toContain('no one place');
  });
});

describe('a file that somebody edited meanwhile', () => {
  const how = (format: FormatName, key: string) => ({
    format: formats[format],
    key,
    value: undefined,
  });
  const opened = (format: FormatName, key: string, before: string, edited: string) => {
    const closing = close(bytesOf(before), format, key, { create: true });
    if (closing.kind !== 'change') throw new Error(closing.reason);
    const { change } = closing;
    const after = openingChange(bytesOf(edited), { change, isUntouched: false }, how(format, key));
    return 'bytes' in after ? after.bytes.toString() : after;
  };
  const rows: [FormatName, string, string, string, string][] = [
    ['dotenv', 'M', 'M=false\n', 'NEW=1\nM=true\n', 'NEW=1\nM=false\n'],
    ['dotenv', 'M', 'M=\n', 'M=true # on\n', 'M= # on\n'],
    ['dotenv', 'M', `M='off'\n`, 'M=on\nX=1\n', `M='off'\nX=1\n`],
    ['dotenv', 'M', 'A=1\n', 'A=2\nM=true\n', 'A=2\n'],
    ['dotenv', 'M', 'A=1\n', 'M="true"\nA=1\n', 'M="false"\nA=1\n'],
    ['ini', 'a.m', '[a]\nm = 0\n', '[a]\nn = 1\nm = 1\n', '[a]\nn = 1\nm = 0\n'],
    ['json', 'm', '{"m": false}', '{"m": true, "n": 1}', '{"m": false, "n": 1}'],
    ['json', 'm', '{"n": 1}', '{\n  "m": true,\n  "n": 1\n}', '{\n  \n  "n": 1\n}'],
    ['yaml', 'm', 'm:\n', '# hi\nm: true\n', '# hi\nm:\n'],
    ['yaml', 'm', 'm: no\n', 'n: 1\nm: yes # by us\n', 'n: 1\nm: no # by us\n'],
    ['python', 'M', 'M = False\n', 'import os\nM = True\n', 'import os\nM = False\n'],
  ];
  test.each(rows)('%s %s: %j, now %j', (format, key, before, edited, expected) => {
    expect(opened(format, key, before, edited)).toBe(expected);
  });

  test.each<[FormatName, string, string, string]>([
    ['dotenv', 'M', 'M=false\n', 'M=0\n'],
    ['dotenv', 'M', 'M=false\n', 'OTHER=1\n'],
    ['json', 'm', '{"m": false}', '{"m": "later"}'],
    ['python', 'M', 'M = False\n', 'M = False # by them\n'],
  ])('%s %s: %j, now %j: the key is theirs', (format, key, before, edited) => {
    expect(opened(format, key, before, edited)).toMatchObject({ kind: 'not-ours' });
  });

  test('what cannot be read any more is told', () => {
    expect(opened('json', 'm', '{"m": false}', '{"m": true')).toMatchObject({
      kind: 'impossible',
    });
  });
});

test.each([
  ['/srv/app/.env', 'dotenv'],
  ['/srv/app/.env.production.local', 'dotenv'],
  ['/etc/shop/prod.env', 'dotenv'],
  ['/etc/shop.INI', 'ini'],
  ['/etc/app.cfg', 'ini'],
  ['/a/appsettings.json', 'json'],
  ['/a/config.yml', 'yaml'],
  ['/a/settings.py', 'python'],
  ['/a/app.conf', undefined],
  ['/a/.envrc', undefined],
  ['/a/config.php', undefined],
])('the name %s tells the format %s', (path, format) => {
  expect(formatOfName(path)).toBe(format);
});

test.each<[FormatName, string]>([
  ['dotenv', `A=x${' '.repeat(900_000)}y\nM=false\n`],
  ['ini', `a = x${' '.repeat(900_000)}y\nM = 0\n`],
  ['ini', `a${' '.repeat(900_000)}b = 1\nM = 0\n`],
  ['json', `{"a": "${'\\n'.repeat(400_000)}",${' '.repeat(90_000)}"M": false}`],
  ['python', `a = '''${"'\n".repeat(400_000)}'''\nM = False\n`],
  ['yaml', `a: b${' '.repeat(900_000)}c\nM: false\n`],
])('%s: the longest file is read in no more time than it is long', (format, text) => {
  expect(formats[format].locate(text, 'M').kind).toBe('found');
});
