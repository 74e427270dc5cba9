const units = { ms: 0.001, s: 1, m: 60, h: 3600, d: 86_400 } as const;
/** Zero is no duration: to several programs it means "for ever". */
const pattern = /^(?=.*[1-9])(?:\d{1,9}(?:\.\d{1,9})?(?:ms|s|m|h|d))+$/;

/** What {@link parseDuration} accepts, for messages and the JSON Schema. */
export const durationPattern = pattern;

/**
 * Seconds of a duration in words: `90m`, `1h30m`, `250ms`; never zero.
 * @returns `undefined` when the text is no duration
 */
export function parseDuration(text: string): number | undefined {
  if (!pattern.test(text)) return undefined;
  let seconds = 0;
  for (const [, amount, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g)) {
    seconds += Number(amount) * units[unit as keyof typeof units];
  }
  return seconds;
}

/** A duration for people: `1.2 s`, `4 min 10 s`, `1 h 30 min`. */
export function formatDuration(seconds: number): string {
  if (seconds < 0.1) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 10) return `${Math.round(seconds * 10) / 10} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor((whole % 3600) / 60);
  const rest = whole % 60;
  const parts = [
    hours > 0 ? `${hours} h` : '',
    minutes > 0 ? `${minutes} min` : '',
    rest > 0 && hours === 0 ? `${rest} s` : '',
  ];
  return parts.filter((part) => part !== '').join(' ');
}
