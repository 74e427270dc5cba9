import { createHash } from 'node:crypto';
import { posix } from 'node:path';
import { archivedPlace } from '../../record/record-place.ts';
import type { PhaseContext } from '../phase.ts';
import type { Screenshot } from './check-kind.ts';

/**
 * Keeps pictures of pages in the folder that the record itself will move to, so that they stay with it.
 * @param run number of the run of smoke tests in this window, so that none overwrites an earlier one
 */
export function screenshotKeeper(
  { host, record }: Pick<PhaseContext, 'host' | 'record'>,
  run: number,
): (id: string, png: Uint8Array) => Promise<Screenshot> {
  return async (id, png) => {
    const { folder } = archivedPlace(record.place, record.status.windowId);
    const pictures = posix.join(folder, 'screenshots');
    await host.makeDirectory(record.place.historyFolder, 0o700);
    await host.makeDirectory(pictures, 0o700);
    const file = posix.join(pictures, `${run + 1}-${id}.png`);
    // What a failing look kept is replaced by that of the next one.
    await host.writeFile(file, png, { mode: 0o600 });
    const sha256 = createHash('sha256').update(png).digest('hex');
    return { file, bytes: png.byteLength, sha256 };
  };
}
