/** `100 MB`, `1 GB`. */
export function sizeName(megabytes: number): string {
  return megabytes >= 1000 ? `${megabytes / 1000} GB` : `${megabytes} MB`;
}

/**
 * Reads sizes such as `100MB,1GB`.
 * @returns megabytes, each once, the smallest first
 * @throws Error naming what was given and what is accepted
 */
export function parseSizes(text: string): readonly number[] {
  const sizes = text.split(',').map((part) => {
    const [, number = '', unit] = /^(\d{1,5}) ?(MB|GB)$/.exec(part.trim()) ?? [];
    const megabytes = Number(number) * (unit === 'GB' ? 1000 : 1);
    if (unit === undefined || megabytes < 1 || megabytes > largest) {
      throw new Error(
        `--sizes is ${text}; accepted: sizes from 1MB to ${largest / 1000}GB, such as 100MB,1GB`,
      );
    }
    return megabytes;
  });
  return [...new Set(sizes)].sort((a, b) => a - b);
}

const largest = 64_000;
