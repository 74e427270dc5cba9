import { posix } from 'node:path';
import type { LogMark } from '../../record/status.ts';

/** A file beside a log: the log itself, or one that a rotation left. */
export interface LogFile {
  readonly path: string;
  /** Device and inode. */
  readonly id: string;
  readonly bytes: number;
  /** When it was last written, seconds of the host's clock. */
  readonly changedAt: number;
}

/** A part of a file that holds new lines. */
export interface LogPiece {
  readonly path: string;
  /** Bytes that are not new; of the unpacked text, where it is compressed. */
  readonly from: number;
  readonly isCompressed: boolean;
}

export type NewLines =
  | { readonly kind: 'pieces'; readonly pieces: readonly LogPiece[]; readonly isRotated: boolean }
  /** Some of the new lines are in no file that is there. */
  | { readonly kind: 'gap'; readonly why: string };

/**
 * Where the lines are that came since a mark: a log may have been renamed, or copied and cut, and more than once.
 * @param hasSameHead whether the log still begins with what it began with at the mark
 */
export function newLines(
  log: string,
  mark: Pick<LogMark, 'position' | 'hostSeconds'>,
  files: readonly LogFile[],
  hasSameHead: boolean,
): NewLines {
  const { position, hostSeconds } = mark;
  const current = files.find(({ path }) => path === log);
  const rotated = files
    .filter(({ path, changedAt }) => isRotation(log, path) && changedAt >= hostSeconds)
    .sort((a, b) => a.changedAt - b.changedAt);
  const whole = (chosen: readonly LogFile[]): LogPiece[] =>
    chosen.map(({ path }) => ({ path, from: 0, isCompressed: isCompressed(path) }));
  const now = current === undefined ? [] : [current];

  switch (position.kind) {
    case 'journal':
      return { kind: 'gap', why: 'what was marked is a journal' };
    case 'unknown':
      return { kind: 'gap', why: `where it ended before is not known: ${position.reason}` };
    case 'no-file':
      return current === undefined
        ? { kind: 'gap', why: 'there is no such file' }
        : { kind: 'pieces', pieces: whole([...rotated, current]), isRotated: rotated.length > 0 };
    case 'end': {
      const { id, bytes } = position;
      if (current?.id === id && current.bytes >= bytes && hasSameHead) {
        const piece = { path: log, from: bytes, isCompressed: false };
        return { kind: 'pieces', pieces: [piece], isRotated: false };
      }
      // A renamed log keeps its inode. One that was copied and cut goes on in the oldest copy made since.
      const renamed = files.find((file) => file.id === id && file.path !== log);
      const before = renamed ?? rotated[0];
      if (before === undefined) {
        const what = current === undefined ? 'is gone' : 'was rotated or cut';
        return { kind: 'gap', why: `it ${what}, and what it held is in no file beside it` };
      }
      if (!isCompressed(before.path) && before.bytes < bytes) {
        return { kind: 'gap', why: `${before.path} ends before what was already there` };
      }
      const first = { path: before.path, from: bytes, isCompressed: isCompressed(before.path) };
      const between = rotated.filter((file) => file.path !== before.path);
      return { kind: 'pieces', pieces: [first, ...whole([...between, ...now])], isRotated: true };
    }
  }
}

/** Whether a file is what a rotation made of the log: `shop.log.1`, `shop.log-20261122.gz`, `shop-20261122.log`. */
export function isRotation(log: string, path: string): boolean {
  if (posix.dirname(log) !== posix.dirname(path) || log === path) return false;
  const base = posix.basename(log);
  const name = posix.basename(path).replace(/\.gz$/, '');
  const { name: stem, ext } = posix.parse(base);
  const isBehind = name.startsWith(base) && /^[.-][0-9][0-9.:_T-]*$/.test(name.slice(base.length));
  // logrotate's `extension` keeps the ending.
  const isWithin =
    ext !== '' &&
    name.startsWith(stem) &&
    name.endsWith(ext) &&
    /^[.-][0-9][0-9.:_T-]*$/.test(name.slice(stem.length, name.length - ext.length));
  return isBehind || isWithin;
}

function isCompressed(path: string): boolean {
  return path.endsWith('.gz');
}
