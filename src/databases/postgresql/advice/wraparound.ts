import { z } from 'zod';
import type { TaskSession } from '../tasks/task-session.ts';
import { looking, percent, type Advice } from './advice.ts';

const kind = 'near-wraparound';
/** Share of autovacuum's own limit from which it is late. */
const leastShare = 0.9;
/** Where the server stops taking writes, a little before 2³¹ (manual, 25.1.5). */
const hardLimit = 2 ** 31;

const aged = z.object({
  name: z.string(),
  transactions: z.number(),
  transactionLimit: z.number(),
  multixacts: z.number(),
  multixactLimit: z.number(),
});

/** Tables whose oldest transaction ids are near the age at which the server must freeze them. */
export async function tablesNearWraparound(session: TaskSession): Promise<Advice> {
  const own = (option: string): string =>
    `least(current_setting('${option}')::float8, (SELECT option_value::float8 FROM pg_options_to_table(c.reloptions) WHERE option_name = '${option}'))`;
  const rows = await session.rows(
    `SELECT * FROM (SELECT format('%I.%I', n.nspname, m.relname) AS name,
       max(age(c.relfrozenxid))::float8 AS transactions, min(${own('autovacuum_freeze_max_age')}) AS "transactionLimit",
       max(mxid_age(c.relminmxid))::float8 AS multixacts, min(${own('autovacuum_multixact_freeze_max_age')}) AS "multixactLimit"
     FROM pg_class AS c LEFT JOIN pg_class AS owner ON c.relkind = 't' AND owner.reltoastrelid = c.oid
     JOIN pg_class AS m ON m.oid = coalesce(owner.oid, c.oid) JOIN pg_namespace AS n ON n.oid = m.relnamespace
     WHERE c.relkind IN ('r', 'm', 't') AND c.relpersistence <> 't' AND c.relfrozenxid <> '0'::xid
     GROUP BY 1) AS aged
     WHERE transactions >= ${String(leastShare)} * "transactionLimit" OR multixacts >= ${String(leastShare)} * "multixactLimit"
     ORDER BY greatest(transactions / "transactionLimit", multixacts / "multixactLimit") DESC, name`,
    aged,
    looking('tables near wraparound'),
  );
  return {
    kind,
    findings: rows.map((row) => ({
      kind,
      object: row.name,
      observed: `oldest transaction ${describe(row.transactions, row.transactionLimit)}; oldest multixact ${describe(row.multixacts, row.multixactLimit)}`,
      statement: `VACUUM (FREEZE) ${row.name}`,
      why: `Autovacuum should have frozen it, and the server refuses writes at ${hardLimit.toLocaleString('en-US')}. If VACUUM does not help, an old transaction, a prepared one or a replication slot holds it back.`,
    })),
  };
}

function describe(age: number, limit: number): string {
  return `${age.toLocaleString('en-US')} old, ${percent(age / limit)} of autovacuum's limit, ${percent(age / hardLimit)} of the end`;
}
