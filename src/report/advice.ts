import type { WindowStatus } from '../record/status.ts';
import { markdown, markdownCode } from './escape.ts';
import { code, prose as htmlProse, table, text } from './html-parts.ts';
import { h, nothing, type Markup } from './html-template.ts';
import { markdownTable } from './markdown-table.ts';
import { prose } from './markdown-words.ts';

/** Something that a task found and did not change. */
export interface AdviceFact {
  /** Id of the task that found it. */
  readonly task: string;
  /** Kebab-case, for instance `unused-index`. */
  readonly kind: string;
  readonly object: string;
  readonly observed: string;
  /** The exact statement that would mend it; `null` when none would. */
  readonly statement: string | null;
  readonly why: string;
}

/** A job summary is read at a glance and limited in size; the page and the JSON have them all. */
const mostInMarkdown = 40;
const explanation =
  'Found by `optimize-queries`, which changes nothing. Read why before you run a statement.';

/** What the tasks of a window advise, in their order. */
export function adviceOf(status: WindowStatus): readonly AdviceFact[] {
  return (status.tasks ?? []).flatMap((task) =>
    (task.findings ?? []).map(({ statement, ...finding }) => ({
      task: task.id,
      ...finding,
      statement: statement ?? null,
    })),
  );
}

function kindText(kind: string): string {
  const words = kind.replaceAll('-', ' ');
  return `${words.slice(0, 1).toUpperCase()}${words.slice(1)}`;
}

/** Empty when there is none. */
export function adviceMarkdown({ advice }: { readonly advice: readonly AdviceFact[] }): string {
  if (advice.length === 0) return '';
  const rows = advice
    .slice(0, mostInMarkdown)
    .map(({ kind, object, observed, statement, why }) => [
      markdown(kindText(kind)),
      `${markdownCode(object, 400)}<br>${markdown(observed)}`,
      statement === null ? '' : markdownCode(statement, 1000),
      prose(why),
    ]);
  const more = advice.length - mostInMarkdown;
  return [
    '## Advice',
    prose(explanation),
    markdownTable(['What', 'Where', 'Statement', 'Why'], rows),
    ...(more > 0 ? [`_${more} more are in the report’s files._`] : []),
  ].join('\n\n');
}

/** The same as HTML, all of it. */
export function adviceHtml({ advice }: { readonly advice: readonly AdviceFact[] }): Markup {
  if (advice.length === 0) return nothing;
  return h`<p>${htmlProse(explanation)}</p>
${table(
  'What the database’s catalogues and statistics advise',
  [{ title: 'What' }, { title: 'Where' }, { title: 'Statement' }, { title: 'Why' }],
  advice.map(({ kind, object, observed, statement, why }) => [
    text(kindText(kind)),
    h`${code(object)}<br>${observed}`,
    statement === null ? nothing : code(statement),
    htmlProse(why),
  ]),
)}`;
}
