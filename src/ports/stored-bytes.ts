import type { PipeStage } from './host.ts';

/**
 * The disk gets the bytes as they come, and no page of them stays in memory (`oflag=nocache`, coreutils manual, dd):
 * an fsync of all at the end would have everybody who commits on that disk wait for it, and the pages would push out
 * those of a database. Where dd knows no such thing, they are only synced at the end.
 */
const script = `
umask 077
if dd if=/dev/null of=/dev/null oflag=nocache status=none 2>/dev/null; then
  exec dd of="$1" ibs=64k obs=1M conv=excl,fsync oflag=nocache status=none
fi
set -C
cat > "$1" && sync "$1"
`;

/**
 * The last stage of a pipeline: stores what it reads in a file that must not be there yet, for nobody but us. On the
 * disk when it ends with 0.
 * @param file absolute path
 */
export function storing(file: string): PipeStage {
  return { argv: ['sh', '-c', script, 'sh', file] };
}
