import { posix } from 'node:path';
import type { Host } from '../ports/host.ts';

/** Removes the temporary files that a killed run left beside a file which only this window writes. */
export async function removeTemporaries(host: Host, path: string): Promise<void> {
  const folder = posix.dirname(path);
  const name = posix.basename(path);
  for (const entry of await host.list(folder)) {
    const ours =
      entry.startsWith(`.${name}.`) && /^\d+-[0-9a-f]{24}\.tmp$/.test(entry.slice(name.length + 2));
    if (ours) await host.remove(`${folder}/${entry}`);
  }
}
