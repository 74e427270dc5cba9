import { z } from 'zod';
import type { Database } from '../../../ports/database.ts';
import type { TaskResult } from '../../../ports/database-tasks.ts';
import { fail } from '../../../ports/failure.ts';
import type { Psql } from '../psql.ts';
import { findRelation, isForeign } from './chosen-tables.ts';
import { counted } from './counted.ts';
import { refreshOrder } from './refresh-order.ts';
import { withObserver, withSession, type TaskSession, type TaskTools } from './task-session.ts';

type RefreshOptions = Parameters<Database['refresh']>[1];

const view = z.object({
  oid: z.string(),
  name: z.string(),
  isPopulated: z.boolean(),
  fileNode: z.string(),
  /** A unique index over all rows and columns only, which REFRESH CONCURRENTLY compares rows by. */
  uniqueIndex: z.string().nullable(),
  readsFrom: z.array(z.string()),
  isPermitted: z.boolean(),
  isForeign: z.boolean(),
});
type View = z.infer<typeof view>;

async function readViews(session: TaskSession, state: string): Promise<View[]> {
  return session.rows(
    `SELECT c.oid::text AS oid, format('%I.%I', n.nspname, c.relname) AS name, c.relispopulated AS "isPopulated",
       pg_relation_filenode(c.oid)::text AS "fileNode",
       (SELECT min(ic.relname) FROM pg_index AS i JOIN pg_class AS ic ON ic.oid = i.indexrelid
        WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid AND i.indimmediate AND i.indpred IS NULL
          AND 0 <> ALL (i.indkey::int2[])) AS "uniqueIndex",
       coalesce((WITH RECURSIVE sources AS (
           SELECT d.refobjid AS oid FROM pg_rewrite AS w JOIN pg_depend AS d ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid
           WHERE w.ev_class = c.oid AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> c.oid
           UNION
           SELECT d.refobjid FROM sources AS s JOIN pg_class AS v ON v.oid = s.oid AND v.relkind = 'v'
           JOIN pg_rewrite AS w ON w.ev_class = v.oid
           JOIN pg_depend AS d ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid
           WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid <> v.oid
         ) SELECT jsonb_agg(DISTINCT s.oid::text) FROM sources AS s JOIN pg_class AS m ON m.oid = s.oid WHERE m.relkind = 'm'), '[]') AS "readsFrom",
       (pg_has_role(c.relowner, 'USAGE') OR CASE WHEN current_setting('server_version_num')::int >= 170000
         THEN has_table_privilege(c.oid, 'MAINTAIN') ELSE false END) AS "isPermitted",
       ${isForeign} AS "isForeign"
     FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
     WHERE c.relkind = 'm' AND c.relpersistence <> 't' ORDER BY 2`,
    view,
    { what: 'Reading the materialized views', state },
  );
}

interface Choice {
  /** In the order in which they are refreshed. */
  readonly views: readonly View[];
  readonly notes: readonly string[];
}

async function choose(
  psql: Psql,
  observer: TaskSession,
  names: readonly string[] | 'all',
  options: RefreshOptions,
): Promise<Choice> {
  const all = await readViews(observer, 'Nothing was changed.');
  const chosen =
    names === 'all'
      ? all.filter((entry) => entry.isPermitted || !entry.isForeign)
      : await named(psql, all, names);
  const refused = chosen.filter(({ isPermitted }) => !isPermitted).map(({ name }) => name);
  if (refused.length > 0) {
    fail({
      code: 'database-table-not-permitted',
      message: `The role may not refresh ${refused.join(', ')}: only the owner of a materialized view or a superuser may.`,
      state: 'Nothing was changed.',
      next: 'Use a role that owns them, or name only the views that the role owns.',
    });
  }
  const plain = options.concurrently ? chosen.filter((entry) => obstacle(entry) !== undefined) : [];
  return {
    views: refreshOrder(chosen),
    notes: plain.map(
      (entry) =>
        `${entry.name} not concurrently, with a lock against readers: ${obstacle(entry) ?? ''}`,
    ),
  };
}

/** Why a view cannot be refreshed concurrently (manual, REFRESH MATERIALIZED VIEW). */
function obstacle({ isPopulated, uniqueIndex }: View): string | undefined {
  if (!isPopulated) return 'it has never been filled';
  return uniqueIndex === null ? 'it has no unique index over all rows by columns alone' : undefined;
}

