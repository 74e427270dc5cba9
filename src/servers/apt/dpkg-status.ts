import type { InstalledPackage } from '../../ports/package-manager.ts';

/** What {@link parseDpkgStatus} reads: `dpkg-query --show` with this format. */
export const dpkgStatusFormat = '${db:Status-Abbrev}\\t${binary:Package}\\t${Version}\\n';

export interface DpkgStatus {
  readonly installed: readonly InstalledPackage[];
  /** Packages that are neither wholly installed nor wholly removed. */
  readonly unfinished: readonly string[];
}

/**
 * Reads dpkg's list of packages. The second letter of a status is where the package stands (`dpkg-query(1)`): `n` not
 * installed, `c` configuration files left, `i` installed; anything else is work left half-way. A third letter `R` asks
 * for a reinstallation.
 */
export function parseDpkgStatus(output: string, architecture: string): DpkgStatus {
  const installed: InstalledPackage[] = [];
  const unfinished: string[] = [];
  for (const line of output.split('\n')) {
    const [status = '', fullName = '', version = ''] = line.split('\t');
    if (fullName === '') continue;
    const name = shortName(fullName, architecture);
    if (!'nci'.includes(status.charAt(1)) || status.charAt(2) === 'R') unfinished.push(name);
    if (status.charAt(1) !== 'n' && status.charAt(1) !== 'c') installed.push({ name, version });
  }
  return { installed, unfinished };
}

/** Without the host's own architecture, as apt names packages. */
export function shortName(name: string, architecture: string): string {
  return name.endsWith(`:${architecture}`) ? name.slice(0, -architecture.length - 1) : name;
}
