import type { Host } from '../../ports/host.ts';

/**
 * Everybody who commits stands in line at the disk, behind all that others sync at that moment: 250 MB were measured to
 * hold commits up for 91 ms when a file is synced in the end, and for 11 ms when the disk gets them as they come. So
 * sessions that write while the public is served hand their pages on (manual, 20.5: backend_flush_after).
 */
export const steadyWriting = { backend_flush_after: '256kB' } as const;

/** Runs a program that compresses behind whoever answers the public on the same machine; alone it is as quick as ever. */
export const behindOthers = ['nice', '-n', '10'] as const;

/**
 * Every moment asks for large files that have just grown to be written out, and waits for none (coreutils manual, dd:
 * nocache). It ends with its input, so also when we are killed.
 */
const script = `
while sleep 0.2; do
  find "$1" -type f -size +2048k -mmin -0.05 -exec dd if=/dev/null of={} conv=notrunc,nocreat oflag=nocache count=0 status=none \\;
done 2>/dev/null &
cat
kill "$!"
`;

/**
 * Has the disk get the files of a folder while another program writes them, as long as `work` lasts. Only for the sake
 * of others: where the host's programs cannot do it, nothing is different.
 */
export async function writtenBack<T>(
  host: Host,
  folder: string,
  work: () => Promise<T>,
): Promise<T> {
  const session = await host.start({ argv: ['sh', '-c', script, 'sh', folder] });
  try {
    return await work();
  } finally {
    await session.kill();
  }
}
