import { additionAtEnd, only } from './format.ts';
import type { Location, Place, Quote, SettingsFormat } from './format.ts';
import { readPython, type PythonStatement, type PythonToken } from './python-tokenizer.ts';

const keyPattern = /^[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*(?:\[(?:'[^'\\\r\n]*'|"[^"\\\r\n]*")\])?$/;
const augmented = /^(?:[-+*/%@&|^]|\*\*|\/\/|>>|<<)=$/;

/**
 * Python settings modules, as Django's and Flask's: `KEY = False`, `KEY: bool = False` or
 * `app.config['KEY'] = False` at module level. Only literals are edited; what is computed is refused.
 */
export const python: SettingsFormat = {
  defaultOn: 'True',
  keyProblem: (key) =>
    keyPattern.test(key)
      ? undefined
      : "a name such as MAINTENANCE_MODE, or an entry such as app.config['MAINTENANCE_MODE']",
  locate,
  write,
};

function locate(text: string, key: string): Location {
  const reading = readPython(text);
  const wanted = readPython(key);
  if (reading.kind === 'problem') return { kind: 'refused', reason: reading.reason };
  const target = wanted.kind === 'read' ? (wanted.statements[0] ?? []) : [];
  const places: Place[] = [];
  for (const statement of reading.statements) {
    const sign = assignmentTo(statement, target);
    if (sign === undefined) {
      if (isOtherwiseAssigned(statement, target)) {
        return { kind: 'refused', reason: 'is assigned together with others, or changed in place' };
      }
      continue;
    }
    const place = literalOf(statement.slice(sign + 1));
    if (place === undefined) {
      return { kind: 'refused', reason: 'is computed and not a plain True, False, number or text' };
    }
    places.push(place);
  }
  const found = only(text, places);
  if (found === undefined) return { kind: 'missing', addition: additionAtEnd(text, `${key} = `) };
  return 'kind' in found ? found : { kind: 'found', place: found };
}

/** Index of the `=` when the statement assigns to the target alone, with or without an annotation. */
function assignmentTo(statement: PythonStatement, target: PythonStatement): number | undefined {
  if (!isAt(statement, 0, target)) return undefined;
  const after = statement[target.length];
  if (after?.text === '=') return target.length;
  if (after?.text !== ':') return undefined;
  const sign = statement.findIndex(({ text, depth }) => text === '=' && depth === 0);
  return sign === -1 ? undefined : sign;
}

function isOtherwiseAssigned(statement: PythonStatement, target: PythonStatement): boolean {
  const last = statement.findLastIndex(
    ({ text, depth }) => depth === 0 && (text === '=' || augmented.test(text)),
  );
  return statement.some(
    ({ depth }, index) =>
      index < last &&
      depth === 0 &&
      statement[index - 1]?.text !== '.' &&
      isAt(statement, index, target),
  );
}

function isAt(statement: PythonStatement, index: number, target: PythonStatement): boolean {
  return target.every((token, offset) => {
    const other = statement[index + offset];
    return other?.kind === token.kind && plain(other) === plain(token);
  });
}

/** Strings without their quotes, so that both kinds of quote are the same. */
function plain({ kind, text }: PythonToken): string {
  return kind === 'string' ? text.replace(/^(['"])(.*)\1$/, '$2') : text;
}

function literalOf(tokens: readonly PythonToken[]): Place | undefined {
  const [token, another] = tokens;
  if (token === undefined || another !== undefined) return undefined;
  const { start, end, text } = token;
  if (token.kind === 'string') {
    const match = /^(['"])(?!\1\1)([^\r\n]*)\1$/.exec(text);
    if (match === null) return undefined;
    return { start, end, value: match[2] ?? '', quote: match[1] === '"' ? '"' : "'" };
  }
  const isLiteral = token.kind === 'number' || /^(?:True|False|None)$/.test(text);
  return isLiteral ? { start, end, value: text, quote: '' } : undefined;
}

function write(value: string, quote: Quote): string | undefined {
  if (quote === '`') return undefined;
  if (quote === '') {
    const constant = /^(?:true|false|none)$/i.test(value);
    if (constant) return value.slice(0, 1).toUpperCase() + value.slice(1).toLowerCase();
    return /^(?:0|[1-9]\d*)$/.test(value) ? value : write(value, "'");
  }
  return quote + value.replaceAll('\\', '\\\\').replaceAll(quote, `\\${quote}`) + quote;
}
