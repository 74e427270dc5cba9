import { markdown } from './escape.ts';
import type { Mark } from './wording.ts';

/** A state by its sign and its word. */
export function mark({ sign, word }: Mark): string {
  return `${sign} ${word}`;
}

/** Our own sentences name commands in backticks; as values they are escaped, so they are set in code type here. */
export function prose(text: string): string {
  return markdown(text, 2000).replaceAll(/\\`([^`\\]{1,60})\\`/g, '<code>$1</code>');
}
