const seconds: Readonly<Record<string, number>> = {
  us: 0.000_001,
  ms: 0.001,
  s: 1,
  min: 60,
  h: 3600,
  d: 86_400,
  w: 604_800,
  month: 2_629_800,
  y: 31_557_600,
};

/** Seconds of a time span as systemd prints it, such as `1min 30s` or `infinity` (systemd.time(7)). */
export function parseTimeSpan(text: string): number | undefined {
  if (text === 'infinity') return Infinity;
  const parts = text.trim().split(/\s+/);
  let sum = 0;
  for (const part of parts) {
    const match = /^(\d+(?:\.\d+)?)([a-z]*)$/.exec(part);
    const unit = seconds[match?.[2] === '' ? 's' : (match?.[2] ?? '-')];
    if (match === null || unit === undefined) return undefined;
    sum += Number(match[1]) * unit;
  }
  return sum;
}
