import {
  column,
  grants,
  madeLater,
  notOfExtension,
  ofUsers,
  roleName,
  rowFacts,
  type CatalogueSection,
} from './catalogue-sql.ts';

const noMore = 'NULL::jsonb AS not_dumped, NULL::text AS left_out';
const inSchema = (alias: string, column: string): string =>
  `JOIN pg_namespace AS n ON n.oid = ${alias}.${column} AND ${ofUsers()}`;

/** Whether an object did not come with a type, as the constructors of ranges do. */
const notOfType = (
  catalogue: string,
  oid: string,
): string => `NOT EXISTS (SELECT FROM pg_depend AS with_
    WHERE with_.classid = '${catalogue}'::regclass AND with_.objid = ${oid} AND with_.deptype = 'i')`;

/** Functions, types, operators, and what search, casts and languages are made of. */
export const routineSections: readonly CatalogueSection[] = [
  {
    title: 'functions',
    catalogues: ['pg_proc', 'pg_aggregate'],
    query: `SELECT CASE p.prokind WHEN 'a' THEN 'aggregate' WHEN 'p' THEN 'procedure' ELSE 'function' END
        || ' ' || p.oid::regprocedure::text AS name,
      jsonb_strip_nulls(jsonb_build_object('owner', ${roleName('p.proowner')}, 'grants', ${grants('p.proacl', 'f', 'p.proowner')},
        'definition', CASE WHEN p.prokind <> 'a' THEN pg_get_functiondef(p.oid) END,
        'aggregate', (SELECT (${rowFacts('g', ['aggfnoid', 'aggtranstype', 'aggmtranstype', 'aggsortop'])})::text
          || concat_ws(' ', g.aggtranstype::regtype::text, g.aggmtranstype::regtype::text, g.aggsortop::regoperator::text)
          FROM pg_aggregate AS g WHERE g.aggfnoid = p.oid),
        'returns', CASE WHEN p.prokind = 'a' THEN pg_get_function_result(p.oid) || ' ' || p.proparallel::text END)) AS facts, ${noMore}
    FROM pg_proc AS p ${inSchema('p', 'pronamespace')} WHERE ${notOfExtension('pg_proc', 'p.oid')} AND ${notOfType('pg_proc', 'p.oid')}`,
  },
  {
    title: 'types',
    catalogues: ['pg_type', 'pg_enum', 'pg_range'],
    query: `SELECT CASE t.typtype WHEN 'd' THEN 'domain' ELSE 'type' END || ' ' || t.oid::regtype::text AS name,
      jsonb_strip_nulls(jsonb_build_object('kind', t.typtype, 'owner', ${roleName('t.typowner')},
        'grants', ${grants('t.typacl', 'T', 't.typowner')}, 'base', CASE WHEN t.typtype = 'd' THEN format_type(t.typbasetype, t.typtypmod) END,
        'not null', CASE WHEN t.typtype = 'd' THEN t.typnotnull END, 'default', t.typdefault,
        'collation', CASE WHEN t.typcollation <> 0 THEN t.typcollation::regcollation::text END,
        'labels', (SELECT string_agg(quote_literal(e.enumlabel), ', ' ORDER BY e.enumsortorder) FROM pg_enum AS e WHERE e.enumtypid = t.oid),
        'range', (SELECT concat_ws(' ', r.rngsubtype::regtype, nullif(r.rngcollation, 0)::regcollation, o.opcname,
            r.rngcanonical, r.rngsubdiff, (${column('r', 'rngmultitypid')})::oid::regtype)
          FROM pg_range AS r JOIN pg_opclass AS o ON o.oid = r.rngsubopc WHERE r.rngtypid = t.oid),
        'implementation', CASE WHEN t.typtype = 'b' THEN concat_ws(' ', t.typlen, t.typbyval, t.typcategory, t.typispreferred,
          t.typdelim, t.typinput, t.typoutput, t.typreceive, t.typsend, t.typmodin, t.typmodout, t.typanalyze,
          t.typalign, t.typstorage, nullif(t.typelem, 0)::regtype) END)) AS facts, ${noMore}
    FROM pg_type AS t ${inSchema('t', 'typnamespace')}
    WHERE t.typtype <> 'm' AND (t.typrelid = 0 OR (SELECT relkind FROM pg_class WHERE oid = t.typrelid) = 'c')
      AND NOT EXISTS (SELECT FROM pg_type AS e WHERE e.typarray = t.oid) AND ${notOfExtension('pg_type', 't.oid')}`,
  },
  {
    title: 'operators',
    catalogues: ['pg_operator'],
    query: `SELECT 'operator ' || o.oid::regoperator::text AS name,
      jsonb_strip_nulls(jsonb_build_object('owner', ${roleName('o.oprowner')}, 'function', o.oprcode,
        'commutator', nullif(o.oprcom, 0)::regoperator::text, 'negator', nullif(o.oprnegate, 0)::regoperator::text,
        'merges', o.oprcanmerge, 'hashes', o.oprcanhash, 'restrict', o.oprrest, 'join', o.oprjoin)) AS facts, ${noMore}
    FROM pg_operator AS o ${inSchema('o', 'oprnamespace')} WHERE ${notOfExtension('pg_operator', 'o.oid')}`,
  },
  {
    title: 'operator families',
    catalogues: ['pg_opfamily', 'pg_amop', 'pg_amproc'],
    query: `SELECT format('operator family %I.%I using %I', n.nspname, f.opfname, m.amname) AS name,
      jsonb_strip_nulls(jsonb_build_object('owner', ${roleName('f.opfowner')},
        'operators', (SELECT string_agg(format('%s %s %s %s', o.amopstrategy, o.amopopr::regoperator, o.amoppurpose,
            (SELECT s.opfname FROM pg_opfamily AS s WHERE s.oid = o.amopsortfamily)), ', ' ORDER BY o.amopstrategy, o.amopopr::regoperator::text COLLATE "C")
          FROM pg_amop AS o WHERE o.amopfamily = f.oid),
        'functions', (SELECT string_agg(format('%s %s %s %s', p.amprocnum, p.amproclefttype::regtype, p.amprocrighttype::regtype,
            p.amproc::regprocedure), ', ' ORDER BY p.amprocnum, p.amproc::regprocedure::text COLLATE "C")
          FROM pg_amproc AS p WHERE p.amprocfamily = f.oid))) AS facts, ${noMore}
    FROM pg_opfamily AS f ${inSchema('f', 'opfnamespace')} JOIN pg_am AS m ON m.oid = f.opfmethod
    WHERE ${notOfExtension('pg_opfamily', 'f.oid')}`,
  },
  {
    title: 'operator classes',
    catalogues: ['pg_opclass'],
    query: `SELECT format('operator class %I.%I using %I', n.nspname, c.opcname, m.amname) AS name,
      jsonb_strip_nulls(jsonb_build_object('owner', ${roleName('c.opcowner')}, 'family', f.opfname, 'type', c.opcintype::regtype::text,
        'default', c.opcdefault, 'storage', nullif(c.opckeytype, 0)::regtype::text)) AS facts, ${noMore}
    FROM pg_opclass AS c ${inSchema('c', 'opcnamespace')} JOIN pg_am AS m ON m.oid = c.opcmethod
      JOIN pg_opfamily AS f ON f.oid = c.opcfamily WHERE ${notOfExtension('pg_opclass', 'c.oid')}`,
  },
  {
    title: 'casts',
    catalogues: ['pg_cast'],
    query: `SELECT format('cast from %s to %s', c.castsource::regtype, c.casttarget::regtype) AS name,
      jsonb_build_object('function', c.castfunc::regprocedure::text, 'context', c.castcontext, 'method', c.castmethod) AS facts, ${noMore}
    FROM pg_cast AS c WHERE ${madeLater('c.oid')} AND ${notOfExtension('pg_cast', 'c.oid')}
      AND ${notOfType('pg_cast', 'c.oid')}`,
  },
  {
    title: 'collations',
    catalogues: ['pg_collation'],
    // The version of the library is not in a dump: it is that of the machine.
    query: `SELECT 'collation ' || c.oid::regcollation::text AS name,
      ${rowFacts('c', ['oid', 'collname', 'collnamespace', 'collowner', 'collversion'])} || jsonb_build_object('owner', ${roleName('c.collowner')}) AS facts, ${noMore}
    FROM pg_collation AS c ${inSchema('c', 'collnamespace')} WHERE ${notOfExtension('pg_collation', 'c.oid')}`,
  },
  {
    title: 'conversions',
    catalogues: ['pg_conversion'],
    query: `SELECT format('conversion %I.%I', n.nspname, c.conname) AS name,
      ${rowFacts('c', ['oid', 'conname', 'connamespace', 'conowner'])} || jsonb_build_object('owner', ${roleName('c.conowner')}) AS facts, ${noMore}
    FROM pg_conversion AS c ${inSchema('c', 'connamespace')} WHERE ${notOfExtension('pg_conversion', 'c.oid')}`,
  },
  {
    title: 'languages',
    catalogues: ['pg_language'],
    query: `SELECT format('language %I', l.lanname) AS name,
      jsonb_build_object('owner', ${roleName('l.lanowner')}, 'grants', ${grants('l.lanacl', 'l', 'l.lanowner')}, 'trusted', l.lanpltrusted,
        'handler', l.lanplcallfoid::regprocedure::text, 'inline', l.laninline::regprocedure::text,
        'validator', l.lanvalidator::regprocedure::text) AS facts, ${noMore}
    FROM pg_language AS l WHERE ${madeLater('l.oid')} AND ${notOfExtension('pg_language', 'l.oid')}`,
  },
  {
    title: 'transforms',
    catalogues: ['pg_transform'],
    query: `SELECT format('transform for %s in %I', t.trftype::regtype, l.lanname) AS name,
      jsonb_build_object('from', t.trffromsql, 'to', t.trftosql) AS facts, ${noMore}
    FROM pg_transform AS t JOIN pg_language AS l ON l.oid = t.trflang WHERE ${notOfExtension('pg_transform', 't.oid')}`,
  },
  {
    title: 'access methods',
    catalogues: ['pg_am'],
    query: `SELECT format('access method %I', a.amname) AS name,
      jsonb_build_object('handler', a.amhandler, 'type', a.amtype) AS facts, ${noMore}
    FROM pg_am AS a WHERE ${madeLater('a.oid')} AND ${notOfExtension('pg_am', 'a.oid')}`,
  },
  {
    title: 'text search configurations',
    catalogues: ['pg_ts_config', 'pg_ts_config_map'],
    query: `SELECT 'text search configuration ' || c.oid::regconfig::text AS name,
      jsonb_strip_nulls(jsonb_build_object('owner', ${roleName('c.cfgowner')}, 'parser', p.prsname,
        'dictionaries', (SELECT string_agg(format('%s %s', m.maptokentype, m.mapdict::regdictionary), ', ' ORDER BY m.maptokentype, m.mapseqno)
          FROM pg_ts_config_map AS m WHERE m.mapcfg = c.oid))) AS facts, ${noMore}
    FROM pg_ts_config AS c ${inSchema('c', 'cfgnamespace')} JOIN pg_ts_parser AS p ON p.oid = c.cfgparser
    WHERE ${notOfExtension('pg_ts_config', 'c.oid')}`,
  },
  {
    title: 'text search dictionaries',
    catalogues: ['pg_ts_dict'],
    query: `SELECT 'text search dictionary ' || d.oid::regdictionary::text AS name,
      jsonb_strip_nulls(jsonb_build_object('owner', ${roleName('d.dictowner')}, 'template', t.tmplname, 'options', d.dictinitoption)) AS facts, ${noMore}
    FROM pg_ts_dict AS d ${inSchema('d', 'dictnamespace')} JOIN pg_ts_template AS t ON t.oid = d.dicttemplate
    WHERE ${notOfExtension('pg_ts_dict', 'd.oid')}`,
  },
  {
    title: 'text search parsers',
    catalogues: ['pg_ts_parser'],
    query: `SELECT format('text search parser %I.%I', n.nspname, p.prsname) AS name,
      ${rowFacts('p', ['oid', 'prsname', 'prsnamespace'])} AS facts, ${noMore}
    FROM pg_ts_parser AS p ${inSchema('p', 'prsnamespace')} WHERE ${notOfExtension('pg_ts_parser', 'p.oid')}`,
  },
  {
    title: 'text search templates',
    catalogues: ['pg_ts_template'],
    query: `SELECT format('text search template %I.%I', n.nspname, t.tmplname) AS name,
      ${rowFacts('t', ['oid', 'tmplname', 'tmplnamespace'])} AS facts, ${noMore}
    FROM pg_ts_template AS t ${inSchema('t', 'tmplnamespace')} WHERE ${notOfExtension('pg_ts_template', 't.oid')}`,
  },
];
