import { fail } from '../../../ports/failure.ts';

/** A name with or without its schema, as PostgreSQL reads it. */
export interface QualifiedName {
  readonly schema: string | undefined;
  readonly name: string;
}

const part = /^(?:"((?:[^"]|"")+)"|([A-Za-z_\u0080-\uffff][A-Za-z0-9_$\u0080-\uffff]*))/;

/**
 * Reads `table`, `schema.table`, `"Quoted table"` or `schema."Quoted.table"` by SQL's rules: names without
 * quotes are folded to lower case (manual, 4.1.1).
 * @param input how the reader knows the setting, for the message
 * @throws FailureError `database-name-refused`
 */
export function parseQualifiedName(text: string, input: string): QualifiedName {
  const parts: string[] = [];
  let rest = text.trim();
  for (;;) {
    const found = part.exec(rest);
    if (found === null || parts.length === 2) return refuse(text, input);
    const [whole, quoted, plain] = found;
    parts.push(quoted === undefined ? foldAscii(plain ?? '') : quoted.replaceAll('""', '"'));
    rest = rest.slice(whole.length);
    if (rest === '') break;
    if (!rest.startsWith('.')) return refuse(text, input);
    rest = rest.slice(1);
  }
  if (parts.some((name) => Buffer.byteLength(name) > 63 || name.includes('\0'))) {
    return refuse(text, input);
  }
  const [first = '', second] = parts;
  return second === undefined
    ? { schema: undefined, name: first }
    : { schema: first, name: second };
}

/** In a UTF-8 database PostgreSQL folds ASCII letters only. */
function foldAscii(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => letter.toLowerCase());
}

function refuse(text: string, input: string): never {
  fail({
    code: 'database-name-refused',
    message: `${input} ${JSON.stringify(text)} is not a table name; accepted are table, schema.table and, in double quotes, "Any Name" or schema."Any Name", each part up to 63 bytes.`,
    state: 'Nothing was sent to the database.',
    next: 'Correct the name in the plan or the input.',
  });
}
