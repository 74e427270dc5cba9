import { bytesAt } from '../../../ports/log-position.ts';

/** Eight digits, as in the names of the log's files. */
export function hex(number: number | bigint): string {
  return number.toString(16).toUpperCase().padStart(8, '0');
}

/** Name of the file whose last byte before the position it holds (manual, 30.6). */
export function segmentName(timeline: number, position: string, segmentBytes: number): string {
  const end = bytesAt(position) ?? 0n;
  const number = (end === 0n ? 0n : end - 1n) / BigInt(segmentBytes);
  const inLog = 0x1_0000_0000n / BigInt(segmentBytes);
  return `${hex(timeline)}${hex(number / inLog)}${hex(number % inLog)}`;
}

/** Where a timeline ends, by a history file: `1<tab>0/3000148<tab>reason`. */
export function endIn(history: string, timeline: number): string | undefined {
  return history
    .split('\n')
    .map((line) => /^(\d+)\t([0-9A-F]+\/[0-9A-F]+)/i.exec(line))
    .findLast((match) => match !== null && Number(match[1]) === timeline)?.[2];
}
