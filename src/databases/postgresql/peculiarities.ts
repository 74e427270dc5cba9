import { z } from 'zod';

export const peculiaritiesSchema = z.object({
  /** Subscriptions, which a restore leaves out. */
  subscriptions: z.array(z.string()),
  /** Materialized views with contents, which a restore fills anew: a stale one comes back with other rows. */
  refreshed: z.array(z.string()),
  /** Unlogged tables: their rows are in the dump, though a crash of the server would have emptied them. */
  unlogged: z.array(z.string()),
  eventTriggers: z.array(z.string()),
});

/** Contents of a database that do not come back from a dump as one might think. */
export type Peculiarities = z.infer<typeof peculiaritiesSchema>;

/**
 * Extensions' own objects are left out, for a dump does not hold them. pg_subscription is one catalogue for the whole
 * server, of which anybody may read names (manual, 53.54).
 */
export const peculiaritiesQuery = `SELECT json_build_object(
  'subscriptions', (SELECT coalesce(json_agg(format('%I', subname) ORDER BY subname), '[]') FROM pg_subscription
    WHERE subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())),
  'refreshed', (SELECT coalesce(json_agg(format('%I.%I', n.nspname, c.relname) ORDER BY n.nspname, c.relname), '[]')
    FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.relkind = 'm' AND c.relispopulated AND n.nspname !~ '^pg_'),
  'unlogged', (SELECT coalesce(json_agg(format('%I.%I', n.nspname, c.relname) ORDER BY n.nspname, c.relname), '[]')
    FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.relkind = 'r' AND c.relpersistence = 'u' AND n.nspname !~ '^pg_'),
  'eventTriggers', (SELECT coalesce(json_agg(format('%I', evtname) ORDER BY evtname), '[]') FROM pg_event_trigger AS t
    WHERE NOT EXISTS (SELECT FROM pg_depend AS d
      WHERE d.classid = 'pg_event_trigger'::regclass AND d.objid = t.oid AND d.deptype = 'e')))`;

const shown = 5;

function some(names: readonly string[]): string {
  const rest = names.length - shown;
  return `${names.slice(0, shown).join(', ')}${rest > 0 ? ` and ${rest} more` : ''}`;
}

/** What people should know of a restore of such a database, a line each. */
export function describePeculiarities(found: Peculiarities): readonly string[] {
  const { subscriptions, refreshed, unlogged } = found;
  return [
    subscriptions.length === 0
      ? []
      : `A restore leaves out the subscriptions ${some(subscriptions)}: a second one would take over the replication slot of the first. Create them again by hand.`,
    refreshed.length === 0
      ? []
      : `A restore fills the materialized views ${some(refreshed)} anew: one that is stale now comes back with other rows.`,
    unlogged.length === 0
      ? []
      : `The dump holds the rows of the unlogged tables ${some(unlogged)}; a standby or a copy of the files would not.`,
  ].flat();
}
