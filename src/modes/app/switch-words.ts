/** Words that switch something, off and on. */
const pairs: readonly (readonly [string, string])[] = [
  ['false', 'true'],
  ['off', 'on'],
  ['no', 'yes'],
  ['0', '1'],
  ['disabled', 'enabled'],
  ['n', 'y'],
  ['f', 't'],
];
const nothing = new Set(['', 'null', 'none', 'nil', '~']);

/** What a value says of a switch. */
export type Meaning = 'on' | 'off' | 'other';

/** Whether a value reads as on or off, in whatever case. */
export function meaningOf(value: string): Meaning {
  const word = value.trim().toLowerCase();
  if (nothing.has(word)) return 'off';
  for (const [off, on] of pairs) {
    if (word === off) return 'off';
    if (word === on) return 'on';
  }
  return 'other';
}

/** The other word of a pair, in the case of this one; `undefined` when it is of no pair. */
export function opposite(value: string): string | undefined {
  const word = value.trim();
  const pair = pairs.find((both) => both.includes(word.toLowerCase()));
  if (pair === undefined) return undefined;
  const other = pair[0] === word.toLowerCase() ? pair[1] : pair[0];
  if (word === word.toUpperCase() && word !== word.toLowerCase()) return other.toUpperCase();
  const isCapital = word.slice(0, 1) !== word.slice(0, 1).toLowerCase();
  return isCapital ? other.slice(0, 1).toUpperCase() + other.slice(1) : other;
}

/** Whether two values say the same: the same text, or both on, or both off. Nothing is not the same as `false`. */
export function saysTheSame(value: string, wanted: string): boolean {
  if (value === wanted) return true;
  const meaning = meaningOf(wanted);
  return (
    meaning !== 'other' && !nothing.has(value.trim().toLowerCase()) && meaning === meaningOf(value)
  );
}

/** A value for messages: words that switch something as they are; anything else might be a secret. */
export function showValue(value: string): string {
  if (meaningOf(value) !== 'other') return value === '' ? 'empty' : value;
  return `another value of ${value.length} characters`;
}
