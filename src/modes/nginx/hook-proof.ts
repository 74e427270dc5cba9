import type { Clock } from '../../ports/clock.ts';
import type { Http } from '../../ports/http.ts';
import type { NginxModeSettings } from './settings.ts';
import { blindAnswer, hookHeader, probeHeader } from './snippet.ts';

/** What the public URL answers when it is asked for a hook. */
export type ProbeAnswer =
  /** The hook is loaded, and the workers see our folder. */
  | { readonly kind: 'live' }
  /** The hook is loaded, but the workers cannot see into our folder: a flag would do nothing. */
  | { readonly kind: 'blind' }
  /** Something answered that is not the hook. */
  | { readonly kind: 'absent'; readonly detail: string }
  | { readonly kind: 'no-answer'; readonly detail: string };

/** The end of waiting for the hook to come or go. */
export type Proof =
  { readonly kind: 'proved' } | { readonly kind: 'not-proved'; readonly last: ProbeAnswer };

const secondsBetweenProbes = 0.05;

/** Asks the public URL once, on a connection of its own. */
async function probeHook(http: Http, publicUrl: string, hookId: string): Promise<ProbeAnswer> {
  const url = new URL(publicUrl);
  // So that no cache in front of nginx answers in its place.
  url.searchParams.append('maintenance-window-probe', Math.random().toString(36).slice(2));
  const reply = await http.request({
    url: url.href,
    headers: { [probeHeader]: hookId },
    timeoutSeconds: 5,
  });
  if (reply.kind === 'no-answer') return { kind: 'no-answer', detail: reply.reason };
  const answer = reply.headers[hookHeader.toLowerCase()];
  if (answer === hookId) return { kind: 'live' };
  if (answer === blindAnswer) return { kind: 'blind' };
  return { kind: 'absent', detail: `status ${reply.status} without the hook's header` };
}

/**
 * Waits until the hook answers (`live`) or no longer answers (`gone`) several times in a row: right after a
 * reload old workers still take some connections.
 */
export async function awaitHook(
  deps: { readonly http: Http; readonly clock: Clock },
  settings: NginxModeSettings,
  hookId: string,
  wanted: 'live' | 'gone',
): Promise<Proof> {
  const { answers, seconds } = proofOf(settings);
  const deadline = deps.clock.monotonicSeconds() + seconds;
  let inARow = 0;
  for (;;) {
    const answer = await probeHook(deps.http, settings.publicUrl, hookId);
    inARow = answer.kind === goodAnswer(wanted) ? inARow + 1 : 0;
    if (inARow >= answers) return { kind: 'proved' };
    if (deps.clock.monotonicSeconds() >= deadline) return { kind: 'not-proved', last: answer };
    await deps.clock.wait(secondsBetweenProbes);
  }
}

/** Whether the hook answers, or does not, several times in a row now; the first other answer decides. */
export async function answersInARow(
  http: Http,
  settings: NginxModeSettings,
  hookId: string,
  wanted: 'live' | 'gone',
): Promise<boolean> {
  for (let left = proofOf(settings).answers; left > 0; left -= 1) {
    const answer = await probeHook(http, settings.publicUrl, hookId);
    if (answer.kind !== goodAnswer(wanted)) return false;
  }
  return true;
}

function proofOf(settings: NginxModeSettings): { answers: number; seconds: number } {
  return settings.proof ?? { answers: 8, seconds: 15 };
}

function goodAnswer(wanted: 'live' | 'gone'): ProbeAnswer['kind'] {
  return wanted === 'live' ? 'live' : 'absent';
}

/** An answer in words. */
export function describeAnswer(answer: ProbeAnswer): string {
  switch (answer.kind) {
    case 'live':
      return 'the hook answers';
    case 'blind':
      return "the hook answers, but nginx's workers cannot see into its folder";
    case 'absent':
      return answer.detail;
    case 'no-answer':
      return `no answer (${answer.detail})`;
  }
}
