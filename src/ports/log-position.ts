/** A position in the write-ahead log as PostgreSQL writes it (type pg_lsn), for instance `0/3000148`. */
export type LogPosition = string;

/** The position as a number of bytes since the log began; `undefined` when it is none. */
export function bytesAt(position: LogPosition): bigint | undefined {
  const match = /^([0-9A-Fa-f]{1,8})\/([0-9A-Fa-f]{1,8})$/.exec(position);
  if (match === null) return undefined;
  return (BigInt(`0x${match[1] ?? '0'}`) << 32n) | BigInt(`0x${match[2] ?? '0'}`);
}

/** Bytes of log from one position to another, negative when `to` comes first; `NaN` when one is no position. */
export function bytesBetween(from: LogPosition, to: LogPosition): number {
  const [begin, end] = [bytesAt(from), bytesAt(to)];
  return begin === undefined || end === undefined ? Number.NaN : Number(end - begin);
}

/** Whether a log that ends at `end` has everything up to `position`. */
export function reaches(end: LogPosition, position: LogPosition): boolean {
  return bytesBetween(position, end) >= 0;
}
