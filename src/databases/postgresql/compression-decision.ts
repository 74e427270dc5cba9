import { methodText, type CompressionMethod } from './compression-methods.ts';

/** What compressing the sample by one method came to. */
export interface MeasuredMethod {
  readonly method: CompressionMethod;
  /** Seconds of CPU. */
  readonly cpuSeconds: number;
  /** Bytes that came out. */
  readonly bytes: number;
}

/** What was measured on the hosts of a dump. */
export interface CompressionFigures {
  /** Bytes of the sample of the database's own data. */
  readonly sampleBytes: number;
  /** Seconds that reading the sample from the database took. */
  readonly readSeconds: number;
  /** CPUs that nobody uses, at least one. */
  readonly freeCpus: number;
  /** Processes that compress at once: of the directory format the workers, of a stream one. */
  readonly workers: number;
  /** Bytes a second to where the dump is kept, over the network where that is another host. */
  readonly writeRate: number;
  readonly methods: readonly MeasuredMethod[];
}

/** A smaller dump is worth this much more time: it is copied, read back, kept, and restored from. */
const worthwhile = 1.25;

/** Seconds for the sample: reading, compressing and writing go on at once, so the slowest of them counts. */
export function predictedSeconds(
  { readSeconds, freeCpus, workers, writeRate }: CompressionFigures,
  { cpuSeconds, bytes }: MeasuredMethod,
): number {
  return Math.max(
    // The server's part of reading needs a CPU too.
    (readSeconds + cpuSeconds) / freeCpus,
    readSeconds / workers,
    cpuSeconds / Math.min(workers, freeCpus),
    bytes / writeRate,
  );
}

/** The method of the smallest dump among those that are about as fast as the fastest; of equal ones the first. */
export function decideCompression(figures: CompressionFigures): {
  readonly method: CompressionMethod;
  readonly reason: string;
} {
  const rated = figures.methods.map((measured) => ({
    ...measured,
    seconds: predictedSeconds(figures, measured),
  }));
  const best = Math.min(...rated.map(({ seconds }) => seconds));
  const [chosen] = rated
    .filter(({ seconds }) => seconds <= best * worthwhile)
    .sort((a, b) => a.bytes - b.bytes);
  if (chosen === undefined) throw new Error('no method of compression was measured');
  const rate = (bytes: number, seconds: number): string =>
    `${(bytes / 1e6 / Math.max(seconds, 1e-3)).toFixed(0)} MB/s`;
  const figuresOf = ({ method, bytes, seconds }: (typeof rated)[number]): string =>
    `${methodText(method)} ${rate(figures.sampleBytes, seconds)} to ${((100 * bytes) / figures.sampleBytes).toFixed(0)} %`;
  return {
    method: chosen.method,
    reason: `measured on ${(figures.sampleBytes / 1e6).toFixed(1)} MB of its data with ${figures.freeCpus} free CPUs, ${figures.workers} workers and ${rate(figures.writeRate, 1)} for writing: ${rated.map(figuresOf).join(', ')}`,
  };
}
