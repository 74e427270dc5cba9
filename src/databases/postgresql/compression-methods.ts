/** A way to compress and its level; `none` has none. */
export interface CompressionMethod {
  readonly name: 'none' | 'gzip' | 'lz4' | 'zstd';
  readonly level: number;
}

/** What is taken when nothing was measured: fast, and every pg_dump has it. */
export const plainGzip: CompressionMethod = { name: 'gzip', level: 1 };

/** Levels for a dump that somebody waits for. */
export const fastest: Readonly<Record<CompressionMethod['name'], CompressionMethod>> = {
  none: { name: 'none', level: 0 },
  gzip: plainGzip,
  lz4: { name: 'lz4', level: 1 },
  zstd: { name: 'zstd', level: 1 },
};

/** `gzip:1`; `none` without a level. */
export function methodText({ name, level }: CompressionMethod): string {
  return name === 'none' ? name : `${name}:${level}`;
}

/** pg_dump's argument: before version 16 a level of gzip alone (manual of 15 and 16, pg_dump). */
export function compressionArgument(method: CompressionMethod, dumpMajor: number): string {
  if (dumpMajor >= 16) return `--compress=${methodText(method)}`;
  return `--compress=${method.name === 'none' ? 0 : method.level}`;
}

/** The methods that a pg_dump of this version may have been built with. */
export function methodsOf(dumpMajor: number): readonly CompressionMethod['name'][] {
  return dumpMajor >= 16 ? ['none', 'gzip', 'lz4', 'zstd'] : ['none', 'gzip'];
}
