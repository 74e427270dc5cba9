import type { DumpFormat } from '../../ports/dump-manifest.ts';
import type { Encryption } from '../../ports/encryption.ts';
import type { CompressionMethod } from './compression-methods.ts';
import type { DumpFile } from './dump-files.ts';
import type { RunningDump } from './dump-snapshot.ts';

export interface WriterOptions {
  /** Absolute path of the folder to write into, on the host that keeps the dump. */
  readonly partial: string;
  readonly windowId: string;
  readonly jobs: number;
  readonly compression: CompressionMethod;
  readonly encryption: Encryption | undefined;
  readonly onProgress: ((line: string) => void) | undefined;
}

/** One format of dumps. */
export interface DumpWriter {
  readonly format: DumpFormat;
  /** Starts pg_dump on an exported snapshot. */
  begin(snapshot: string): Promise<RunningDump>;
  /** What `pg_restore --list` prints of the finished dump. */
  toc(): Promise<string>;
  /** The finished dump's files as they are read back, without the manifest. */
  files(): Promise<readonly DumpFile[]>;
}

/** Listens to what pg_dump says with `--verbose`. */
export function progressOf(onProgress: WriterOptions['onProgress']): {
  onStderrLine?: (line: string) => void;
} {
  if (onProgress === undefined) return {};
  return {
    onStderrLine: (line) => {
      const match = /dumping contents of table (.+)$/.exec(line);
      if (match !== null) onProgress(`dumping ${match[1] ?? ''}`);
    },
  };
}
