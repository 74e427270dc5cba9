import type { SequencePosition } from '../../../ports/database-contents.ts';
import { fail } from '../../../ports/failure.ts';
import type { PsqlSession } from '../psql.ts';
import { notOfExtension, ofUsers } from './catalogue-sql.ts';

const sequencesQuery = `SELECT json_build_object('name', format('%I.%I', n.nspname, c.relname))::text
  FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace AND ${ofUsers()}
  WHERE c.relkind = 'S' AND c.relpersistence <> 't'
    AND (${notOfExtension('pg_class', 'c.oid')} OR EXISTS (SELECT FROM pg_extension AS x WHERE c.oid = ANY (x.extconfig)))
  ORDER BY c.oid`;

const togetherAtMost = 200;

/** Where all sequences stand now: no snapshot holds them. */
export async function readSequences(
  session: PsqlSession,
): Promise<Readonly<Record<string, SequencePosition>>> {
  const names = (await session.query(sequencesQuery)).map(
    (line) => (JSON.parse(line) as { name: string }).name,
  );
  const found: [string, SequencePosition][] = [];
  for (let start = 0; start < names.length; start += togetherAtMost) {
    const some = names.slice(start, start + togetherAtMost);
    const queries = some.map(
      (name, i) => `SELECT ${String(i)} AS i, last_value, is_called FROM ${name}`,
    );
    const lines = await session.query(`${queries.join('\nUNION ALL ')}\nORDER BY i`);
    for (const [i, name] of some.entries()) {
      const match = /^(\d+)\|(-?\d+)\|([tf])$/.exec(lines[i] ?? '');
      if (match === null || Number(match[1]) !== i) {
        fail({
          code: 'database-answer-unexpected',
          message: `The server answered a question about sequences with something unexpected: ${JSON.stringify(lines.slice(0, 3))}.`,
          state: 'They were only read; nothing was changed.',
          next: 'Report this with the server’s version; it may be a version that is not supported yet.',
        });
      }
      found.push([name, { value: match[2] ?? '', called: match[3] === 't' }]);
    }
  }
  return Object.fromEntries(found);
}
