import { formatDuration } from '../plan/duration.ts';
import { isOwed } from '../record/services.ts';
import type { WindowStatus } from '../record/status.ts';
import { markdown, markdownCode } from './escape.ts';
import { badge, code, prose, table, text } from './html-parts.ts';
import { h, joined, nothing, type Markup } from './html-template.ts';
import { markdownTable } from './markdown-table.ts';
import { mark, prose as proseMarkdown } from './markdown-words.ts';
import { clockOf, secondsBetween } from './moment.ts';
import type { Mark } from './wording.ts';

/** A service on one host, and what the window did to it; times in seconds. */
export interface ServiceFact {
  readonly id: string;
  readonly host: string;
  readonly title: string;
  readonly prior: string;
  readonly now: 'left-alone' | 'stopped' | 'running-again';
  readonly stoppedAt: string | null;
  /** How long it took to end. */
  readonly stopSeconds: number | null;
  readonly killed: boolean;
  readonly startedAt: string | null;
  /** From its end to the proof that it runs again. */
  readonly downSeconds: number | null;
  readonly note: string | null;
}

/** What the record says of services. */
export function serviceFacts(status: Pick<WindowStatus, 'services'>): readonly ServiceFact[] {
  return (status.services ?? []).map((entry) => ({
    id: entry.id,
    host: entry.host,
    title: entry.title,
    prior: entry.prior,
    now:
      entry.stopBegunAt === undefined ? 'left-alone' : isOwed(entry) ? 'stopped' : 'running-again',
    stoppedAt: entry.stoppedAt ?? null,
    stopSeconds: entry.stopSeconds ?? null,
    killed: entry.killed === true,
    startedAt: entry.startedAt ?? null,
    downSeconds:
      entry.stoppedAt === undefined || entry.startedAt === undefined
        ? null
        : secondsBetween(entry.stoppedAt, entry.startedAt),
    note: entry.note ?? null,
  }));
}

const marks: Readonly<Record<ServiceFact['now'], Mark>> = {
  'left-alone': { tone: 'neutral', sign: '–', word: 'left alone' },
  stopped: { tone: 'bad', sign: '✗', word: 'stopped' },
  'running-again': { tone: 'good', sign: '✓', word: 'running again' },
};

/** What became of a service, in words. */
function story(fact: ServiceFact, timeZone: string): string {
  if (fact.now === 'left-alone') return `It was ${fact.prior} and was left so.`;
  const ended =
    fact.stoppedAt === null
      ? 'Asked to end; its end was not recorded'
      : `${fact.killed ? 'Ended by force' : 'Ended'} at ${clockOf(fact.stoppedAt, timeZone)}${fact.stopSeconds === null ? '' : `, after ${formatDuration(fact.stopSeconds)}`}`;
  const started =
    fact.startedAt === null
      ? fact.note === null
        ? 'not proved to run again'
        : `not started again: ${fact.note}`
      : `up again and steady at ${clockOf(fact.startedAt, timeZone)}${fact.downSeconds === null ? '' : `, ${formatDuration(fact.downSeconds)} later`}`;
  return `${ended}; ${started}.`;
}

interface ServicesReport {
  readonly services: readonly ServiceFact[];
  readonly head: { readonly timeZone: string };
}

export function servicesMarkdown({ services, head }: ServicesReport): string {
  if (services.length === 0) return '';
  const rows = services.map((fact) => [
    mark(marks[fact.now]),
    `${markdownCode(fact.id)}<br>${markdown(fact.title)}`,
    markdown(fact.host),
    proseMarkdown(story(fact, head.timeZone)),
  ]);
  return `## Services\n\n${markdownTable(['', 'Service', 'Host', 'What became of it'], rows)}`;
}

export function servicesHtml({ services, head }: ServicesReport): Markup {
  if (services.length === 0) return nothing;
  return table(
    'Services, in the order of their stop',
    [
      { title: 'Service' },
      { title: 'Host', kind: 'short' },
      { title: 'State', kind: 'short' },
      { title: 'What became of it' },
    ],
    services.map((fact) => [
      joined([code(fact.id), text(fact.title)], h` `),
      text(fact.host),
      badge(marks[fact.now]),
      prose(story(fact, head.timeZone)),
    ]),
  );
}

/** What a window that is over leaves to people of the services that it stopped. */
export function servicesLeft(status: Pick<WindowStatus, 'services'>): readonly string[] {
  return serviceFacts(status)
    .filter(({ now }) => now === 'stopped')
    .map(({ id, host, title, note }) =>
      note === null
        ? `The service ${id} (${title}) on ${host} was running before this window and is not proved to run again: start it.`
        : `The service ${id} on ${host} was not put back as it was: ${note}.`,
    );
}

/** What a window that is held keeps stopped. */
export function servicesHeld(status: Pick<WindowStatus, 'services'>): readonly string[] {
  const stopped = serviceFacts(status).filter(({ now }) => now === 'stopped');
  return stopped.length === 0
    ? []
    : [
        `Services that this window stopped and that are not proved to run again: ${stopped.map(({ id, host }) => `${id} on ${host}`).join(', ')}. \`disable-maintenance\` (reopen-held) and \`rollback\` start them.`,
      ];
}
