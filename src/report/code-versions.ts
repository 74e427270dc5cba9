import type { WindowStatus } from '../record/status.ts';
import { markdown, markdownCode } from './escape.ts';
import { code, table, text } from './html-parts.ts';
import { nothing, type Markup } from './html-template.ts';
import { markdownTable } from './markdown-table.ts';

/** The application's code on one host when the window began, and what a rollback did to it. */
export interface CodeFact {
  readonly host: string;
  readonly directory: string;
  readonly commit: string;
  /** `null` when it was detached. */
  readonly branch: string | null;
  readonly tag: string;
  readonly pushedTo: string | null;
  /** Tracked files that differed from the commit. */
  readonly modified: number;
  /** The commit that the rollback found; `null` when it put nothing back. */
  readonly putBackFrom: string | null;
  /** Where the rollback left it; `null` while that is not proved. */
  readonly putBackPlace: string | null;
}

/** What the record says of the code. */
export function codeFacts(status: Pick<WindowStatus, 'code'>): readonly CodeFact[] {
  return (status.code ?? []).map((entry) => ({
    host: entry.host,
    directory: entry.directory,
    commit: entry.commit,
    branch: entry.branch,
    tag: entry.tag,
    pushedTo: entry.pushedTo ?? null,
    modified: entry.modified,
    putBackFrom: entry.putBack?.from ?? null,
    putBackPlace: entry.putBack?.finishedAt === undefined ? null : (entry.putBack.place ?? ''),
  }));
}

function story(fact: CodeFact): string {
  return [
    `${fact.branch === null ? 'Detached' : `On ${fact.branch}`} at the begin`,
    fact.modified === 0 ? '' : `${fact.modified} changed files are in no commit`,
    fact.pushedTo === null ? '' : `tag pushed to ${fact.pushedTo}`,
    fact.putBackFrom === null
      ? ''
      : fact.putBackPlace === null
        ? `found at ${fact.putBackFrom} and not proved to be put back`
        : `put back from ${fact.putBackFrom}, ${fact.putBackPlace}`,
  ]
    .filter((part) => part !== '')
    .join('; ');
}

interface CodeReport {
  readonly code: readonly CodeFact[];
}

export function codeMarkdown({ code: facts }: CodeReport): string {
  if (facts.length === 0) return '';
  const rows = facts.map((fact) => [
    markdown(fact.host),
    markdownCode(fact.directory, 400),
    markdownCode(fact.tag),
    markdownCode(fact.commit),
    markdown(story(fact)),
  ]);
  return `## Code\n\n${markdownTable(['Host', 'Checkout', 'Tag', 'Commit', ''], rows)}`;
}

export function codeHtml({ code: facts }: CodeReport): Markup {
  if (facts.length === 0) return nothing;
  return table(
    'The code when the window began, and where a rollback left it',
    [
      { title: 'Host', kind: 'short' },
      { title: 'Checkout', kind: 'short' },
      { title: 'Tag', kind: 'short' },
      { title: 'Commit' },
      { title: 'What became of it', kind: 'sentence' },
    ],
    facts.map((fact) => [
      text(fact.host),
      code(fact.directory),
      code(fact.tag),
      code(fact.commit),
      text(story(fact)),
    ]),
  );
}

/** What a rollback leaves to people of the code that it put back. */
export function codeLeft(status: Pick<WindowStatus, 'code'>): readonly string[] {
  return codeFacts(status).flatMap(
    ({ host, directory, branch, tag, putBackFrom, putBackPlace }) => {
      if (putBackFrom === null) return [];
      if (putBackPlace === null) {
        return [`The code in ${directory} on ${host} is not proved to be back at ${tag}.`];
      }
      return putBackPlace.startsWith('detached') && branch !== null
        ? [
            `The code in ${directory} on ${host} is detached at ${tag}; it was on ${branch}, which was not moved: check out what shall be deployed next.`,
          ]
        : [];
    },
  );
}
