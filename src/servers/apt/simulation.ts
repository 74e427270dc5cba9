/** What a simulated run of apt-get (`-s`) says that it would do. */
export interface Simulation {
  readonly installs: readonly {
    readonly name: string;
    /** `null`: a new package. */
    readonly from: string | null;
    readonly to: string;
  }[];
  readonly removals: readonly { readonly name: string; readonly from: string }[];
  /** Packages that have an update which this run leaves out. */
  readonly keptBack: readonly string[];
}

/**
 * Reads what `apt-get -s` prints in English: a line an action (`Inst libc6 [2.36-9] (2.36-10 Debian:12/stable [amd64])`,
 * `Remv …`, `Purg …`), and indented lists below headings.
 */
export function parseSimulation(output: string): Simulation {
  const installs: { name: string; from: string | null; to: string }[] = [];
  const removals: { name: string; from: string }[] = [];
  const keptBack: string[] = [];
  let isKeptBack = false;
  for (const line of output.split('\n')) {
    const [, name = '', from, to] = /^Inst (\S+)(?: \[([^\]]+)\])? \((\S+) /.exec(line) ?? [];
    if (to !== undefined) installs.push({ name, from: from ?? null, to });
    const removed = /^(?:Remv|Purg) (\S+)(?: \[([^\]]+)\])?/.exec(line);
    if (removed !== null) removals.push({ name: removed[1] ?? '', from: removed[2] ?? '' });
    if (line.startsWith('  ')) {
      if (isKeptBack) keptBack.push(...line.trim().split(/\s+/));
    } else {
      isKeptBack =
        line.startsWith('The following packages have been kept back') ||
        line.startsWith('The following upgrades have been deferred due to phasing');
    }
  }
  return { installs, removals, keptBack };
}

/** Bytes to download, from `apt-get --print-uris`: `'http://…' name.deb 1234 SHA256:…` a line. */
export function downloadBytesOf(output: string): number {
  let bytes = 0;
  for (const [, size = '0'] of output.matchAll(/^'[^']*' \S+ (\d+) /gm)) bytes += Number(size);
  return bytes;
}
