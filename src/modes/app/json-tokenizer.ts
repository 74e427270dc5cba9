import { lineOf } from './format.ts';

export interface JsonMember {
  readonly key: string;
  readonly value: JsonNode;
}

export interface JsonObject {
  readonly kind: 'object';
  readonly start: number;
  readonly end: number;
  readonly members: readonly JsonMember[];
}

/** A value and where it stands. */
export type JsonNode =
  JsonObject | { readonly kind: 'array' | 'scalar'; readonly start: number; readonly end: number };

export type JsonReading =
  | { readonly kind: 'read'; readonly root: JsonNode }
  | { readonly kind: 'problem'; readonly reason: string };

const space = /(?:[ \t\r\n]|\/\/[^\n]*|\/\*[^]*?\*\/)*/y;
const string = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9A-Fa-f]{4}))*"/y;
const literal = /true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const deepest = 200;

/** Positions of all values of a JSON text; comments and trailing commas are let pass. */
export function readJson(text: string, from: number): JsonReading {
  let at = from;

  const problem = (what: string): never => {
    throw new Problem(`cannot be found: line ${lineOf(text, at)} is not JSON (${what})`);
  };
  const skip = (): void => {
    at = matchAt(space, text, at) ?? at;
  };
  const take = (pattern: RegExp, what: string): string => {
    const end = matchAt(pattern, text, at) ?? problem(what);
    const token = text.slice(at, end);
    at = end;
    return token;
  };
  const expect = (sign: string): void => {
    if (text[at] !== sign) problem(`no ${sign}`);
    at += 1;
  };
  const list = (close: string, item: () => void): void => {
    at += 1;
    skip();
    while (text[at] !== close) {
      item();
      skip();
      if (text[at] === close) break;
      expect(',');
      skip();
    }
    at += 1;
  };
  const value = (depth: number): JsonNode => {
    if (depth > deepest) problem('nested too deeply');
    const start = at;
    if (text[at] === '{') {
      const members: JsonMember[] = [];
      list('}', () => {
        const key = String(JSON.parse(take(string, 'no name in quotes')));
        skip();
        expect(':');
        skip();
        members.push({ key, value: value(depth + 1) });
      });
      return { kind: 'object', start, end: at, members };
    }
    if (text[at] === '[') {
      list(']', () => value(depth + 1));
      return { kind: 'array', start, end: at };
    }
    take(text[at] === '"' ? string : literal, 'no value');
    return { kind: 'scalar', start, end: at };
  };

  try {
    skip();
    const root = value(0);
    skip();
    if (at < text.length) problem('more after its end');
    return { kind: 'read', root };
  } catch (error) {
    if (error instanceof Problem) return { kind: 'problem', reason: error.message };
    throw error;
  }
}

class Problem extends Error {}

function matchAt(pattern: RegExp, text: string, at: number): number | undefined {
  pattern.lastIndex = at;
  return pattern.test(text) ? pattern.lastIndex : undefined;
}
