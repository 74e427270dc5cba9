import type { BackupFacts } from './recovery.ts';

/** How a backup was written and where it is, in words; `undefined` of records that do not tell. */
export function formWords({
  format,
  host,
  compression,
  encrypted,
}: Pick<BackupFacts, 'format' | 'host' | 'compression' | 'encrypted'>): string | undefined {
  if (format === undefined) return undefined;
  const place = host === undefined ? '' : ` on ${host}`;
  return [
    `${format === 'stream' ? 'one streamed file' : 'a folder'}${place}`,
    encrypted === true ? 'encrypted before it left the database’s host' : undefined,
    compression && `compressed by ${compression.chosen}: ${compression.reason}`,
  ]
    .filter((words) => words !== undefined)
    .join('; ');
}
