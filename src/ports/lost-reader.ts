import type { StageResult } from './host.ts';

/**
 * Whether a stage of a pipeline was ended by a signal because the next one failed and read no further: then only that
 * one knows why.
 */
export function lostReader(
  stage: Pick<StageResult, 'exitCode'> | undefined,
  reader: Pick<StageResult, 'exitCode'> | undefined,
): boolean {
  return stage?.exitCode === null && reader !== undefined && reader.exitCode !== 0;
}
