import type { DatabaseFacts } from '../ports/database.ts';
import type { Host } from '../ports/host.ts';

/**
 * Bytes free where the server keeps its data; `undefined` where that cannot be seen: the role may not ask for the
 * folder, or the server runs on another machine than this host.
 * @param host where the database's client programs run
 */
export async function freeDataBytes(
  host: Host,
  facts: Pick<DatabaseFacts, 'dataDirectory'>,
): Promise<number | undefined> {
  const { dataDirectory } = facts;
  if (dataDirectory === undefined) return undefined;
  const found = await host.status(dataDirectory).catch(() => undefined);
  return found === undefined ? undefined : host.freeBytes(dataDirectory);
}
