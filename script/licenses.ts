/** Which packages are in a bundle, and under which licences: what `dist/licenses.txt` says. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** As much of the bundler's account (`ncc --stats-out`) as tells which files went into the bundle. */
interface BundledModule {
  /** Absolute path of the file, for modules that are files. */
  readonly nameForCondition?: string | null;
  /** The modules that were joined into this one. */
  readonly modules?: readonly BundledModule[];
}

/**
 * Names, versions and licence texts of all packages in a bundle, sorted.
 *
 * ncc's own `--license` lists only packages of which a module stayed a module of its own: those whose
 * modules were all joined with others are missing in it, and with them the notice that their licences ask for.
 * @param stats the bundler's account as JSON text
 */
export function licensesOf(stats: string): string {
  const { modules } = JSON.parse(stats) as { modules: readonly BundledModule[] };
  const folders = new Set<string>();
  const visit = (module: BundledModule) => {
    const [folder] = /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/.exec(
      module.nameForCondition ?? '',
    ) ?? [undefined];
    if (folder !== undefined) folders.add(folder);
    module.modules?.forEach(visit);
  };
  modules.forEach(visit);
  const texts = [...folders].map(licenseIn);
  return [...new Set(texts)].sort((a, b) => (a < b ? -1 : 1)).join('\n');
}

function licenseIn(folder: string): string {
  const { name, version, license } = JSON.parse(
    readFileSync(join(folder, 'package.json'), 'utf8'),
  ) as { name: string; version: string; license?: string };
  const texts = readdirSync(folder)
    .filter((file) => /^(?:licen[cs]e|copying|notice)(?:[.-]|$)(?!.*\.[cm]?[jt]s$)/i.test(file))
    .sort()
    .map((file) => readFileSync(join(folder, file), 'utf8').replaceAll('\r\n', '\n').trim());
  const named = license ?? 'The package does not say under which licence it is.';
  return [`${name} ${version}`, named, '', ...texts, ''].join('\n');
}
