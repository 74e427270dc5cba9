import type { WindowStatus } from '../record/status.ts';
import { secondsBetween } from './moment.ts';

/** A span in which the public was proved to be kept out; `to` is `null` while it lasts. */
export interface ClosedSpan {
  readonly from: string;
  readonly to: string | null;
}

/** For how long the public was kept out, as far as it was proved from outside. */
export interface Downtime {
  readonly kind:
    | 'never-closed'
    /** Closing began, but the public URL was not proved closed. */
    | 'never-proved-closed'
    | 'reopened'
    | 'still-closed'
    /** Closing or opening began and was not proved; the public may see either answer. */
    | 'uncertain';
  readonly spans: readonly ClosedSpan[];
  /** Seconds of all spans; of a span that lasts, up to the time of the report. `null` when nothing was proved. */
  readonly seconds: number | null;
}

/** Reads the spans off the status file; a rollback after reopening closes a second time. */
export function downtimeOf(status: WindowStatus, now: Date): Downtime {
  const spans = spansOf(status);
  const kind = kindOf(status, spans);
  if (spans.length === 0) return { kind, spans, seconds: null };
  let seconds = 0;
  for (const span of spans) {
    seconds += Math.max(0, secondsBetween(span.from, span.to ?? now.toISOString()) ?? 0);
  }
  return { kind, spans, seconds: Math.round(seconds * 1000) / 1000 };
}

function spansOf(status: WindowStatus): readonly ClosedSpan[] {
  const { closedAt, reopenedAt } = status.maintenance ?? {};
  const earlier = (status.earlierClosures ?? []).map((span) => ({
    from: span.closedAt,
    to: span.reopenedAt,
  }));
  if (closedAt === undefined) return earlier;
  const isOpen = reopenedAt !== undefined && (secondsBetween(closedAt, reopenedAt) ?? -1) >= 0;
  return [...earlier, { from: closedAt, to: isOpen ? reopenedAt : null }];
}

function kindOf(status: WindowStatus, spans: readonly ClosedSpan[]): Downtime['kind'] {
  const last = spans.at(-1);
  if (status.state === 'reopening' || status.state === 'closing') return 'uncertain';
  if (last === undefined) {
    const tried =
      !['planned', 'prepared'].includes(status.state) && status.maintenance !== undefined;
    return tried ? 'never-proved-closed' : 'never-closed';
  }
  return last.to === null ? 'still-closed' : 'reopened';
}
