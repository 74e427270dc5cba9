import { h, joined, nothing, type Markup } from './html-template.ts';
import type { Mark } from './wording.ts';

/** A state: sign and word, and a colour that says nothing more. */
export function badge({ tone, sign, word }: Mark): Markup {
  return h`<span class="badge ${tone}"><span aria-hidden="true">${sign}</span> ${word}</span>`;
}

export interface Column {
  readonly title: string;
  /** Numbers stand at the right; short names and times are not broken; sentences keep room for some words a line. */
  readonly kind?: 'number' | 'short' | 'sentence';
}

/** A table with a caption for those who cannot see where it stands, and scoped headers. */
export function table(
  caption: string,
  columns: readonly Column[],
  rows: readonly (readonly Markup[])[],
  name = 'plain',
): Markup {
  const head = columns.map(({ title, kind }) => h`<th scope="col"${look(kind)}>${title}</th>`);
  const body = rows.map(
    (cells) =>
      h`<tr>${cells.map((cell, index) => h`<td${look(columns[index]?.kind)}>${cell}</td>`)}</tr>\n`,
  );
  return h`<div class="scroll" tabindex="0" role="region" aria-label="${caption}"><table class="${name}">
<caption>${caption}</caption>
<thead><tr>${head}</tr></thead>
<tbody>
${body}</tbody></table></div>
`;
}

function look(kind: Column['kind']): Markup {
  return kind === undefined ? nothing : h` class="${kind}"`;
}

/** Names and values. */
export function facts(caption: string, rows: readonly (readonly [string, Markup])[]): Markup {
  return h`<div class="scroll"><table class="facts">
<caption>${caption}</caption>
<tbody>
${rows.map(([name, value]) => h`<tr><th scope="row">${name}</th><td>${value}</td></tr>\n`)}</tbody></table></div>
`;
}

/** A section of the page with its heading. */
export function section(id: string, title: string, content: Markup): Markup {
  return content.markup === ''
    ? nothing
    : h`<section id="${id}" aria-labelledby="${id}-title">
<h2 id="${id}-title">${title}</h2>
${content}</section>
`;
}

/** Text in which we set commands in backticks, and which may have several lines. */
export function prose(text: string): Markup {
  const lines = text
    .split('\n')
    .map((line) =>
      joined(
        line
          .split(/(`[^`]{1,60}`)/)
          .map((piece) =>
            /^`[^`]+`$/.test(piece) ? h`<code>${piece.slice(1, -1)}</code>` : h`${piece}`,
          ),
      ),
    );
  return joined(lines, h`<br>`);
}

export function text(value: string): Markup {
  return h`${value}`;
}

export function code(value: string): Markup {
  return h`<code>${value}</code>`;
}