async function named(psql: Psql, all: readonly View[], names: readonly string[]): Promise<View[]> {
  const chosen: View[] = [];
  for (const text of names) {
    const found = await findRelation(psql, text, 'The materialized view');
    const entry = all.find(({ oid }) => oid === found?.oid);
    if (entry === undefined) {
      return fail({
        code: 'database-table-unknown',
        message: `There is no materialized view ${JSON.stringify(text)} that the role can see in database ${JSON.stringify(psql.database)}.`,
        state: 'Nothing was changed.',
        next: 'Correct the name in the plan or the input, with its schema when it is not on the search path.',
      });
    }
    if (!chosen.includes(entry)) chosen.push(entry);
  }
  return chosen;
}

/** {@link DatabaseTasks.previewRefresh} */
export async function previewRefresh(
  tools: TaskTools,
  names: readonly string[] | 'all',
  options: RefreshOptions,
): Promise<readonly string[]> {
  return withObserver(
    tools,
    options,
    async (observer) => (await choose(tools.psql, observer, names, options)).notes,
  );
}

/** {@link DatabaseTasks.refresh} */
export async function refresh(
  tools: TaskTools,
  names: readonly string[] | 'all',
  options: RefreshOptions,
): Promise<TaskResult> {
  return withObserver(tools, options, async (observer) => {
    const { views, notes } = await choose(tools.psql, observer, names, options);
    const isConcurrent = (entry: View): boolean =>
      options.concurrently && obstacle(entry) === undefined;
    let rowsBefore = 0;
    let rowsAfter = 0;
    await withSession(tools, options, async (session) => {
      for (const [at, entry] of views.entries()) {
        options.onProgress?.(`refresh ${entry.name} (${at + 1} of ${views.length})`);
        const state = `${at} of ${views.length} materialized views are refreshed; ${entry.name} is as it was.`;
        if (entry.isPopulated) rowsBefore += await count(session, entry, state);
        const how = isConcurrent(entry) ? 'CONCURRENTLY ' : '';
        await session.run(`REFRESH MATERIALIZED VIEW ${how}${entry.name}`, {
          what: `REFRESH MATERIALIZED VIEW ${how}${entry.name}`,
          state,
          isRepeatable: true,
          stopsOthers: !isConcurrent(entry),
        });
        rowsAfter += await count(
          session,
          entry,
          `${at + 1} of ${views.length} materialized views are refreshed.`,
        );
      }
    });
    const after = await readViews(
      observer,
      'The views were refreshed; what came of it was not observed.',
    );
    prove(views, after, isConcurrent);
    const concurrent = views.filter(isConcurrent).length;
    return {
      summary: [
        `${counted(views.length, 'materialized view')} refreshed, ${concurrent} of them concurrently; ${rowsBefore.toLocaleString('en-US')} rows before, ${rowsAfter.toLocaleString('en-US')} after`,
        ...notes,
      ].join('; '),
      figures: {
        views: views.length,
        'views-concurrently': concurrent,
        'rows-before': rowsBefore,
        'rows-after': rowsAfter,
      },
      proof: `all ${views.length} are populated; ${concurrent} kept their file, changed row by row by their unique index, and ${views.length - concurrent} have a new one (another relfilenode than before)`,
    };
  });
}

async function count(session: TaskSession, entry: View, state: string): Promise<number> {
  const [rows] = await session.run(`SELECT pg_catalog.count(*) FROM ${entry.name}`, {
    what: `Counting the rows of ${entry.name}`,
    state,
    isRepeatable: true,
  });
  return Number(rows ?? 0);
}

/** @throws FailureError `database-refresh-unproved` */
function prove(
  before: readonly View[],
  after: readonly View[],
  isConcurrent: (entry: View) => boolean,
): void {
  const problems = before.flatMap((entry) => {
    const now = after.find(({ oid }) => oid === entry.oid);
    if (now === undefined) return [`${entry.name} is not there any more`];
    if (!now.isPopulated) return [`${entry.name} is not populated`];
    // A concurrent refresh changes rows in place, a plain one writes a new file.
    const isSame = now.fileNode === entry.fileNode;
    if (isConcurrent(entry) && !isSame) return [`${entry.name} was replaced, not changed in place`];
    return !isConcurrent(entry) && isSame ? [`${entry.name} is in its old file`] : [];
  });
  if (problems.length === 0) return;
  fail({
    code: 'database-refresh-unproved',
    message: `The statements succeeded, but the catalogue shows otherwise: ${problems.join('; ')}.`,
    state: 'The other views are refreshed; the tables that they read from were not changed.',
    next: 'See in pg_stat_activity who else refreshes or alters these views, then run the step again.',
  });
}
