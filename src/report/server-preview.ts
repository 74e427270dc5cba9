import type { Check } from '../ports/maintenance-mode.ts';
import { markdown, markdownCode } from './escape.ts';
import { markdownTable } from './markdown-table.ts';
import { mark, prose } from './markdown-words.ts';
import { checkMarks } from './wording.ts';

/** What a server task would do on one host, for whoever decides. */
export interface ServerPreviewFact {
  readonly task: string;
  readonly host: string;
  readonly stage: 'online' | 'closed';
  readonly summary: string;
  readonly lines: readonly string[];
}

/** Lines of one task that a summary shows; a host may have hundreds of updates. */
const shownLines = 60;

/** What the server tasks would do, as a section; empty when the plan has none. */
export function serverPreviewSection(previews: readonly ServerPreviewFact[]): string {
  if (previews.length === 0) return '';
  const rows = previews.map(({ task, host, stage, summary, lines }) => [
    `${markdownCode(task)}<br>${stage === 'online' ? 'while open' : 'while closed'}`,
    markdown(host),
    [
      prose(summary),
      ...lines.slice(0, shownLines).map((line) => markdown(line)),
      ...(lines.length > shownLines ? [`… and ${lines.length - shownLines} more`] : []),
    ].join('<br>'),
  ]);
  return `## Server tasks\n\n${markdownTable(['Task', 'Host', 'What would happen'], rows)}`;
}

/** The dry run of the server tasks alone. */
export function renderServerDryRun(
  name: string,
  look: { readonly checks: readonly Check[]; readonly previews: readonly ServerPreviewFact[] },
): string {
  const failed = look.checks.filter(({ verdict }) => verdict === 'failed');
  const refused = failed.map((check) => [
    mark(checkMarks[check.verdict]),
    markdown(check.title),
    prose(check.value),
    prose(check.next ?? ''),
  ]);
  return `${[
    `# Dry run of server tasks: ${markdown(name)}`,
    'Nothing was touched.',
    refused.length === 0
      ? ''
      : `## Refused\n\n${markdownTable(['', 'Task', 'Observed', 'Next'], refused)}`,
    look.previews.length === 0 && failed.length === 0
      ? 'The plan has no server tasks for this stage.'
      : serverPreviewSection(look.previews),
  ]
    .filter((part) => part !== '')
    .join('\n\n')}\n`;
}
