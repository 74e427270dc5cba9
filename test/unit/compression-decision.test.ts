import { describe, expect, test } from '@jest/globals';
import {
  decideCompression,
  predictedSeconds,
  type CompressionFigures,
} from '../../src/databases/postgresql/compression-decision.ts';
import {
  compressionArgument,
  fastest,
  methodsOf,
} from '../../src/databases/postgresql/compression-methods.ts';
import {
  compressedFigures,
  copiedFigures,
} from '../../src/databases/postgresql/compression-sample.ts';

const megabyte = 1e6;
/** 8 MB that gzip takes a tenth of a second for, and zstd a fifth of that. */
const figures: CompressionFigures = {
  sampleBytes: 8 * megabyte,
  readSeconds: 0.02,
  freeCpus: 2,
  workers: 2,
  writeRate: 400 * megabyte,
  methods: [
    { method: fastest.none, cpuSeconds: 0, bytes: 8 * megabyte },
    { method: fastest.lz4, cpuSeconds: 0.015, bytes: 3 * megabyte },
    { method: fastest.zstd, cpuSeconds: 0.02, bytes: 1.8 * megabyte },
    { method: fastest.gzip, cpuSeconds: 0.1, bytes: 2 * megabyte },
    { method: { name: 'gzip', level: 6 }, cpuSeconds: 0.3, bytes: 1.7 * megabyte },
  ],
};
const gzipOnly: CompressionFigures = {
  ...figures,
  methods: figures.methods.filter(({ method }) => ['none', 'gzip'].includes(method.name)),
};

describe('the compression that is chosen', () => {
  test.each<[string, CompressionFigures, string, number]>([
    ['the smallest of those that are about as fast', figures, 'zstd', 1],
    ['nothing, where the disk is faster than gzip', gzipOnly, 'none', 0],
    ['gzip, where the disk is slower', { ...gzipOnly, writeRate: 60 * megabyte }, 'gzip', 1],
    [
      'the best gzip over a slow network',
      { ...gzipOnly, workers: 1, writeRate: 4 * megabyte },
      'gzip',
      6,
    ],
    [
      'the fast gzip, where reading is slow too',
      { ...gzipOnly, readSeconds: 0.09, freeCpus: 4 },
      'gzip',
      1,
    ],
    [
      'the cheap one on a busy host',
      { ...figures, readSeconds: 0, freeCpus: 1, writeRate: 200 * megabyte },
      'lz4',
      1,
    ],
  ])('is %s', (_, measured, name, level) => {
    expect(decideCompression(measured).method).toEqual({ name, level });
  });

  test('is told with its figures', () => {
    expect(decideCompression(gzipOnly).reason).toBe(
      'measured on 8.0 MB of its data with 2 free CPUs, 2 workers and 400 MB/s for writing: none 400 MB/s to 100 %, gzip:1 133 MB/s to 25 %, gzip:6 50 MB/s to 21 %',
    );
  });

  test('counts the slowest of reading, compressing and writing', () => {
    const method = { method: fastest.gzip, cpuSeconds: 0.4, bytes: 2 * megabyte };
    const plenty = { ...figures, freeCpus: 8 };
    expect(predictedSeconds({ ...plenty, workers: 1 }, method)).toBeCloseTo(0.4);
    expect(predictedSeconds({ ...plenty, workers: 4 }, method)).toBeCloseTo(0.1);
    expect(predictedSeconds({ ...plenty, workers: 4, writeRate: megabyte }, method)).toBeCloseTo(2);
    expect(predictedSeconds({ ...plenty, workers: 1, readSeconds: 3 }, method)).toBeCloseTo(3);
    expect(predictedSeconds({ ...figures, freeCpus: 1, workers: 4 }, method)).toBeCloseTo(0.42);
  });
});

describe('what pg_dump is told', () => {
  test.each([
    [fastest.gzip, 15, '--compress=1'],
    [fastest.none, 15, '--compress=0'],
    [fastest.gzip, 16, '--compress=gzip:1'],
    [fastest.none, 17, '--compress=none'],
    [fastest.zstd, 16, '--compress=zstd:1'],
    [fastest.lz4, 18, '--compress=lz4:1'],
  ])('%j of version %i: %s', (method, major, argument) => {
    expect(compressionArgument(method, major)).toBe(argument);
  });

  test('only newer ones may know lz4 and zstd', () => {
    expect(methodsOf(15)).toEqual(['none', 'gzip']);
    expect(methodsOf(16)).toContain('zstd');
  });
});

describe('what is read of the tools', () => {
  test.each([
    ['134217728 bytes (134 MB, 128 MiB) copied, 0.0416 s, 3.2 GB/s', [134_217_728, 0.0416]],
    [
      '1+0 records in\n1+0 records out\n8388608 bytes (8.0MB) copied, 0.012345 seconds, 648.0MB/s',
      [8_388_608, 0.012345],
    ],
    ['65536 bytes (66 kB, 64 KiB) copied, 5.1e-05 s, 1.3 GB/s', [65_536, 5.1e-5]],
    ['0 bytes copied, 0.01 s, 0.0 kB/s', [0, 0.01]],
    ['dd: not found', undefined],
  ])('%j', (said, figuresFound) => {
    const found = copiedFigures(said);
    expect(found && [found.bytes, found.seconds]).toEqual(figuresFound);
  });

  test.each([
    ['1234\n0m0.00s 0m0.00s\n0m0.12s 0m0.03s\n', { bytes: 1234, cpuSeconds: 0.15 }],
    ['   77\n0m0.000000s 0m0.000000s\n1m2.500000s 0m0.500000s\n', { bytes: 77, cpuSeconds: 63 }],
    ['1234\n', undefined],
    ['', undefined],
    ['many\n0m0.00s 0m0.00s\n0m0.12s 0m0.03s\n', undefined],
  ])('%j', (printed, found) => {
    const figuresFound = compressedFigures(printed);
    expect(figuresFound?.bytes).toBe(found?.bytes);
    if (found !== undefined) expect(figuresFound?.cpuSeconds).toBeCloseTo(found.cpuSeconds);
  });
});
