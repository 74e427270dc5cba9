import type { CheckOf, SmokeCheck } from '../../plan/settings/smoke-test.ts';
import { failureOf } from '../../ports/failure.ts';
import type { SmokeResult } from '../../record/status.ts';
import type { WindowRecord } from '../../record/window-record.ts';
import type { PhaseContext } from '../phase.ts';

/** What a check looks at the world with. */
export interface CheckContext extends Omit<PhaseContext, 'record' | 'progress'> {
  /** The window that it belongs to; there is none yet in preflight. */
  readonly record?: WindowRecord;
  /** Keeps a picture of a page beside the record; without it none is taken. */
  readonly keepScreenshot?: (id: string, png: Uint8Array) => Promise<Screenshot>;
}

/** Where the picture of a page was kept. */
export type Screenshot = NonNullable<SmokeResult['screenshot']>;

/** What one look at a check showed. */
export type Verdict =
  | { readonly kind: 'passed'; readonly observed: string; readonly screenshot?: Screenshot }
  | {
      readonly kind: 'failed';
      readonly observed: string;
      readonly expected: string;
      readonly screenshot?: Screenshot;
      /** No repetition can make it pass: the site is not kept closed for one. */
      readonly isFinal?: true;
    }
  /** It could not be looked at, and need not be; never told as passed. */
  | { readonly kind: 'skipped'; readonly observed: string };

/** How checks of one kind are looked at. */
export interface CheckKind<K extends SmokeCheck['kind']> {
  /** Everything that is demanded, in words. */
  readonly expectation: (check: CheckOf<K>) => string;
  /**
   * Looks once, within `timeoutSeconds`. A failed verdict names what was not as expected.
   * @throws FailureError when it cannot be looked at; that is a failed check
   */
  readonly look: (
    context: CheckContext,
    check: CheckOf<K>,
    timeoutSeconds: number,
  ) => Promise<Verdict>;
  /** Seconds for one look unless the check says otherwise. */
  readonly timeoutSeconds: (check: CheckOf<K>) => number;
  /**
   * When within a round: what measures time goes first, what uses the machine follows, what reads the traces of the
   * others comes last.
   */
  readonly turn: 'first' | 'then' | 'last';
}

export function passed(observed: string): Verdict {
  return { kind: 'passed', observed };
}

export function failed(observed: string, expected: string): Verdict {
  return { kind: 'failed', observed, expected };
}

/** What became of one of several parts of a check, such as a host or an address. */
export interface PartVerdict {
  readonly part: string;
  readonly verdict: Verdict;
}

/** One verdict over all parts: the failed ones are named, and where there are several, every part is. */
export function overAll(parts: readonly PartVerdict[], nothing: Verdict): Verdict {
  const [first] = parts;
  if (first === undefined) return nothing;
  if (parts.length === 1) return first.verdict;
  const words = (chosen: readonly PartVerdict[], of: (verdict: Verdict) => string): string =>
    chosen.map(({ part, verdict }) => `${part}: ${of(verdict)}`).join('; ');
  const observed = ({ observed: text }: Verdict): string => text;
  const bad = parts.filter(({ verdict }) => verdict.kind === 'failed');
  if (bad.length > 0) {
    const expected = bad.map(({ verdict }) => (verdict.kind === 'failed' ? verdict.expected : ''));
    const isFinal = bad.some(
      ({ verdict }) => verdict.kind === 'failed' && verdict.isFinal === true,
    );
    return {
      kind: 'failed',
      observed: `${bad.length} of ${parts.length} not as expected: ${words(bad, observed)}`,
      expected: [...new Set(expected)].join('; '),
      ...(isFinal ? { isFinal } : {}),
    };
  }
  const skipped = parts.filter(({ verdict }) => verdict.kind === 'skipped');
  if (skipped.length > 0) return { kind: 'skipped', observed: words(skipped, observed) };
  return passed(words(parts, observed));
}

/** What cannot be looked at has failed. */
export function unseen(error: unknown, expected: string): Verdict {
  const { message } = failureOf(error);
  return failed(message, expected);
}

/** Words for people: at most so long, on one line. */
export function short(text: string, length = 200): string {
  const line = text.replaceAll(/\s+/g, ' ').trim();
  return line.length <= length ? line : `${line.slice(0, length - 1)}…`;
}
