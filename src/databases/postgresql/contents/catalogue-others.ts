import {
  column,
  grants,
  grantWords,
  madeLater,
  notOfExtension,
  ofUsers,
  options,
  roleName,
  rowFacts,
  secretOptions,
  type CatalogueSection,
} from './catalogue-sql.ts';

const noMore = 'NULL::jsonb AS not_dumped, NULL::text AS left_out';

/** Grants on what the server or an extension made: what a user added to them, or took away. */
function changedGrants(
  catalogue: string,
  kind: string,
  acl: string,
  owner: string,
  subobject = '0',
): string {
  const now = grantWords(acl, kind, owner);
  const initially = grantWords('i.initprivs', kind, owner);
  const list = (query: string): string =>
    `(SELECT string_agg(word, ', ' ORDER BY word COLLATE "C") FROM (${query}) AS words_)`;
  return `SELECT '${catalogue}'::regclass AS classid, o.oid AS objid, ${subobject} AS objsubid,
      ${list(`${now} EXCEPT ${initially}`)} AS granted, ${list(`${initially} EXCEPT ${now}`)} AS revoked
    FROM ${catalogue} AS o LEFT JOIN pg_init_privs AS i
      ON i.classoid = '${catalogue}'::regclass AND i.objoid = o.oid AND i.objsubid = 0
    WHERE ${acl} IS DISTINCT FROM i.initprivs AND (o.oid < 16384 OR NOT (${notOfExtension(catalogue, 'o.oid')}))`;
}

/** Objects that comments and labels hang on, when they are users' own. */
const commented = (catalogue: string, alias: string): string => `pg_${catalogue} AS ${alias},
    LATERAL pg_identify_object(${alias}.classoid, ${alias}.objoid, ${alias}.objsubid) AS o
  WHERE ${alias}.classoid <> 'pg_largeobject'::regclass
    AND (${madeLater(`${alias}.objoid`)} OR ${alias}.classoid = 'pg_namespace'::regclass AND o.identity = 'public')
    AND (${alias}.classoid = 'pg_extension'::regclass OR NOT EXISTS (SELECT FROM pg_depend AS ext_ WHERE ext_.classid = ${alias}.classoid
      AND ext_.objid = ${alias}.objoid AND ext_.deptype = 'e'))
    AND coalesce(o.schema !~ '^pg_t(emp|oast)', true)`;

