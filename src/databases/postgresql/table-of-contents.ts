import type { RestoreOrder } from '../../ports/dump-manifest.ts';

/** An entry of what `pg_restore --list` prints: `3451; 2615 16385 SCHEMA - shop owner`. */
export interface TocEntry {
  readonly id: number;
  /** From the type on, as printed. */
  readonly text: string;
}

/** The entries of a table of contents, in its order; comments are left out. */
export function readToc(listing: string): readonly TocEntry[] {
  return listing.split('\n').flatMap((line) => {
    const match = /^(\d+); \d+ \d+ (.*)$/.exec(line);
    return match === null ? [] : [{ id: Number(match[1]), text: match[2] ?? '' }];
  });
}

export function tablesWithData(toc: readonly TocEntry[]): number {
  return toc.filter(({ text }) => text.startsWith('TABLE DATA ')).length;
}

/**
 * What has to be restored last so that a restore fires no event trigger; `null` when the dump's own order does. pg_dump
 * puts event triggers after everything but the refreshing of materialized views (PRIO_EVENT_TRIGGER and
 * PRIO_REFRESH_MATVIEW in its pg_dump_sort.c), which fires them: they would then write into tables that were restored,
 * or make the restore fail.
 */
export function orderWithoutEvents(toc: readonly TocEntry[]): RestoreOrder | null {
  const isOfEventTrigger = ({ text }: TocEntry): boolean =>
    /^(?:EVENT TRIGGER |COMMENT - EVENT TRIGGER |SECURITY LABEL - EVENT TRIGGER )/.test(text);
  const last = toc.filter(isOfEventTrigger).map(({ id }) => id);
  const refreshes = toc.some(({ text }) => text.startsWith('MATERIALIZED VIEW DATA '));
  if (last.length === 0 || !refreshes) return null;
  return { first: toc.filter((entry) => !isOfEventTrigger(entry)).map(({ id }) => id), last };
}
