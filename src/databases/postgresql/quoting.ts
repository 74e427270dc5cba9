import { fail } from '../../ports/failure.ts';

function refuseNul(kind: string, text: string): void {
  if (text.includes('\0')) {
    fail({
      code: 'database-text-refused',
      message: `The ${kind} ${JSON.stringify(text)} contains a NUL character, which PostgreSQL cannot store.`,
      state: 'Nothing was sent to the database.',
      next: `Give a ${kind} without NUL characters.`,
    });
  }
}

/**
 * A name as an SQL identifier, always in double quotes.
 * @throws FailureError `database-text-refused` for NUL, an empty name, or one that the server would cut off at 63 bytes
 */
export function quoteIdentifier(name: string): string {
  refuseNul('name', name);
  const bytes = Buffer.byteLength(name);
  if (bytes === 0 || bytes > 63) {
    // PostgreSQL silently cuts longer names (manual, 4.1.1), so that another object could be meant.
    fail({
      code: 'database-text-refused',
      message: `The name ${JSON.stringify(name)} has ${String(bytes)} bytes; PostgreSQL names have 1 to 63 bytes.`,
      state: 'Nothing was sent to the database.',
      next: 'Give a shorter, non-empty name.',
    });
  }
  return `"${name.replaceAll('"', '""')}"`;
}

/** `schema.table` with each part quoted. */
export function quoteQualified(...parts: readonly string[]): string {
  return parts.map(quoteIdentifier).join('.');
}

/**
 * A text as an SQL string constant that means the same under either setting of `standard_conforming_strings`:
 * with a backslash in it, it becomes an `E'…'` constant (manual, 4.1.2.2).
 * @throws FailureError `database-text-refused` for NUL
 */
export function quoteLiteral(text: string): string {
  refuseNul('text', text);
  const quoted = text.replaceAll("'", "''");
  // The leading space keeps the E apart from a word before it.
  return quoted.includes('\\') ? ` E'${quoted.replaceAll('\\', '\\\\')}'` : `'${quoted}'`;
}

/**
 * A text in dollar quotes whose tag does not occur in it; nothing inside is interpreted, neither by the server
 * nor by psql (manual, 4.1.2.4).
 * @throws FailureError `database-text-refused` for NUL
 */
export function quoteDollar(text: string): string {
  refuseNul('text', text);
  let number = 0;
  while (text.includes(`$mw${String(number)}`)) number += 1;
  const tag = `$mw${String(number)}$`;
  return `${tag}${text}${tag}`;
}
