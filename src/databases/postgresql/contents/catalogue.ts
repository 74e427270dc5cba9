import { z } from 'zod';
import type { CatalogueObject } from '../../../ports/database-contents.ts';
import { fail } from '../../../ports/failure.ts';
import type { PsqlSession } from '../psql.ts';
import { otherSections } from './catalogue-others.ts';
import { relationSections } from './catalogue-relations.ts';
import { routineSections } from './catalogue-routines.ts';
import type { CatalogueSection } from './catalogue-sql.ts';

/** All that is read of the catalogue. */
export const catalogueSections: readonly CatalogueSection[] = [
  ...otherSections,
  ...routineSections,
  ...relationSections,
];

const texts = z.record(z.string(), z.string());
const entry = z.tuple([z.string(), texts.nullable(), texts.nullable(), z.string().nullable()]);

/** One JSON text a line: psql prints a value with line feeds in several lines, and JSON has none. */
function sectionQuery({ query }: CatalogueSection): string {
  const asTexts = (object: string): string =>
    `(SELECT json_object_agg(key, value) FROM jsonb_each_text(${object}) WHERE value IS NOT NULL)`;
  return `SELECT json_build_array(name, ${asTexts('facts')}, ${asTexts('not_dumped')}, left_out)::text FROM (\n${query}\n) AS section_`;
}

/**
 * Everything that the catalogue holds about users' objects, by kind and name. Rows are those of the session's snapshot;
 * the server writes out definitions as they are now.
 */
export async function readCatalogue(
  session: PsqlSession,
  serverMajor: number,
): Promise<Readonly<Record<string, CatalogueObject>>> {
  const found = new Map<string, CatalogueObject>();
  for (const section of catalogueSections) {
    if (serverMajor < (section.since ?? 0) || serverMajor >= (section.before ?? Infinity)) continue;
    const lines = await session.query(sectionQuery(section));
    for (const line of lines) {
      const [name, facts, notDumped, leftOut] = readEntry(section, line);
      found.set(name, {
        facts: facts ?? {},
        ...(notDumped === null ? {} : { notDumped }),
        ...(leftOut === null ? {} : { leftOut }),
      });
    }
  }
  const byName = [...found].sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(byName);
}

function readEntry(section: CatalogueSection, line: string): z.infer<typeof entry> {
  try {
    return entry.parse(JSON.parse(line));
  } catch {
    return fail({
      code: 'database-answer-unexpected',
      message: `The server described ${section.title} in an unexpected way: ${JSON.stringify(line.slice(0, 200))}.`,
      state: 'The catalogue was only read; nothing was changed.',
      next: 'Report this with the server’s version; it may be a version that is not supported yet.',
    });
  }
}
