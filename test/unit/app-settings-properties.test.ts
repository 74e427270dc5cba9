import { spawnSync } from 'node:child_process';
import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { parseDocument } from 'yaml';
import { closingChange, findKey, openingChange } from '../../src/modes/app/change.ts';
import { formats, type FormatName } from '../../src/modes/app/formats.ts';
import {
  commentedJsonFile,
  dotenvFile,
  iniFile,
  jsonFile,
  pythonFile,
  yamlFile,
  type GeneratedFile,
} from '../fixtures/generated-settings.ts';
import { runs } from '../fixtures/property-runs.ts';

/** Closes and opens a file in both ways; what closing made of it. */
function closeAndOpen({ format: name, key, render, off, on }: GeneratedFile): string {
  const bytes = Buffer.from(render(off));
  const format = formats[name];
  const found = findKey(bytes, format, key);
  if (typeof found === 'string') throw new Error(found);
  const how = { format, key, value: undefined };
  const closing = closingChange(bytes, found, { ...how, create: false });
  if (closing.kind !== 'change') throw new Error(closing.reason);
  expect(closing.bytes.toString()).toBe(render(on));
  const { change } = closing;
  for (const isUntouched of [true, false]) {
    const opening = openingChange(closing.bytes, { change, isUntouched }, how);
    if (!('bytes' in opening)) throw new Error(JSON.stringify(opening));
    expect(opening.bytes.equals(bytes)).toBe(true);
  }
  return closing.bytes.toString();
}

describe('one value changes, and comes back byte for byte', () => {
  test.each<[string, fc.Arbitrary<GeneratedFile>]>([
    ['dotenv', dotenvFile],
    ['INI', iniFile],
    ['JSON with comments', commentedJsonFile],
    ['Python', pythonFile],
  ])('%s', (_, files) => {
    fc.assert(
      fc.property(files, (file) => {
        closeAndOpen(file);
      }),
      { numRuns: runs(500) },
    );
  });

  test('JSON, and a JSON parser sees that one value change', () => {
    fc.assert(
      fc.property(jsonFile, (file) => {
        const before = jsonWith(file.render(file.off), file.on);
        expect(JSON.parse(closeAndOpen(file).replace('\uFEFF', ''))).toEqual(before);
      }),
      { numRuns: runs(500) },
    );
  });

  test('YAML, and a YAML parser sees that one value change', () => {
    fc.assert(
      fc.property(yamlFile, (file) => {
        const before = parseDocument(file.render(file.off), { logLevel: 'silent' });
        const after = parseDocument(closeAndOpen(file), { logLevel: 'silent' });
        expect([...before.errors, ...after.errors]).toEqual([]);
        before.setIn(['app', 'maintenance'], 'changed');
        after.setIn(['app', 'maintenance'], 'changed');
        expect(after.toJS()).toEqual(before.toJS());
      }),
      { numRuns: runs(300) },
    );
  });
});

function jsonWith(text: string, on: string): unknown {
  const value = JSON.parse(text.replace('\uFEFF', '')) as { app: Record<string, unknown> };
  return { ...value, app: { ...value.app, maintenance: JSON.parse(on) as unknown } };
}

