import * as z from 'zod';

/**
 * What follows when the window lacks the time for a piece of work.
 * @param otherwise what holds when the plan does not say, as the end of a sentence
 */
export function whenLate(otherwise: string) {
  return z
    .enum(['skip', 'abort'], 'is skip or abort')
    .optional()
    .describe(
      `When the time left, less what going back and the smoke tests need, does not cover it: \`skip\` goes on without it, \`abort\` ends the window, which makes the system safe. By default ${otherwise}.`,
    );
}
