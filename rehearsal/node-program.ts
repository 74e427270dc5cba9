import { existsSync, realpathSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/**
 * The Node that runs TypeScript files as they are (24 or newer): ours, or the one among the npm
 * packages of this repository.
 */
export function nodeProgram(): string {
  if (Number(process.versions.node.split('.')[0]) >= 24) return process.execPath;
  const installed = fileURLToPath(new URL('../node_modules/.bin/node', import.meta.url));
  if (existsSync(installed)) return realpathSync(installed);
  throw new Error(
    `Node 24 or newer is needed; this is ${process.version}, and node_modules has none. ` +
      'Nothing was started. Run script/bootstrap.',
  );
}
