const mebibyte = 1024 * 1024;

/**
 * S3 takes 10,000 parts of up to 5 GiB, and all but the last of at least 5 MiB
 * (https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html).
 */
export const mostParts = 10_000;

/**
 * Bytes of the part with this number (from 1), or undefined when an upload has no such part. Nobody knows how long
 * the object will be, so parts grow: small ones (the memory of our process) as long as most objects last, and of
 * one size, since some servers ask for that; larger ones for what is longer than 125 GiB and 500 GiB, up to 2 TiB.
 * @param firstBytes of the first parts
 */
export function partBytes(number: number, firstBytes = 32 * mebibyte): number | undefined {
  if (number > mostParts) return undefined;
  if (number > 7000) return 16 * firstBytes;
  return number > 4000 ? 4 * firstBytes : firstBytes;
}

/** The longest object. */
export function mostBytes(firstBytes?: number): number {
  let sum = 0;
  for (let number = 1; number <= mostParts; number += 1) sum += partBytes(number, firstBytes) ?? 0;
  return sum;
}

/** How many parts are under way at once, besides the one that is being filled: fewer of the large ones. */
export function partsUnderWay(number: number): number {
  return number > 4000 ? 1 : 2;
}
