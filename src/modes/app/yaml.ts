import { isAlias, isCollection, isMap, isPair, isScalar, parseAllDocuments, visit } from 'yaml';
import type { Document, Pair, Scalar, YAMLMap } from 'yaml';
import { additionAtEnd, byteOrderMark, lineEndOf, lineOf } from './format.ts';
import type { Addition, Location, Place, Quote, SettingsFormat } from './format.ts';

/**
 * YAML, of one document or several. `a.b` is key `b` in the mapping at `a`; a key may itself have dots. Positions
 * come from the parser; comments, anchors and order stay as they are.
 */
export const yaml: SettingsFormat = {
  defaultOn: 'true',
  keyProblem: () => undefined,
  locate,
  write,
};

type Found =
  | { readonly kind: 'value'; readonly document: Document; readonly pair: Pair }
  | { readonly kind: 'map'; readonly map: YAMLMap };

function locate(text: string, key: string): Location {
  // The parser knows the mark only at the beginning, and counts it.
  const documents = parseAllDocuments(text, {
    keepSourceTokens: true,
    prettyErrors: false,
    schema: 'core',
    merge: false,
    resolveKnownTags: false,
    logLevel: 'silent',
    uniqueKeys: (a, b) => isScalar(a) && isScalar(b) && a.value === b.value && a.value !== '<<',
  });
  const all = 'empty' in documents ? [] : documents;
  for (const { errors } of all) {
    const [error] = errors;
    if (error !== undefined) {
      const line = lineOf(text, error.pos[0]);
      return {
        kind: 'refused',
        reason: `cannot be found: line ${line} is not YAML (${error.code})`,
      };
    }
  }
  const found = all.flatMap((document) => at(document, key));
  const [first, second] = found;
  if (second !== undefined) {
    return { kind: 'refused', reason: 'stands more than once, or can be reached in two ways' };
  }
  if (first === undefined) return { kind: 'missing', addition: additionFor(text, all, key) };
  return first.kind === 'map'
    ? { kind: 'refused', reason: 'holds a mapping or a list' }
    : located(text, first.document, first.pair);
}

/** What stands at a path of keys joined by dots. */
function at(document: Document, key: string): readonly Found[] {
  const below = (map: YAMLMap, rest: string): readonly Found[] =>
    map.items.flatMap((pair): readonly Found[] => {
      const name = nameOf(pair);
      if (name === rest) {
        if (isCollection(pair.value)) {
          // A list as an end of the path is refused like a mapping.
          return [{ kind: 'map', map: isMap(pair.value) ? pair.value : map }];
        }
        return [{ kind: 'value', document, pair }];
      }
      const isOnPath = name !== undefined && rest.startsWith(`${name}.`) && isMap(pair.value);
      return isOnPath ? below(pair.value as YAMLMap, rest.slice(name.length + 1)) : [];
    });
  return isMap(document.contents) ? below(document.contents, key) : [];
}

function nameOf({ key }: Pair): string | undefined {
  if (!isScalar(key)) return undefined;
  return key.source ?? String(key.value);
}

function located(text: string, document: Document, pair: Pair): Location {
  const { value } = pair;
  if (isAlias(value)) return { kind: 'refused', reason: 'is an alias of a value elsewhere' };
  if (!isScalar(value) || !value.range) {
    return { kind: 'refused', reason: 'has no value of its own' };
  }
  if (value.anchor !== undefined && hasAlias(document, value.anchor)) {
    return { kind: 'refused', reason: 'is what aliases elsewhere in the file stand for' };
  }
  const [start, end] = value.range;
  const token = text.slice(start, end);
  if (value.type === 'BLOCK_LITERAL' || value.type === 'BLOCK_FOLDED' || token.includes('\n')) {
    return { kind: 'refused', reason: 'has a value over several lines' };
  }
  if (token === '') {
    const place = emptyPlace(pair, value);
    return place === undefined
      ? { kind: 'refused', reason: 'has no value, but an anchor or a tag' }
      : { kind: 'found', place };
  }
  const quote = value.type === 'QUOTE_DOUBLE' ? '"' : value.type === 'QUOTE_SINGLE' ? "'" : '';
  return {
    kind: 'found',
    place: { start, end, value: value.source ?? String(value.value), quote },
  };
}

