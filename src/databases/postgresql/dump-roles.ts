/**
 * Roles that own objects of the session's database or hold rights on them, which a restore needs first. Dependencies
 * on roles are in pg_shdepend, but not those on the server's first superuser (oid 10), who cannot be dropped.
 */
export const rolesQuery = `SELECT coalesce(json_agg(name ORDER BY name), '[]') FROM (
    SELECT r.rolname AS name FROM pg_shdepend AS d
      JOIN pg_roles AS r ON r.oid = d.refobjid AND d.refclassid = 'pg_authid'::regclass
      JOIN pg_database AS b ON b.datname = current_database()
        AND (d.dbid = b.oid OR d.classid = 'pg_database'::regclass AND d.objid = b.oid)
    UNION
    SELECT r.rolname FROM pg_database AS b JOIN pg_roles AS r ON r.oid = b.datdba WHERE b.datname = current_database()
    UNION
    SELECT r.rolname FROM pg_roles AS r WHERE r.oid = 10 AND (
      EXISTS (SELECT FROM pg_class AS c WHERE c.relowner = 10 AND c.oid >= 16384)
      OR EXISTS (SELECT FROM pg_namespace AS n WHERE n.nspowner = 10 AND n.oid >= 16384)
      OR EXISTS (SELECT FROM pg_proc AS p WHERE p.proowner = 10 AND p.oid >= 16384)
      OR EXISTS (SELECT FROM pg_type AS t WHERE t.typowner = 10 AND t.oid >= 16384))
  ) AS needed`;
