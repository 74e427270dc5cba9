import { html } from './escape.ts';

/** HTML that is safe to print: written by us, with every value in it escaped. */
export interface Markup {
  readonly markup: string;
}

type Part = string | number | Markup | readonly Markup[];

/** Builds HTML; every interpolated text is escaped, only other {@link Markup} goes in as it is. */
export function h(strings: TemplateStringsArray, ...values: readonly Part[]): Markup {
  const markup = strings.reduce(
    (text, piece, index) => text + piece + (index < values.length ? print(values[index]) : ''),
    '',
  );
  return { markup };
}

/** Nothing. */
export const nothing: Markup = { markup: '' };

/** Pieces one after the other, with a separator of our own. */
export function joined(pieces: readonly Markup[], separator: Markup = nothing): Markup {
  return {
    markup: pieces
      .filter(({ markup }) => markup !== '')
      .map(({ markup }) => markup)
      .join(separator.markup),
  };
}

function print(value: Part | undefined): string {
  if (value === undefined) return '';
  if (typeof value === 'string') return html(value);
  if (typeof value === 'number') return String(value);
  if ('markup' in value) return value.markup;
  return value.map(({ markup }) => markup).join('');
}