/** Right after the colon. */
function emptyPlace(pair: Pair, value: Scalar): Place | undefined {
  const token = pair.srcToken as
    { sep?: { type: string; offset: number; source: string }[] } | undefined;
  const colon = token?.sep?.find(({ type }) => type === 'map-value-ind');
  if (colon === undefined || value.anchor !== undefined || value.tag !== undefined) {
    return undefined;
  }
  const offset = colon.offset + colon.source.length;
  return { start: offset, end: offset, value: '', quote: '', lead: ' ' };
}

function hasAlias(document: Document, anchor: string): boolean {
  let found = false;
  visit(document, {
    Alias: (_, alias) => {
      found ||= alias.source === anchor;
    },
  });
  return found;
}

/** As the first entry of its mapping. */
function additionFor(
  text: string,
  documents: readonly Document[],
  key: string,
): Addition | undefined {
  const dot = key.lastIndexOf('.');
  const name = writeKey(key.slice(dot + 1));
  const [document, another] = documents;
  if (dot === -1) {
    if (another !== undefined) return undefined;
    if (document === undefined || document.contents === null) {
      const isBare = !/^(?:---|\.\.\.|%)/m.test(text.replace(byteOrderMark, ''));
      return isBare ? additionAtEnd(text, `${name}: `) : undefined;
    }
    return isMap(document.contents) ? inMap(text, document.contents, name) : undefined;
  }
  const maps = documents.flatMap((each) =>
    at(each, key.slice(0, dot)).flatMap((found) =>
      found.kind === 'map' && isNamed(found.map, each, key.slice(0, dot)) ? [found.map] : [],
    ),
  );
  const [map, other] = maps;
  return map === undefined || other !== undefined ? undefined : inMap(text, map, name);
}

/** A mapping at the path, and not the one around a list. */
function isNamed(map: YAMLMap, document: Document, path: string): boolean {
  const contains = (parent: YAMLMap, rest: string): boolean =>
    parent.items.some((pair) => {
      const name = nameOf(pair);
      if (!isMap(pair.value) || name === undefined) return false;
      if (name === rest) return pair.value === map;
      return rest.startsWith(`${name}.`) && contains(pair.value, rest.slice(name.length + 1));
    });
  return isMap(document.contents) && contains(document.contents, path);
}

function inMap(text: string, map: YAMLMap, name: string): Addition | undefined {
  if (!map.range) return undefined;
  if (map.flow === true) {
    const offset = map.range[0] + 1;
    return { offset, before: `${name}: `, after: map.items.length === 0 ? '' : ', ' };
  }
  const [first] = map.items;
  if (!isPair(first) || !isScalar(first.key) || !first.key.range) return undefined;
  const token = first.srcToken as { start?: { type: string }[] } | undefined;
  const isPlain = (token?.start ?? []).every(({ type }) =>
    ['space', 'newline', 'comment'].includes(type),
  );
  const [offset] = first.key.range;
  const column = offset - (text.lastIndexOf('\n', offset - 1) + 1);
  const lead = text.slice(offset - column, offset).replace(byteOrderMark, '');
  if (!isPlain || !/^(?:- +| )*$/.test(lead)) return undefined;
  return {
    offset,
    before: `${name}: `,
    after: `${lineEndOf(text)}${' '.repeat(lead.length)}`,
  };
}

function writeKey(name: string): string {
  return /^[A-Za-z_][A-Za-z0-9_./-]*$/.test(name) ? name : JSON.stringify(name);
}

function write(value: string, quote: Quote): string | undefined {
  switch (quote) {
    case '':
      return /^[A-Za-z0-9_/][A-Za-z0-9_./+-]*$/.test(value) ? value : JSON.stringify(value);
    case '"':
      return JSON.stringify(value);
    case "'":
      return `'${value.replaceAll("'", "''")}'`;
    case '`':
      return undefined;
  }
}
