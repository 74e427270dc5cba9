import { summarize, type Summary } from './statistics.ts';

/** What a client got: the application, our 503, anything else, or no complete answer. */
export type AnswerKind = 'open' | 'closed' | 'other' | 'lost';

/** One request of the load. Times are milliseconds of the monotonic clock. */
export type Sample = {
  /** Before its first byte was written. */
  readonly sentAt: number;
  /** When the last byte of its answer had been read, or it was lost. */
  readonly endedAt: number;
  readonly kind: AnswerKind;
  /** The status, or why it was lost; for what is neither the application nor our 503. */
  readonly detail?: string;
};

/** One closing or opening. Nobody toggles before every client has seen the toggle before. */
export type Toggle = {
  /** By what means, e.g. `flag`. */
  readonly means: string;
  readonly to: 'open' | 'closed';
  /** Right before the system call, or command, that closes or opens. */
  readonly before: number;
  /** Right after it. */
  readonly after: number;
};

/** What the toggles by one means did to the clients. */
export type ToggleReport = {
  /** Answers while the site was toggled by this means. */
  readonly requests: number;
  /** Requests without a complete answer. */
  readonly lost: number;
  /** Answers that are neither the application's nor our 503. */
  readonly others: number;
  /** Sent after the toggle was made, and still answered as before it. */
  readonly stale: number;
  readonly closing: DirectionReport;
  readonly opening: DirectionReport;
  /** What the lost and the other ones got, each once. */
  readonly details: readonly string[];
};

export type DirectionReport = {
  /** Milliseconds from `before` to the end of the first answer of the new kind. */
  readonly firstNew: Summary;
  /** To the end of the last answer of the old kind, for requests that were under way; 0 when there was none. */
  readonly lastOld: Summary;
};

/**
 * Sums up a run in which toggles by several means took turns. A request counts for the toggle after which it
 * ended; those before the first toggle count for none.
 * @throws RangeError when `means` has no toggle in one direction, or one that no client saw
 */
export function analyzeToggles(
  samples: readonly Sample[],
  toggles: readonly Toggle[],
  means: string,
): ToggleReport {
  const ordered = [...toggles].sort((a, b) => a.before - b.before);
  const parts = ordered
    .map((toggle, index) => {
      const end = ordered[index + 1]?.before ?? Infinity;
      return {
        toggle,
        during: samples.filter(({ endedAt }) => endedAt >= toggle.before && endedAt < end),
      };
    })
    .filter(({ toggle }) => toggle.means === means);
  const all = parts.flatMap(({ during }) => during);
  const strange = all.filter(({ kind }) => kind === 'lost' || kind === 'other');
  const direction = (to: Toggle['to']): DirectionReport => {
    const these = parts.filter(({ toggle }) => toggle.to === to);
    return {
      firstNew: summarize(
        these.map(({ toggle, during }) => {
          const first = Math.min(...endsOf(during, to));
          if (first === Infinity) throw new RangeError('no client saw a toggle');
          return first - toggle.before;
        }),
      ),
      lastOld: summarize(
        these.map(({ toggle, during }) => {
          const last = Math.max(...endsOf(during, opposite(to)));
          return Math.max(0, last - toggle.before);
        }),
      ),
    };
  };
  return {
    requests: all.length,
    lost: all.filter(({ kind }) => kind === 'lost').length,
    others: all.filter(({ kind }) => kind === 'other').length,
    stale: parts.reduce(
      (sum, { toggle, during }) =>
        sum +
        during.filter(({ sentAt, kind }) => sentAt > toggle.after && kind === opposite(toggle.to))
          .length,
      0,
    ),
    closing: direction('closed'),
    opening: direction('open'),
    details: [...new Set(strange.map(({ kind, detail }) => `${kind}: ${detail ?? '?'}`))].sort(),
  };
}

function opposite(to: Toggle['to']): Toggle['to'] {
  return to === 'open' ? 'closed' : 'open';
}

function endsOf(samples: readonly Sample[], wanted: AnswerKind): number[] {
  return samples.filter(({ kind }) => kind === wanted).map(({ endedAt }) => endedAt);
}
