const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'] as const;

/** What {@link parseBytes} accepts. */
export const bytesPattern = /^(\d{1,12}(?:\.\d{1,9})?) ?(B|KiB|MiB|GiB|TiB)$/;

/**
 * Bytes of a size in words: `512 MiB`, `2GiB`.
 * @returns `undefined` when the text is no size
 */
export function parseBytes(text: string): number | undefined {
  const match = bytesPattern.exec(text);
  if (match === null) return undefined;
  const [, amount, unit] = match;
  return Math.round(Number(amount) * 1024 ** units.indexOf(unit as (typeof units)[number]));
}

/** A size for people: `1.4 GiB`. */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  // From 1023.5 on it would be rounded to 1024 of the smaller unit.
  while (Math.abs(value) >= 1023.5 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  const rounded = value >= 100 || unit === 0 ? Math.round(value) : Math.round(value * 10) / 10;
  return `${rounded} ${units[unit] ?? 'B'}`;
}
