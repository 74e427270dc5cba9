import { Temporal } from 'temporal-polyfill';

export const weekdays = [
  'monday',
  'tuesday',
  'wednesday',
  'thursday',
  'friday',
  'saturday',
  'sunday',
] as const;
export type Weekday = (typeof weekdays)[number];

/** When windows may begin; durations in seconds. */
export interface WindowTimes {
  /** `HH:MM`, or `YYYY-MM-DDTHH:MM` for a single window; `undefined`: any time. */
  readonly start?: string | undefined;
  readonly days: readonly Weekday[];
  readonly timeZone: string;
  readonly duration: number;
  readonly startTolerance: number;
}

/** Where a moment lies. */
export type WindowPosition =
  /** The plan names no start: the window begins now. */
  | { readonly kind: 'any-time'; readonly start: Date; readonly end: Date }
  | {
      readonly kind: 'inside';
      readonly start: Date;
      readonly end: Date;
      readonly lateSeconds: number;
    }
  | {
      readonly kind: 'outside';
      readonly next: Date | undefined;
      readonly previous: Date | undefined;
    };

/**
 * Finds the window that a moment belongs to. Local times that daylight saving skips move forward, and of a
 * time that it repeats the first is meant (the "compatible" rule of Temporal).
 */
export function positionIn(times: WindowTimes, now: Date): WindowPosition {
  if (times.start === undefined) {
    return { kind: 'any-time', start: now, end: after(now, times.duration) };
  }
  const starts = startsAround(times, now);
  const previous = starts.findLast((start) => start.getTime() <= now.getTime());
  const next = starts.find((start) => start.getTime() > now.getTime());
  if (previous !== undefined) {
    const lateSeconds = (now.getTime() - previous.getTime()) / 1000;
    // A tolerance longer than the window does not make the window longer.
    if (lateSeconds <= times.startTolerance && lateSeconds < times.duration) {
      return { kind: 'inside', start: previous, end: after(previous, times.duration), lateSeconds };
    }
  }
  return { kind: 'outside', next, previous };
}

/** Whether a text is a `start`: `HH:MM`, or `YYYY-MM-DDTHH:MM` with a date that exists. */
export function isWindowStart(text: string): boolean {
  if (!windowStartPattern.test(text)) return false;
  if (!text.includes('T')) return true;
  try {
    Temporal.PlainDateTime.from(text);
    return true;
  } catch {
    return false;
  }
}

/** The form of a `start`; not every date of this form exists. */
export const windowStartPattern =
  /^(?:\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])T)?(?:[01]\d|2[0-3]):[0-5]\d$/;

/** The first start after a moment; `undefined` when there is none (a single window in the past, or any time). */
export function nextStart(times: WindowTimes, now: Date): Date | undefined {
  if (times.start === undefined) return undefined;
  return startsAround(times, now).find((start) => start.getTime() > now.getTime());
}

/** A moment in a time zone, for people: `2026-11-29 02:00 CET`. */
export function formatMoment(moment: Date, timeZone: string): string {
  const local = Temporal.Instant.fromEpochMilliseconds(moment.getTime()).toZonedDateTimeISO(
    timeZone,
  );
  const zone = new Intl.DateTimeFormat('en-GB', { timeZone, timeZoneName: 'short' })
    .formatToParts(moment)
    .find((part) => part.type === 'timeZoneName')?.value;
  return `${local.toPlainDate().toString()} ${local.toPlainTime().toString({ smallestUnit: 'minute' })} ${zone ?? timeZone}`;
}

function startsAround(times: WindowTimes, now: Date): Date[] {
  const { start = '00:00', timeZone } = times;
  if (start.includes('T')) {
    return [toDate(Temporal.PlainDateTime.from(start).toZonedDateTime(timeZone))];
  }
  const today = Temporal.Instant.fromEpochMilliseconds(now.getTime())
    .toZonedDateTimeISO(timeZone)
    .toPlainDate();
  const time = Temporal.PlainTime.from(start);
  const starts: Date[] = [];
  for (let offset = -8; offset <= 8; offset += 1) {
    const day = today.add({ days: offset });
    const weekday = weekdays[day.dayOfWeek - 1];
    if (weekday !== undefined && times.days.includes(weekday)) {
      starts.push(toDate(day.toZonedDateTime({ timeZone, plainTime: time })));
    }
  }
  return starts;
}

function toDate(moment: Temporal.ZonedDateTime): Date {
  return new Date(moment.epochMilliseconds);
}

function after(moment: Date, seconds: number): Date {
  return new Date(moment.getTime() + seconds * 1000);
}
