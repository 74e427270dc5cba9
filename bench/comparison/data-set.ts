import { execFile } from 'node:child_process';
import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { startSite, type Site, type SiteData } from '../../rehearsal/site.ts';
import { makeTemporaryFolder } from '../../rehearsal/temporary-folder.ts';
import { withSite } from '../../rehearsal/with-site.ts';

const run = promisify(execFile);

/** Data that is built once, so that every run of either side begins with the same. */
export type DataSet = {
  readonly megabytes: number;
  /** The size of the shop's database, as PostgreSQL tells it. */
  readonly bytes: number;
  readonly data: SiteData;
  remove(): Promise<void>;
};

/**
 * PostgreSQL as the package installs it; commits survive a power cut. Only autovacuum is off, because it would
 * come to some runs and not to others.
 */
const databaseSettings: Readonly<Record<string, string>> = { autovacuum: 'off' };
/** What makes the building quick, and what the package has instead: the copies bring their settings with them. */
const quickBuilding: Readonly<Record<string, string>> = {
  maintenance_work_mem: '256MB',
  max_wal_size: '4GB',
};
const asInstalled: Readonly<Record<string, string>> = {
  maintenance_work_mem: '64MB',
  max_wal_size: '1GB',
};

/** What a shop in production has besides keys: a way from each parent to its children, and to what is looked for. */
const usualIndexes = `
  create index orders_customer on orders (customer_id);
  create index orders_open on orders (status, placed_at);
  create index order_items_product on order_items (product_id);
  create index events_order on events (order_id);
  create index events_kind on events (kind, happened_at);
  analyze;
`;
/** How many megabytes of the example's own data make one with those indexes. */
const share = 0.84;

/**
 * Fills a database with the shop's data and keeps the stopped cluster's files.
 * @param megabytes about how large the database is, indexes included
 */
export async function buildDataSet(megabytes: number): Promise<DataSet> {
  const folder = await makeTemporaryFolder('mw-data');
  try {
    const dataFolder = join(folder.path, 'data');
    const site = await startSite({
      megabytes: Math.max(1, Math.round(megabytes * share)),
      settings: { ...databaseSettings, ...quickBuilding },
      folder: folder.path,
    });
    try {
      await site.sql(usualIndexes);
      const bytes = Number(await site.sql('select pg_database_size(current_database())'));
      await site.application.halt();
      await site.cluster.halt();
      await rename(site.cluster.dataFolder, dataFolder);
      const { databasePassword } = site;
      const { superuserPassword } = site.cluster;
      return {
        megabytes,
        bytes,
        data: { dataFolder, superuserPassword, databasePassword },
        remove: () => folder.remove(),
      };
    } finally {
      await site.stop();
    }
  } catch (error) {
    await folder.remove();
    throw error;
  }
}

/** Resolves when the file system has nothing left to write. */
export async function flush(folder: string): Promise<void> {
  await run('sync', ['--file-system', folder]);
}

/** A site of its own on a copy of the data, with nothing left to write from the copying. */
export function withCopyOf<Result>(
  { megabytes, data }: DataSet,
  body: (site: Site, signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  return withSite(
    { megabytes, from: data, durable: true, settings: { ...databaseSettings, ...asInstalled } },
    async (site, signal) => {
      await flush(site.folder);
      return await body(site, signal);
    },
  );
}