/** Schemas, extensions, event triggers, foreign servers, publications, and what hangs on objects of all kinds. */
export const otherSections: readonly CatalogueSection[] = [
  {
    title: 'the database',
    catalogues: ['pg_database'],
    query: `SELECT 'the database''s locale' AS name, jsonb_strip_nulls(jsonb_build_object('encoding', pg_encoding_to_char(b.encoding),
      'collate', b.datcollate, 'ctype', b.datctype, 'provider', ${column('b', 'datlocprovider')},
      'locale', coalesce(${column('b', 'datlocale')}, ${column('b', 'daticulocale')}), 'rules', ${column('b', 'daticurules')})) AS facts, ${noMore}
    FROM pg_database AS b WHERE b.datname = current_database()`,
  },
  {
    title: 'schemas',
    catalogues: ['pg_namespace'],
    query: `SELECT format('schema %I', n.nspname) AS name,
      jsonb_build_object('owner', ${roleName('n.nspowner')}, 'grants', ${grants('n.nspacl', 'n', 'n.nspowner')}) AS facts, ${noMore}
    FROM pg_namespace AS n WHERE ${ofUsers()} AND ${notOfExtension('pg_namespace', 'n.oid')}`,
  },
  {
    title: 'extensions',
    catalogues: ['pg_extension'],
    // A dump says CREATE EXTENSION and no more: whoever restores owns it, in the version that the server has.
    query: `SELECT format('extension %I', e.extname) AS name,
      jsonb_build_object('version', e.extversion, 'schema', e.extnamespace::regnamespace::text) AS facts,
      jsonb_build_object('owner', ${roleName('e.extowner')}) AS not_dumped, NULL::text AS left_out
    FROM pg_extension AS e`,
  },
  {
    title: 'event triggers',
    catalogues: ['pg_event_trigger'],
    query: `SELECT format('event trigger %I', t.evtname) AS name,
      jsonb_strip_nulls(jsonb_build_object('owner', ${roleName('t.evtowner')}, 'event', t.evtevent, 'enabled', t.evtenabled,
        'function', t.evtfoid::regprocedure::text, 'tags', ${options('t.evttags')})) AS facts, ${noMore}
    FROM pg_event_trigger AS t WHERE ${notOfExtension('pg_event_trigger', 't.oid')}`,
  },
  {
    title: 'foreign-data wrappers',
    catalogues: ['pg_foreign_data_wrapper'],
    query: `SELECT format('foreign-data wrapper %I', w.fdwname) AS name,
      jsonb_build_object('owner', ${roleName('w.fdwowner')}, 'grants', ${grants('w.fdwacl', 'F', 'w.fdwowner')},
        'handler', w.fdwhandler::regprocedure::text, 'validator', w.fdwvalidator::regprocedure::text, 'options', ${secretOptions('w.fdwoptions')}) AS facts, ${noMore}
    FROM pg_foreign_data_wrapper AS w WHERE ${notOfExtension('pg_foreign_data_wrapper', 'w.oid')}`,
  },
  {
    title: 'foreign servers',
    catalogues: ['pg_foreign_server'],
    query: `SELECT format('foreign server %I', s.srvname) AS name,
      jsonb_strip_nulls(jsonb_build_object('owner', ${roleName('s.srvowner')}, 'grants', ${grants('s.srvacl', 'S', 's.srvowner')},
        'wrapper', w.fdwname, 'type', s.srvtype, 'version', s.srvversion, 'options', ${secretOptions('s.srvoptions')})) AS facts, ${noMore}
    FROM pg_foreign_server AS s JOIN pg_foreign_data_wrapper AS w ON w.oid = s.srvfdw
    WHERE ${notOfExtension('pg_foreign_server', 's.oid')}`,
  },
  {
    title: 'user mappings',
    catalogues: ['pg_user_mapping'],
    query: `SELECT format('user mapping for %s on %I', ${roleName('m.umuser')}, m.srvname) AS name,
      jsonb_build_object('options', ${secretOptions('m.umoptions')}) AS facts, ${noMore} FROM pg_user_mappings AS m`,
  },
  {
    title: 'publications',
    catalogues: ['pg_publication'],
    query: `SELECT format('publication %I', p.pubname) AS name,
      ${rowFacts('p', ['oid', 'pubname', 'pubowner'])} || jsonb_build_object('owner', ${roleName('p.pubowner')}) AS facts, ${noMore}
    FROM pg_publication AS p WHERE ${notOfExtension('pg_publication', 'p.oid')}`,
  },
  {
    title: 'tables of publications',
    catalogues: ['pg_publication_rel'],
    since: 15,
    query: `SELECT format('publication %I for table %s', p.pubname, r.prrelid::regclass) AS name, jsonb_strip_nulls(jsonb_build_object(
        'columns', (SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attname) FROM pg_attribute AS a
          WHERE a.attrelid = r.prrelid AND a.attnum = ANY (r.prattrs)),
        'where', pg_get_expr(r.prqual, r.prrelid))) AS facts, ${noMore}
    FROM pg_publication_rel AS r JOIN pg_publication AS p ON p.oid = r.prpubid`,
  },
  {
    title: 'tables of publications, which are published whole',
    catalogues: ['pg_publication_rel'],
    before: 15,
    query: `SELECT format('publication %I for table %s', p.pubname, r.prrelid::regclass) AS name, '{}'::jsonb AS facts, ${noMore}
    FROM pg_publication_rel AS r JOIN pg_publication AS p ON p.oid = r.prpubid`,
  },
  {
    title: 'schemas of publications',
    catalogues: ['pg_publication_namespace'],
    since: 15,
    query: `SELECT format('publication %I for schema %s', p.pubname, r.pnnspid::regnamespace) AS name, '{}'::jsonb AS facts, ${noMore}
    FROM pg_publication_namespace AS r JOIN pg_publication AS p ON p.oid = r.pnpubid`,
  },
  {
    title: 'subscriptions',
    catalogues: ['pg_subscription', 'pg_subscription_rel'],
    query: `SELECT format('subscription %I', s.subname) AS name, jsonb_build_object('owner', ${roleName('s.subowner')}) AS facts,
      NULL::jsonb AS not_dumped, 'a second one would take the first one''s changes, so a restore leaves it out' AS left_out
    FROM pg_subscription AS s JOIN pg_database AS b ON b.oid = s.subdbid AND b.datname = current_database()`,
  },
  {
    title: 'default privileges',
    catalogues: ['pg_default_acl'],
    query: `SELECT format('default privileges of %s for %s in %s', ${roleName('d.defaclrole')}, d.defaclobjtype,
        coalesce(nullif(d.defaclnamespace, 0)::regnamespace::text, 'all schemas')) AS name,
      jsonb_build_object('grants', (SELECT string_agg(word, ', ' ORDER BY word COLLATE "C")
        FROM (${grantWords('d.defaclacl', 'r', 'd.defaclrole')}) AS words_)) AS facts, ${noMore}
    FROM pg_default_acl AS d`,
  },
  {
    title: 'changed grants on objects of the server and of extensions',
    catalogues: ['pg_init_privs'],
    query: `SELECT format('grants on %s %s', i.type, i.identity) AS name,
      jsonb_strip_nulls(jsonb_build_object('granted', x.granted, 'revoked', x.revoked)) AS facts, ${noMore}
    FROM (${[
      changedGrants('pg_class', 'r', 'o.relacl', 'o.relowner'),
      changedGrants('pg_proc', 'f', 'o.proacl', 'o.proowner'),
      changedGrants('pg_type', 'T', 'o.typacl', 'o.typowner'),
      changedGrants('pg_language', 'l', 'o.lanacl', 'o.lanowner'),
      changedGrants('pg_foreign_data_wrapper', 'F', 'o.fdwacl', 'o.fdwowner'),
      changedGrants('pg_foreign_server', 'S', 'o.srvacl', 'o.srvowner'),
      // The first is told with the schemas; of the second a dump holds nothing.
      `${changedGrants('pg_namespace', 'n', 'o.nspacl', 'o.nspowner')} AND o.nspname NOT IN ('public', 'information_schema')`,
    ].join('\nUNION ALL ')}) AS x, LATERAL pg_identify_object(x.classid, x.objid, x.objsubid) AS i
    WHERE (x.granted IS NOT NULL OR x.revoked IS NOT NULL)
      AND coalesce(i.schema !~ '^pg_t(emp|oast)' AND i.schema <> 'information_schema', true)`,
  },
  {
    title: 'comments',
    catalogues: ['pg_description'],
    query: `SELECT format('comment on %s %s', o.type, o.identity) AS name,
      jsonb_build_object('text', d.description) AS facts, ${noMore} FROM ${commented('description', 'd')}`,
  },
  {
    title: 'security labels',
    catalogues: ['pg_seclabel'],
    query: `SELECT format('security label of %s on %s %s', l.provider, o.type, o.identity) AS name,
      jsonb_build_object('label', l.label) AS facts, ${noMore} FROM ${commented('seclabel', 'l')}`,
  },
  {
    title: 'objects that depend on extensions',
    catalogues: ['pg_depend'],
    query: `SELECT format('%s %s depends on extension %I', o.type, o.identity, e.extname) AS name, '{}'::jsonb AS facts, ${noMore}
    FROM pg_depend AS d JOIN pg_extension AS e ON e.oid = d.refobjid AND d.refclassid = 'pg_extension'::regclass,
      LATERAL pg_identify_object(d.classid, d.objid, d.objsubid) AS o WHERE d.deptype = 'x'`,
  },
];

/** Catalogues that no section reads, and why the comparison is complete without them. */
export const otherCatalogues: Readonly<Record<string, string>> = {
  pg_auth_members: 'roles belong to the server, not to a database',
  pg_authid: 'roles belong to the server, not to a database',
  pg_tablespace: 'belongs to the server; what lies where is told with each table and index',
  pg_db_role_setting:
    'settings of the database are in its properties, which are kept beside the dump',
  pg_parameter_acl: 'belongs to the server',
  pg_replication_origin: 'belongs to the server',
  pg_shdepend: 'follows from owners and grants',
  pg_shdescription: 'the comment on the database is in its properties; others belong to the server',
  pg_shseclabel: 'belongs to the server, or to the database as a whole',
  pg_statistic: 'gathered anew by ANALYZE',
  pg_statistic_ext_data: 'gathered anew by ANALYZE',
  pg_largeobject: 'hashed with the contents',
  pg_largeobject_metadata: 'hashed with the contents',
};
