import { fileURLToPath } from 'node:url';
import { join } from 'node:path';
import type { Site } from '../../rehearsal/site.ts';
import type { RunKind } from './side.ts';

/**
 * What all sides do: vacuum and analyze the database, rebuild all of its indexes, build one more, change the
 * schema by SQL files. Where the rollback is measured only the latter: the others have no part in it. The changes alter the catalogue and few rows: what a change of all rows takes would be
 * the same on both sides, and would have to be waited for while the site is closed.
 */
export function migrationsOf(site: Site, kind: RunKind): string {
  return kind === 'rollback' ? join(site.shopFolder, 'migrations-failing') : schemaChanges;
}

const schemaChanges = fileURLToPath(new URL('schema-changes', import.meta.url));

/** The index that a customer's list of orders wants, newest first. */
export const newIndex = {
  name: 'orders_customer_placed',
  on: 'orders (customer_id, placed_at desc)',
};
