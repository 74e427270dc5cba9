import type { BackupDestination } from '../ports/backup-destination.ts';
import type { Copies } from './s3/s3-copies.ts';
import { labelOf, type S3Keys, type S3Options, type S3Place } from './s3/place.ts';

/** Copies in a bucket of Amazon S3, or of a server that speaks its protocol. */
export function s3Destination(
  place: S3Place,
  keys: S3Keys,
  options: S3Options = {},
): Required<BackupDestination> {
  let loaded: Promise<Copies> | undefined;
  // The client is as large as all the rest of the bundle, and most windows do without it.
  const copies = () =>
    (loaded ??= import('./s3/s3-copies.ts').then(({ s3Copies }) => s3Copies(place, keys, options)));
  return {
    label: labelOf(place),
    put: async (name, content) => (await copies()).put(name, content),
    read: async function* (name) {
      yield* (await copies()).read(name);
    },
    list: async () => (await copies()).list(),
    remove: async (name) => (await copies()).remove(name),
    sweep: async (isOurs) => (await copies()).sweep(isOurs),
  };
}
