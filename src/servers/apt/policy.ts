/** A version of a package that the host can have, and whether a security archive has it. */
export interface KnownVersion {
  readonly version: string;
  readonly security: boolean;
  readonly installed: boolean;
}

/** What `apt-cache policy` knows of a package; versions from new to old. */
export interface PackagePolicy {
  readonly installed: string | undefined;
  readonly candidate: string | undefined;
  readonly versions: readonly KnownVersion[];
}

/**
 * The sources of packages that are security archives, from `apt-cache policy` without a name. A source is one when its
 * label says so (`l=Debian-Security`), or when its suite or code name ends in `-security` (`a=noble-security`; Ubuntu's
 * ESM too). Each is known by the words that follow its priority, such as `http://… bookworm-security/main amd64 Packages`.
 */
export function securitySources(output: string): ReadonlySet<string> {
  const sources = new Set<string>();
  let source = '';
  for (const line of output.split('\n')) {
    const head = /^ {1,3}-?\d+ (\S.*)$/.exec(line);
    if (head !== null) source = head[1]?.trim() ?? '';
    const release = /^ {5}release (.*)$/.exec(line)?.[1];
    if (release !== undefined && isSecurity(release)) sources.add(source);
  }
  return sources;
}

function isSecurity(release: string): boolean {
  const fields = new Map(
    release.split(',').map((field) => [field.slice(0, 1), field.slice(2)] as const),
  );
  return (
    /security/i.test(fields.get('l') ?? '') ||
    [fields.get('a'), fields.get('n')].some((name) => name?.endsWith('-security') === true)
  );
}

/** Reads `apt-cache policy NAME…`. */
export function parsePolicies(
  output: string,
  security: ReadonlySet<string>,
): ReadonlyMap<string, PackagePolicy> {
  const policies = new Map<string, PackagePolicy>();
  for (const block of output.split(/^(?=\S)/m)) {
    const name = /^(\S+):$/m.exec(block.split('\n')[0] ?? '')?.[1];
    if (name !== undefined) policies.set(name, parsePolicy(block, security));
  }
  return policies;
}

function parsePolicy(block: string, security: ReadonlySet<string>): PackagePolicy {
  const versions: { version: string; security: boolean; installed: boolean }[] = [];
  for (const line of block.split('\n')) {
    const head = /^ (\*\*\*| {3}) (\S+) -?\d+(?: \(.*\))?$/.exec(line);
    if (head !== null) {
      versions.push({ version: head[2] ?? '', security: false, installed: head[1] === '***' });
      continue;
    }
    const source = /^ {5,}-?\d+ (\S.*)$/.exec(line)?.[1]?.trim();
    const last = versions.at(-1);
    if (source !== undefined && last !== undefined && security.has(source)) last.security = true;
  }
  return {
    installed: fieldOf(block, 'Installed'),
    candidate: fieldOf(block, 'Candidate'),
    versions,
  };
}

function fieldOf(block: string, field: string): string | undefined {
  const value = new RegExp(`^ {2}${field}: (.*)$`, 'm').exec(block)?.[1];
  return value === '(none)' ? undefined : value;
}

/** The newest version above the installed one that a security archive has. */
export function securityUpdate(policy: PackagePolicy): string | undefined {
  const above = policy.versions.slice(
    0,
    policy.versions.findIndex(({ installed }) => installed),
  );
  return above.find(({ security }) => security)?.version;
}
