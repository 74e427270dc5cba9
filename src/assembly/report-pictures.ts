import { createHash } from 'node:crypto';
import { posix } from 'node:path';
import type { Host } from '../ports/host.ts';
import type { WindowStatus } from '../record/status.ts';

/** Pictures of pages by the file that the record names. */
export type PictureBytes = ReadonlyMap<string, Uint8Array>;

/** All that a report takes; what is beyond it stays on the host. */
const limitBytes = 16 * 1024 * 1024;

/**
 * Reads the pictures that smoke tests left beside the record. One that is not there any more, or is not what was
 * recorded, is left out: the report says where it was kept.
 */
export async function readPictures(host: Host, status: WindowStatus): Promise<PictureBytes> {
  const wanted = (status.smokeTests ?? [])
    .flatMap(({ results }) => results.flatMap(({ screenshot }) => screenshot ?? []))
    .reverse();
  const found = new Map<string, Uint8Array>();
  let total = 0;
  for (const { file, bytes, sha256 } of wanted) {
    if (total + bytes > limitBytes) continue;
    let png: Uint8Array | undefined;
    try {
      png = await host.readFile(file);
    } catch {
      // A host that does not answer is not asked for each of them.
      break;
    }
    if (png === undefined || createHash('sha256').update(png).digest('hex') !== sha256) continue;
    total += png.byteLength;
    found.set(file, png);
  }
  return found;
}

export function inBase64(pictures: PictureBytes): ReadonlyMap<string, string> {
  return new Map([...pictures].map(([file, png]) => [file, Buffer.from(png).toString('base64')]));
}

/** The pictures as files of the report. */
export function pictureFiles(pictures: PictureBytes): Record<string, Uint8Array> {
  return Object.fromEntries(
    [...pictures].map(([file, png]) => [`screenshot-${posix.basename(file)}`, png]),
  );
}
