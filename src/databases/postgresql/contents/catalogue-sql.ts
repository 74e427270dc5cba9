/** Words that the queries on the catalogue share. Everything in them is constant: no name is interpolated. */

/** A section of the catalogue: a query for `name` (text), `facts`, `not_dumped` (json objects) and `left_out` (text). */
export interface CatalogueSection {
  /** What it is about, for messages. */
  readonly title: string;
  /** Catalogues that it reads and answers for. */
  readonly catalogues: readonly string[];
  /** The first major version that has these catalogues or columns. */
  readonly since?: number;
  /** The first one that has others. */
  readonly before?: number;
  readonly query: string;
}

/** Whether a schema (by its row `alias` of pg_namespace) is one of users. */
export function ofUsers(alias = 'n'): string {
  return `${alias}.nspname !~ '^pg_' AND ${alias}.nspname <> 'information_schema'`;
}

/** Whether an object was not made by CREATE EXTENSION, which makes it again. */
export function notOfExtension(catalogue: string, oid: string): string {
  return `NOT EXISTS (SELECT FROM pg_depend AS ext_ WHERE ext_.classid = '${catalogue}'::regclass
    AND ext_.objid = ${oid} AND ext_.refclassid = 'pg_extension'::regclass AND ext_.deptype = 'e')`;
}

/** Objects without a schema are told from the server's own by their oid (FirstNormalObjectId in the sources). */
export function madeLater(oid: string): string {
  return `${oid} >= 16384`;
}

/** A role's name as it is quoted; PUBLIC for 0. */
export function roleName(oid: string): string {
  return `CASE WHEN ${oid} = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(${oid})) END`;
}

/** An access control list as sorted words; the grantor only where it is not the owner. */
export function grants(acl: string, kind: string, owner: string): string {
  return `(SELECT coalesce(string_agg(word, ', ' ORDER BY word COLLATE "C"), 'nobody') FROM (${grantWords(acl, kind, owner)}) AS words_)`;
}

/** A query for the words of an access control list, one a row. */
export function grantWords(acl: string, kind: string, owner: string): string {
  return `SELECT ${roleName('a_.grantee')} || ': ' || a_.privilege_type
      || CASE WHEN a_.is_grantable THEN ' with grant option' ELSE '' END
      || CASE WHEN a_.grantor <> ${owner} THEN ' by ' || ${roleName('a_.grantor')} ELSE '' END AS word
    FROM aclexplode(coalesce(${acl}, acldefault('${kind}', ${owner}))) AS a_`;
}

/**
 * An array of options as sorted words. Those with `pg_` before their name are the server's own notes (`pg_attver` of a
 * column, in minor versions of 2026), new with each change, and no part of a dump.
 */
export function options(array: string): string {
  return `(SELECT string_agg(option_, ', ' ORDER BY option_ COLLATE "C") FROM unnest(${array}) AS option_ WHERE option_ !~ '^pg_')`;
}

/** Options whose values are secrets: told only whether they are the same. */
export function secretOptions(array: string): string {
  return `'hash ' || hashtextextended(coalesce(${options(array)}, '') COLLATE "C", 0)`;
}

/** A column of a catalogue that not every version has; NULL there. */
export function column(alias: string, name: string): string {
  return `to_jsonb(${alias})->>'${name}'`;
}

/** A row of a catalogue as facts, without what is told otherwise and what is no property of the object. */
export function rowFacts(alias: string, without: readonly string[]): string {
  return `jsonb_strip_nulls(to_jsonb(${alias})${without.map((name) => ` - '${name}'`).join('')})`;
}
