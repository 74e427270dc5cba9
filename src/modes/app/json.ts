import { byteOrderMark, only } from './format.ts';
import type { Addition, Location, Place, Quote, SettingsFormat } from './format.ts';
import { readJson, type JsonMember, type JsonNode, type JsonObject } from './json-tokenizer.ts';

/**
 * JSON, also with comments and trailing commas as editors write it. `a.b` is key `b` in the object at `a`; a key may
 * itself have dots.
 */
export const json: SettingsFormat = {
  defaultOn: 'true',
  keyProblem: () => undefined,
  locate,
  write,
};

function locate(text: string, key: string): Location {
  const reading = readJson(text, text.startsWith(byteOrderMark) ? 1 : 0);
  if (reading.kind === 'problem') return { kind: 'refused', reason: reading.reason };
  const { root } = reading;
  if (root.kind !== 'object') {
    return { kind: 'refused', reason: 'cannot be found: the file is no object' };
  }
  const twice = duplicateOn(root, key);
  if (twice !== undefined) return { kind: 'refused', reason: twice };
  const members = membersAt(root, key);
  if (members.some(({ value }) => value.kind !== 'scalar')) {
    return { kind: 'refused', reason: 'holds an object or an array' };
  }
  const found = only(
    text,
    members.map(({ value }) => placeOf(text, value)),
  );
  if (found === undefined) return { kind: 'missing', addition: additionFor(text, root, key) };
  return 'kind' in found ? found : { kind: 'found', place: found };
}

function placeOf(text: string, { start, end }: JsonNode): Place {
  const token = text.slice(start, end);
  if (!token.startsWith('"')) return { start, end, value: token, quote: '' };
  return { start, end, value: String(JSON.parse(token)), quote: '"' };
}

/** Members whose path, joined by dots, is the key. */
function membersAt(node: JsonObject, key: string): readonly JsonMember[] {
  return node.members.flatMap((member) => {
    if (member.key === key) return [member];
    const { value } = member;
    const isOnPath = key.startsWith(`${member.key}.`) && value.kind === 'object';
    return isOnPath ? membersAt(value, key.slice(member.key.length + 1)) : [];
  });
}

function duplicateOn(node: JsonObject, key: string): string | undefined {
  const seen = new Set<string>();
  for (const { key: name, value } of node.members) {
    const isOnPath = key.startsWith(`${name}.`);
    if (name !== key && !isOnPath) continue;
    if (seen.has(name)) return 'stands more than once, or in an object that does';
    seen.add(name);
    const below =
      isOnPath && value.kind === 'object'
        ? duplicateOn(value, key.slice(name.length + 1))
        : undefined;
    if (below !== undefined) return below;
  }
  return undefined;
}

/** As the first member of its object, with the white space that leads to the next. */
function additionFor(text: string, root: JsonObject, key: string): Addition | undefined {
  const dot = key.lastIndexOf('.');
  const parents = dot === -1 ? [root] : objectsAt(root, key.slice(0, dot));
  const [parent, another] = parents;
  if (parent === undefined || another !== undefined) return undefined;
  const offset = parent.start + 1;
  const space = /^[ \t\r\n]*/.exec(text.slice(offset))?.[0] ?? '';
  const name = `${JSON.stringify(key.slice(dot + 1))}: `;
  return parent.members.length === 0
    ? { offset, before: name, after: '' }
    : { offset, before: space + name, after: ',' };
}

function objectsAt(root: JsonObject, key: string): readonly JsonObject[] {
  return membersAt(root, key).flatMap(({ value }) => (value.kind === 'object' ? [value] : []));
}

function write(value: string, quote: Quote): string | undefined {
  const isLiteral = /^(?:true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)$/.test(value);
  return quote === '' && isLiteral ? value : JSON.stringify(value);
}
