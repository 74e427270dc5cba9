import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseDocument } from 'yaml';
import type { Site } from './site.ts';

/** What a rehearsal changes in the shop's plan, by path: `['smoke-test', 'deadline']`. */
export type PlanChange = { readonly path: readonly (string | number)[]; readonly value: unknown };

/** A plan for a site, and what has to be in the environment for it. */
export type SitePlan = {
  /** Absolute path of the plan file. */
  readonly path: string;
  readonly name: string;
  readonly stateDir: string;
  readonly environment: Readonly<Record<string, string>>;
};

/** Which of the shop's migrations the plan applies. */
export type Migrations = 'migrations' | 'migrations-failing' | 'migrations-breaking-checkout';

const example = fileURLToPath(new URL('../examples/shop/maintenance.yml', import.meta.url));

/** Writes the shop's own plan, with the site's ports and folders in it, into the site's work folder. */
export async function writePlan(
  site: Site,
  options: { readonly migrations?: Migrations; readonly changes?: readonly PlanChange[] } = {},
): Promise<SitePlan> {
  const document = parseDocument(await readFile(example, 'utf8'));
  const stateDir = join(site.workFolder, 'state');
  const changes: PlanChange[] = [
    { path: ['public-url'], value: `${site.publicUrl}/` },
    { path: ['state-dir'], value: stateDir },
    { path: ['enable-maintenance', 'site-files'], value: [site.webServer.siteFile] },
    { path: ['enable-maintenance', 'nginx-command'], value: [...site.webServer.command] },
    {
      path: ['run-db-maintenance', 'tasks', 2, 'files'],
      value: join(site.shopFolder, options.migrations ?? 'migrations'),
    },
    ...(options.changes ?? []),
  ];
  for (const { path, value } of changes) document.setIn(path, document.createNode(value));
  const path = join(site.workFolder, 'maintenance.yml');
  await writeFile(path, document.toString());
  return {
    path,
    name: 'shop',
    stateDir,
    environment: {
      DATABASE_URL: site.databaseUrl,
      MAINTENANCE_BYPASS_TOKEN: 'rehearsal-bypass-0123456789abcdef',
    },
  };
}
