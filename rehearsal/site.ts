import { randomBytes } from 'node:crypto';
import { chmod, cp, mkdir, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startApplication, type Application } from './application.ts';
import { startCluster, type Cluster, type ClusterData } from './cluster.ts';
import { makeTemporaryFolder } from './temporary-folder.ts';
import { startWebServer, type WebServer } from './web-server.ts';

export type SiteOptions = {
  /** About how much data the database holds, in megabytes; a whole number from 1. */
  readonly megabytes: number;
  /** Where the site's own folder is made; default: the system's temporary folder. */
  readonly folder?: string;
  /** Whether the database's commits survive a power cut. Default: false. */
  readonly durable?: boolean;
  /** Further settings of PostgreSQL. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Begins with a copy of another site's data instead of filling its database anew. */
  readonly from?: SiteData;
  /** When aborted while the site starts, it is not finished but removed. */
  readonly signal?: AbortSignal;
  /** Called with a line before each part is started. */
  readonly onProgress?: (line: string) => void;
};

/** The data of a site whose cluster does not run. */
export type SiteData = ClusterData & { readonly databasePassword: string };

/** A whole small system on 127.0.0.1: PostgreSQL, the example shop, nginx in front of it. */
export type Site = {
  /** Everything of this site is in here, and gone after `stop`. */
  readonly folder: string;
  /** An empty folder for whoever works on the site: plans, records, backups, reports. */
  readonly workFolder: string;
  /** A copy of the example shop's files, migrations included. */
  readonly shopFolder: string;
  /** What the public asks: nginx. Without a slash at the end. */
  readonly publicUrl: string;
  /** Straight to the application. Without a slash at the end. */
  readonly applicationUrl: string;
  /** The database as the role that owns it and that the application uses. */
  readonly databaseUrl: string;
  readonly databaseName: string;
  readonly databaseUser: string;
  readonly databasePassword: string;
  readonly cluster: Cluster;
  readonly application: Application;
  readonly webServer: WebServer;
  /** Customers and products have the numbers from 1 to these. */
  readonly customers: number;
  readonly products: number;
  /** Runs SQL in the shop's database as the role that owns it. */
  sql(text: string): Promise<string>;
  /** Which of the given orders are not in the database, by reference. */
  missingOrders(references: readonly string[]): Promise<readonly string[]>;
  /** Ends the processes that were started for this site, and removes its folder. */
  stop(): Promise<void>;
};

const shopSource = fileURLToPath(new URL('../examples/shop', import.meta.url));
const databaseName = 'shop';
const databaseUser = 'shop';

/**
 * Starts a site and fills its database.
 * @throws when a part does not start; nothing is left then.
 */
export async function startSite(options: SiteOptions): Promise<Site> {
  const { megabytes, signal } = options;
  if (!Number.isSafeInteger(megabytes) || megabytes < 1) {
    throw new Error(`megabytes is ${megabytes}; a whole number from 1 is accepted.`);
  }
  const folder = await makeTemporaryFolder('mw', options.folder ?? tmpdir());
  const begin = (line: string) => {
    signal?.throwIfAborted();
    options.onProgress?.(line);
  };
  const running: { stop(): Promise<void> }[] = [];
  const stop = async () => {
    // What was started last is asked first: nginx before the shop, the shop before its database.
    for (let part = running.pop(); part !== undefined; part = running.pop()) await part.stop();
    await folder.remove();
  };
  try {
    const workFolder = await makeReadableFolder(join(folder.path, 'work'));
    const shopFolder = await makeReadableFolder(join(folder.path, 'example'));
    await cp(shopSource, shopFolder, {
      recursive: true,
      filter: (source) => !source.endsWith('/node_modules'),
    });

    begin('starting PostgreSQL');
    const cluster = await startCluster({
      parentFolder: folder.path,
      authentication: 'scram-sha-256',
      durable: options.durable ?? false,
      ...(options.settings === undefined ? {} : { settings: options.settings }),
      ...(options.from === undefined ? {} : { from: options.from }),
    });
    running.push(cluster);

    const databasePassword = options.from?.databasePassword ?? randomBytes(12).toString('hex');
    const login = { user: databaseUser, password: databasePassword, database: databaseName };
    const sql = (text: string) => cluster.psql(text, login);
    if (options.from === undefined) {
      begin(`filling the database with about ${megabytes} MB`);
      await createDatabase(cluster, databasePassword);
      await sql(await readFile(join(shopSource, 'schema.sql'), 'utf8'));
      const data = await readFile(join(shopSource, 'data.sql'), 'utf8');
      await sql(`\\set megabytes ${megabytes}\n${data}`);
    }
    const counts = await sql(
      'select (select count(*) from customers), (select count(*) from products)',
    );
    const [customers = 0, products = 0] = counts.split('|').map(Number);

    begin('starting the shop');
    const application = await startApplication({
      databaseUrl: cluster.url(login),
      parentFolder: folder.path,
    });
    running.push(application);

    begin('starting nginx');
    const staticFolder = join(application.folder, 'shop', 'static');
    const siteText = await readFile(join(shopSource, 'nginx.conf'), 'utf8');
    const webServer = await startWebServer({
      parentFolder: folder.path,
      sites: [
        {
          name: 'shop',
          render: (port, logFolder) =>
            renderSite(siteText, {
              'server 127.0.0.1:3000;': `server 127.0.0.1:${application.port};`,
              'listen 8080;': `listen 127.0.0.1:${port};`,
              '/var/log/nginx/': `${logFolder}/`,
              '/srv/shop/static/': `${staticFolder}/`,
            }),
        },
      ],
    });
    running.push(webServer);

    return {
      folder: folder.path,
      workFolder,
      shopFolder,
      publicUrl: `http://127.0.0.1:${webServer.port}`,
      applicationUrl: application.url,
      databaseUrl: cluster.url(login),
      databaseName,
      databaseUser,
      databasePassword,
      cluster,
      application,
      webServer,
      customers,
      products,
      sql,
      missingOrders: async (references) => {
        // References are UUIDs from JSON answers; the cast refuses anything else.
        const list = references.map((reference) => `('${reference.replaceAll("'", "''")}')`);
        if (list.length === 0) return [];
        const missing = await sql(
          `select reference from (values ${list.join(',')}) as acknowledged (reference)
            where not exists (
              select from orders where orders.reference = acknowledged.reference::uuid)`,
        );
        return missing.split('\n').filter(Boolean);
      },
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function makeReadableFolder(path: string): Promise<string> {
  await mkdir(path);
  await chmod(path, 0o755);
  return path;
}

/** The role and the database as docs for real servers ask for them, with settings of their own. */
async function createDatabase(cluster: Cluster, password: string): Promise<void> {
  await cluster.psql(`
    set password_encryption = 'scram-sha-256';
    create role ${databaseUser} login createdb password '${password}';
    grant pg_signal_backend, pg_monitor to ${databaseUser};
    create database ${databaseName} owner ${databaseUser};
    revoke connect on database ${databaseName} from public;
    comment on database ${databaseName} is 'The shop''s orders and what happened to them';
    alter database ${databaseName} set timezone to 'UTC';
  `);
}

/** Replaces what differs from machine to machine in a site file. */
function renderSite(text: string, values: Readonly<Record<string, string>>): string {
  let rendered = text;
  for (const [from, to] of Object.entries(values)) {
    if (!rendered.includes(from)) throw new Error(`The shop's nginx.conf lacks "${from}".`);
    rendered = rendered.replaceAll(from, to);
  }
  return rendered;
}
