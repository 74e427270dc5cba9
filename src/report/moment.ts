import { Temporal } from 'temporal-polyfill';
import { formatMoment } from '../plan/window-time.ts';

/** Milliseconds since the epoch; `undefined` for what is no moment. A record may hold anything. */
export function epochOf(at: string | null | undefined): number | undefined {
  if (at === null || at === undefined) return undefined;
  const epoch = Date.parse(at);
  return Number.isNaN(epoch) ? undefined : epoch;
}

/** Seconds from one moment to another, rounded to milliseconds; `null` when either is unknown. */
export function secondsBetween(
  from: string | null | undefined,
  to: string | null | undefined,
): number | null {
  const [begin, end] = [epochOf(from), epochOf(to)];
  return begin === undefined || end === undefined ? null : (end - begin) / 1000;
}

/** A moment for people, to the minute: `2026-11-29 02:00 CET`. What is no moment is given back as it is. */
export function minuteOf(at: string, timeZone: string): string {
  const epoch = epochOf(at);
  return epoch === undefined ? at : formatMoment(new Date(epoch), timeZone);
}

/** A moment for people, to the second: `2026-11-29 02:00:14 CET`. */
export function secondOf(at: string, timeZone: string): string {
  const epoch = epochOf(at);
  if (epoch === undefined) return at;
  const local = localOf(epoch, timeZone);
  const minute = formatMoment(new Date(epoch), timeZone);
  const zone = minute.split(' ').slice(2).join(' ');
  return `${local.toPlainDate().toString()} ${clock(local)} ${zone}`;
}

/** The time of day alone: `02:00:14`. */
export function clockOf(at: string, timeZone: string): string {
  const epoch = epochOf(at);
  return epoch === undefined ? at : clock(localOf(epoch, timeZone));
}

/** The day alone: `2026-11-29`. */
export function dayOf(at: string, timeZone: string): string {
  const epoch = epochOf(at);
  return epoch === undefined ? at : localOf(epoch, timeZone).toPlainDate().toString();
}

/** Wall-clock time to the millisecond without a zone, as Mermaid reads it: `2026-11-29T02:00:14.120`. */
export function wallOf(epoch: number, timeZone: string): string {
  return localOf(epoch, timeZone)
    .toPlainDateTime()
    .toString({ smallestUnit: 'millisecond', roundingMode: 'trunc' });
}

function localOf(epoch: number, timeZone: string): Temporal.ZonedDateTime {
  return Temporal.Instant.fromEpochMilliseconds(epoch).toZonedDateTimeISO(timeZone);
}

function clock(local: Temporal.ZonedDateTime): string {
  return local.toPlainTime().toString({ smallestUnit: 'second', roundingMode: 'trunc' });
}
