import type { DatabaseContents } from '../../../ports/database-contents.ts';
import { fail } from '../../../ports/failure.ts';
import type { PsqlSession } from '../psql.ts';
import { grants, roleName } from './catalogue-sql.ts';

/** Up to so many large objects are told one by one, more in ranges of oids. */
const singlyAtMost = 1000;
/** Oids have 32 bits: at most 1024 ranges. */
const rangeSize = 2 ** 22;

/**
 * Each object is read in pieces of 256 kB, so that neither holes nor the server's memory matter, and hashed with its owner,
 * grants, comment and size.
 */
const pieceHash = (number: string): string =>
  `hashtextextended(encode(b.bytes, 'hex') COLLATE "C", ${number})::numeric`;
const largeObjectsQuery = `WITH RECURSIVE piece AS (
    SELECT m.oid AS loid, 0::int8 AS number, octet_length(b.bytes) AS size, ${pieceHash('0')} AS hash
    FROM pg_largeobject_metadata AS m, LATERAL (SELECT lo_get(m.oid, 0, 262144) AS bytes OFFSET 0) AS b
    UNION ALL
    SELECT p.loid, p.number + 1, octet_length(b.bytes), ${pieceHash('p.number + 1')}
    FROM piece AS p, LATERAL (SELECT lo_get(p.loid, (p.number + 1) * 262144, 262144) AS bytes OFFSET 0) AS b
    WHERE p.size = 262144
  ), whole AS (
    SELECT loid, sum(size) AS size, sum(hash) AS hash FROM piece GROUP BY loid
  ), object AS (
    SELECT m.oid, count(*) OVER () <= ${String(singlyAtMost)} AS singly,
      hashtextextended(concat_ws(' ', m.oid, w.size, w.hash, ${roleName('m.lomowner')}, ${grants('m.lomacl', 'L', 'm.lomowner')},
        obj_description(m.oid, 'pg_largeobject')) COLLATE "C", 0) AS hash
    FROM pg_largeobject_metadata AS m JOIN whole AS w ON w.loid = m.oid)
  SELECT CASE WHEN singly THEN oid::int8 ELSE oid::int8 / ${String(rangeSize)} * ${String(rangeSize)} END AS first,
    singly, count(*), sum(hash) FROM object GROUP BY 1, 2 ORDER BY 1`;

/** Hashes all large objects, in the session's snapshot. */
export async function hashLargeObjects(
  session: PsqlSession,
): Promise<DatabaseContents['largeObjects']> {
  const lines = await session.query(largeObjectsQuery);
  return Object.fromEntries(
    lines.map((line) => {
      const [, first = '', singly, objects, hash = ''] =
        /^(\d+)\|([tf])\|(\d+)\|(-?\d+)$/.exec(line) ?? unreadable(line);
      const name = singly === 't' ? first : `${first} to ${String(Number(first) + rangeSize - 1)}`;
      return [name, { objects: Number(objects), hash }];
    }),
  );
}

function unreadable(line: string): never {
  fail({
    code: 'database-answer-unexpected',
    message: `The server answered a question about large objects with something unexpected: ${JSON.stringify(line)}.`,
    state: 'They were only read; nothing was changed.',
    next: 'Report this with the server’s version; it may be a version that is not supported yet.',
  });
}
