import {
  column,
  grants,
  notOfExtension,
  ofUsers,
  options,
  roleName,
  type CatalogueSection,
} from './catalogue-sql.ts';

const relationsOfUsers = `pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace AND ${ofUsers()}`;
const tableName = `format('%I.%I', n.nspname, c.relname)`;
const tablespaceName = (oid: string): string =>
  `coalesce((SELECT spcname::text FROM pg_tablespace WHERE oid = ${oid}), 'of the database')`;
/** Children by INHERITS get their parents' columns first when they are made anew. */
const isPlainChild = `NOT c.relispartition AND EXISTS (SELECT FROM pg_inherits AS i WHERE i.inhrelid = c.oid)`;

/** Tables, views, sequences, and what belongs to them. */
export const relationSections: readonly CatalogueSection[] = [
  {
    title: 'relations',
    catalogues: ['pg_class', 'pg_am', 'pg_inherits', 'pg_partitioned_table', 'pg_foreign_table'],
    query: `SELECT CASE c.relkind WHEN 'r' THEN 'table' WHEN 'p' THEN 'partitioned table' WHEN 'v' THEN 'view'
        WHEN 'm' THEN 'materialized view' WHEN 'S' THEN 'sequence' WHEN 'f' THEN 'foreign table'
        ELSE 'composite type' END || ' ' || ${tableName} AS name,
      jsonb_strip_nulls(jsonb_build_object('owner', ${roleName('c.relowner')},
        'grants', CASE WHEN c.relkind <> 'c' THEN ${grants('c.relacl', 'r', 'c.relowner')} END,
        'persistence', CASE c.relpersistence WHEN 'p' THEN 'logged' ELSE 'unlogged' END,
        'row security', CASE WHEN c.relkind IN ('r', 'p') THEN CASE WHEN c.relrowsecurity THEN 'on' ELSE 'off' END
          || CASE WHEN c.relforcerowsecurity THEN ', forced' ELSE '' END END,
        'replica identity', CASE WHEN c.relkind IN ('r', 'p', 'm') THEN c.relreplident::text END,
        'options', ${options('c.reloptions')},
        'toast options', ${options('(SELECT t.reloptions FROM pg_class AS t WHERE t.oid = c.reltoastrelid)')},
        'tablespace', CASE WHEN c.relkind IN ('r', 'p', 'm') THEN ${tablespaceName('c.reltablespace')} END,
        'access method', (SELECT amname FROM pg_am WHERE oid = c.relam),
        'type', CASE WHEN c.reloftype <> 0 THEN c.reloftype::regtype::text END,
        'parents', (SELECT string_agg(i.inhparent::regclass::text || CASE WHEN ${column('i', 'inhdetachpending')} = 'true'
            THEN ' (detach pending)' ELSE '' END, ', ' ORDER BY i.inhseqno) FROM pg_inherits AS i WHERE i.inhrelid = c.oid),
        'partition key', CASE WHEN c.relkind = 'p' THEN pg_get_partkeydef(c.oid) END,
        'partition bound', pg_get_expr(c.relpartbound, c.oid),
        'definition', CASE WHEN c.relkind IN ('v', 'm') THEN pg_get_viewdef(c.oid) END,
        'populated', CASE WHEN c.relkind = 'm' THEN c.relispopulated END,
        'server', (SELECT format('%I (%s)', s.srvname, ${options('f.ftoptions')}) FROM pg_foreign_table AS f
          JOIN pg_foreign_server AS s ON s.oid = f.ftserver WHERE f.ftrelid = c.oid))) AS facts,
      NULL::jsonb AS not_dumped, NULL::text AS left_out
    FROM ${relationsOfUsers}
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f', 'c') AND c.relpersistence <> 't'
      AND ${notOfExtension('pg_class', 'c.oid')}`,
  },
  {
    title: 'columns',
    catalogues: ['pg_attribute', 'pg_attrdef'],
    query: `SELECT format('column %I.%I.%I', n.nspname, c.relname, a.attname) AS name,
      jsonb_strip_nulls(jsonb_build_object('type', format_type(a.atttypid, a.atttypmod),
        'position', CASE WHEN NOT (${isPlainChild}) THEN row_number() OVER (PARTITION BY c.oid ORDER BY a.attnum) END,
        'not null', a.attnotnull, 'identity', nullif(a.attidentity, ''),
        'default', CASE WHEN a.attgenerated = '' THEN pg_get_expr(d.adbin, d.adrelid) END,
        'generated', CASE WHEN a.attgenerated <> '' THEN a.attgenerated::text || ' ' || pg_get_expr(d.adbin, d.adrelid) END,
        'collation', CASE WHEN a.attcollation <> 0 THEN a.attcollation::regcollation::text END,
        'storage', a.attstorage, 'compression', nullif(${column('a', 'attcompression')}, ''),
        'statistics target', nullif(a.attstattarget, -1), 'options', ${options('a.attoptions')},
        'foreign options', ${options('a.attfdwoptions')},
        'local', CASE WHEN NOT c.relispartition THEN a.attislocal END, 'inherited', a.attinhcount,
        'grants', CASE WHEN a.attacl IS NOT NULL THEN nullif(${grants('a.attacl', 'c', 'c.relowner')}, 'nobody') END)) AS facts,
      NULL::jsonb AS not_dumped, NULL::text AS left_out
    FROM ${relationsOfUsers} JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
      LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'c') AND c.relpersistence <> 't'
      AND ${notOfExtension('pg_class', 'c.oid')}`,
  },
  {
    title: 'sequences',
    catalogues: ['pg_sequence'],
    query: `SELECT format('sequence options %I.%I', n.nspname, c.relname) AS name,
      jsonb_strip_nulls(jsonb_build_object('type', s.seqtypid::regtype::text, 'start', s.seqstart, 'increment', s.seqincrement,
        'minimum', s.seqmin, 'maximum', s.seqmax, 'cache', s.seqcache, 'cycle', s.seqcycle,
        'owned by', (SELECT format('%s.%I%s', d.refobjid::regclass, a.attname, CASE d.deptype WHEN 'i' THEN ' (identity)' ELSE '' END)
          FROM pg_depend AS d JOIN pg_attribute AS a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
          WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.refclassid = 'pg_class'::regclass
            AND d.refobjsubid > 0 AND d.deptype IN ('a', 'i')))) AS facts,
      NULL::jsonb AS not_dumped, NULL::text AS left_out
    FROM ${relationsOfUsers} JOIN pg_sequence AS s ON s.seqrelid = c.oid
    WHERE c.relpersistence <> 't' AND ${notOfExtension('pg_class', 'c.oid')}`,
  },
  {
    title: 'indexes',
    catalogues: ['pg_index'],
    query: `SELECT format('index %I.%I', n.nspname, c.relname) AS name,
      jsonb_strip_nulls(jsonb_build_object('definition', pg_get_indexdef(c.oid), 'clustered', i.indisclustered,
        'replica identity', i.indisreplident, 'valid', i.indisvalid, 'tablespace', ${tablespaceName('c.reltablespace')},
        'part of', (SELECT inhparent::regclass::text FROM pg_inherits WHERE inhrelid = c.oid),
        'statistics targets', (SELECT string_agg(format('%s=%s', a.attnum, a.attstattarget), ', ' ORDER BY a.attnum)
          FROM pg_attribute AS a WHERE a.attrelid = c.oid AND a.attstattarget >= 0))) AS facts,
      NULL::jsonb AS not_dumped,
      CASE WHEN NOT i.indisvalid AND c.relkind = 'i' THEN 'pg_dump leaves invalid indexes out' END AS left_out
    FROM ${relationsOfUsers} JOIN pg_index AS i ON i.indexrelid = c.oid JOIN pg_class AS t ON t.oid = i.indrelid
    WHERE c.relpersistence <> 't' AND ${notOfExtension('pg_class', 't.oid')}`,
  },
  {
    title: 'constraints',
    catalogues: ['pg_constraint'],
    query: `SELECT format('constraint %I on %s', k.conname, coalesce(nullif(k.conrelid, 0)::regclass::text,
        'domain ' || nullif(k.contypid, 0)::regtype::text)) AS name,
      jsonb_strip_nulls(jsonb_build_object('definition', pg_get_constraintdef(k.oid), 'validated', k.convalidated,
        'local', k.conislocal, 'inherited', k.coninhcount,
        'part of', (SELECT p.conname FROM pg_constraint AS p WHERE p.oid = k.conparentid))) AS facts,
      CASE WHEN k.contype = 'f' THEN jsonb_build_object('enforced by its triggers', NOT EXISTS (SELECT FROM pg_trigger AS t
        WHERE t.tgconstraint = k.oid AND t.tgisinternal AND t.tgenabled <> 'O')) END AS not_dumped,
      NULL::text AS left_out
    FROM pg_constraint AS k JOIN pg_namespace AS n ON n.oid = k.connamespace AND ${ofUsers()}
    WHERE k.contype <> 't' AND ${notOfExtension('pg_class', 'k.conrelid')} AND ${notOfExtension('pg_type', 'k.contypid')}`,
  },
  {
    title: 'rules',
    catalogues: ['pg_rewrite'],
    query: `SELECT format('rule %I on %s', r.rulename, ${tableName}) AS name,
      jsonb_build_object('definition', pg_get_ruledef(r.oid), 'enabled', r.ev_enabled) AS facts,
      NULL::jsonb AS not_dumped, NULL::text AS left_out
    FROM ${relationsOfUsers} JOIN pg_rewrite AS r ON r.ev_class = c.oid AND r.rulename <> '_RETURN'
    WHERE ${notOfExtension('pg_class', 'c.oid')}`,
  },
  {
    title: 'triggers',
    catalogues: ['pg_trigger'],
    query: `SELECT format('trigger %I on %s', t.tgname, ${tableName}) AS name,
      jsonb_build_object('definition', pg_get_triggerdef(t.oid), 'enabled', t.tgenabled) AS facts,
      NULL::jsonb AS not_dumped, NULL::text AS left_out
    FROM ${relationsOfUsers} JOIN pg_trigger AS t ON t.tgrelid = c.oid AND NOT t.tgisinternal
    WHERE ${notOfExtension('pg_trigger', 't.oid')}`,
  },
  {
    title: 'policies',
    catalogues: ['pg_policy'],
    query: `SELECT format('policy %I on %s', p.polname, ${tableName}) AS name,
      jsonb_strip_nulls(jsonb_build_object('command', p.polcmd, 'permissive', p.polpermissive,
        'roles', (SELECT string_agg(${roleName('r')}, ', ' ORDER BY ${roleName('r')} COLLATE "C") FROM unnest(p.polroles) AS r),
        'using', pg_get_expr(p.polqual, p.polrelid), 'check', pg_get_expr(p.polwithcheck, p.polrelid))) AS facts,
      NULL::jsonb AS not_dumped, NULL::text AS left_out
    FROM ${relationsOfUsers} JOIN pg_policy AS p ON p.polrelid = c.oid`,
  },
  {
    title: 'extended statistics',
    catalogues: ['pg_statistic_ext'],
    query: `SELECT format('statistics %I.%I', n.nspname, s.stxname) AS name,
      jsonb_strip_nulls(jsonb_build_object('owner', ${roleName('s.stxowner')}, 'definition', pg_get_statisticsobjdef(s.oid),
        'target', nullif(s.stxstattarget, -1))) AS facts,
      NULL::jsonb AS not_dumped, NULL::text AS left_out
    FROM pg_statistic_ext AS s JOIN pg_namespace AS n ON n.oid = s.stxnamespace AND ${ofUsers()}
    WHERE ${notOfExtension('pg_statistic_ext', 's.oid')}`,
  },
];