/** configparser wants a section before all entries. */
function beginsWithSection(text: string): boolean {
  const lines = text.replace('\uFEFF', '').split('\n');
  return lines.find((line) => !/^\s*(?:[;#]|$)/.test(line))?.startsWith('[') === true;
}

describe("Python's own parsers see exactly that one value change", () => {
  /** Runs one Python over many texts; it answers what it read of each. */
  function readByPython(program: string, texts: readonly string[]): unknown[] {
    const result = spawnSync('python3', ['-I', '-c', program], {
      input: JSON.stringify(texts),
      encoding: 'utf8',
      maxBuffer: 64 * 1024 * 1024,
    });
    if (result.status !== 0) throw new Error(`python3 is needed here: ${result.stderr}`);
    return JSON.parse(result.stdout) as unknown[];
  }

  test('ast, of settings modules', () => {
    const files = fc.sample(pythonFile, { numRuns: runs(60), seed: 11 });
    const program = `
import ast, json, sys
def read(text):
    found = []
    for node in ast.walk(ast.parse(text.lstrip("\\ufeff"))):
        if isinstance(node, (ast.Constant, ast.Name)):
            found.append([type(node).__name__, repr(getattr(node, "value", getattr(node, "id", None)))])
    module = [n for n in ast.parse(text.lstrip("\\ufeff")).body if isinstance(n, (ast.Assign, ast.AnnAssign))]
    targets = lambda n: n.targets if isinstance(n, ast.Assign) else [n.target]
    values = [repr(ast.literal_eval(n.value)) for n in module for t in targets(n) if isinstance(t, ast.Name) and t.id == "MAINTENANCE"]
    return {"values": values, "found": found}
print(json.dumps([read(text) for text in json.load(sys.stdin)]))
`;
    const texts = files.flatMap((file) => [file.render(file.off), closeAndOpen(file)]);
    type Seen = { values: string[]; found: [string, string][] };
    const seen = readByPython(program, texts) as Seen[];
    for (const [index, file] of files.entries()) {
      const [before, after] = [seen[index * 2], seen[index * 2 + 1]];
      const literal = (token: string) => token.replaceAll('"', "'");
      expect(before?.values).toEqual([literal(file.off)]);
      expect(after?.values).toEqual([literal(file.on)]);
      const changed = before?.found.filter(
        (node, at) => JSON.stringify(node) !== JSON.stringify(after?.found[at]),
      );
      expect(changed).toHaveLength(1);
      expect(after?.found).toHaveLength(before?.found.length ?? -1);
    }
  });

  test('configparser, of INI files', () => {
    const files = fc
      .sample(iniFile, { numRuns: runs(60), seed: 12 })
      .filter(({ render }) => beginsWithSection(render('0')));
    expect(files.length).toBeGreaterThan(5);
    const program = `
import configparser, json, sys
def read(text):
    parser = configparser.RawConfigParser(strict=False, inline_comment_prefixes=(";", "#"))
    parser.read_string(text.lstrip("\\ufeff"))
    return {section: dict(parser.items(section)) for section in parser.sections()}
print(json.dumps([read(text) for text in json.load(sys.stdin)]))
`;
    const texts = files.flatMap((file) => [file.render(file.off), closeAndOpen(file)]);
    const seen = readByPython(program, texts) as Record<string, Record<string, string>>[];
    for (const [index, file] of files.entries()) {
      const [before, after] = [seen[index * 2], seen[index * 2 + 1]];
      expect(before?.app?.maintenance).toBe(file.off);
      expect(after).toEqual({ ...before, app: { ...before?.app, maintenance: file.on } });
    }
  });
});

test('no text of any kind breaks a reader: the key is found, missing or refused', () => {
  const piece = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 8 }),
    fc.constantFrom('M', '=', '"', "'", '`', '\\', '\n', '\r\n', '[', ']', '{', '}', ':', '#', ' '),
  );
  fc.assert(
    fc.property(
      fc.constantFrom(...(Object.keys(formats) as FormatName[])),
      fc.array(piece, { maxLength: 30 }).map((parts) => parts.join('')),
      (name, text) => {
        const location = formats[name].locate(text, 'M');
        expect(['found', 'missing', 'refused']).toContain(location.kind);
        const bytes = Buffer.from(text);
        const key = findKey(bytes, formats[name], 'M');
        if (typeof key === 'string') return;
        const how = { format: formats[name], key: 'M', value: 'true' };
        const closing = closingChange(bytes, key, { ...how, create: true });
        if (closing.kind !== 'change') return;
        const { change } = closing;
        const opening = openingChange(closing.bytes, { change, isUntouched: true }, how);
        expect('bytes' in opening && opening.bytes.equals(bytes)).toBe(true);
      },
    ),
    { numRuns: runs(2000) },
  );
});
