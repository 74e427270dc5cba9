import type { Certificate } from '../../ports/server.ts';

const daySeconds = 86_400;

/** Whether a certificate ends within so many seconds, or has ended. */
export function dueWithin(
  { notAfter }: Pick<Certificate, 'notAfter'>,
  seconds: number,
  now: Date,
): boolean {
  return notAfter.getTime() - now.getTime() < seconds * 1000;
}

/** For how long a certificate is valid yet. */
export function daysText({ notAfter }: Pick<Certificate, 'notAfter'>, now: Date): string {
  const days = Math.floor((notAfter.getTime() - now.getTime()) / 1000 / daySeconds);
  if (notAfter <= now) return `ended ${notAfter.toISOString()}`;
  return `${days} ${days === 1 ? 'day' : 'days'} left, until ${notAfter.toISOString()}`;
}
