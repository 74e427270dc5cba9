import * as z from 'zod';
import type { Location, Place, SettingsFormat } from './format.ts';
import { parseValue } from './settings.ts';
import { readSource, splice, type SourceReading } from './source-text.ts';
import { meaningOf, opposite, saysTheSame, showValue } from './switch-words.ts';

/** What is done to the key, and all that is remembered of the file: this one span. */
export const changeSchema = z.strictObject({
  kind: z.enum(['replaced', 'added']),
  /** Bytes before the span. */
  offset: z.int().min(0),
  from: z.string(),
  to: z.string(),
});
export type Change = z.infer<typeof changeSchema>;

/** The key in the text of a settings file. */
export interface KeyInText {
  readonly source: Extract<SourceReading, { kind: 'text' }>;
  readonly location: Location;
}

/** Finds the key in a file's bytes; the refusal says what of the file cannot be understood. */
export function findKey(
  bytes: Uint8Array,
  format: SettingsFormat,
  key: string,
): KeyInText | string {
  const source = readSource(bytes);
  if (source.kind === 'unreadable') return source.reason;
  return { source, location: format.locate(source.text, key) };
}

/** Whether the value closes the application. */
export function isOn(location: Location, value: string | undefined): boolean {
  if (location.kind !== 'found') return false;
  const { place } = location;
  if (value === undefined) return meaningOf(place.value) === 'on';
  return saysTheSame(place.value, parseValue(value).text);
}

export type Closing =
  | { readonly kind: 'change'; readonly change: Change; readonly bytes: Buffer }
  /** What follows "the key …". */
  | { readonly kind: 'impossible'; readonly reason: string; readonly next: string };

/** How the key is set; pure. It is not on yet. */
export function closingChange(
  bytes: Uint8Array,
  { source, location }: KeyInText,
  how: {
    readonly format: SettingsFormat;
    readonly key: string;
    readonly value: string | undefined;
    readonly create: boolean;
  },
): Closing {
  const { format, key, value, create } = how;
  if (location.kind === 'refused') {
    return {
      kind: 'impossible',
      reason: location.reason,
      next: 'Let the file have the key once, with a plain value, or name another key.',
    };
  }
  const part =
    location.kind === 'found'
      ? replacing(source.text, location.place, format, value)
      : adding(location, format, value, create);
  if ('reason' in part) return { kind: 'impossible', ...part };
  const { bytes: after, offset } = splice(bytes, source, part);
  const change: Change = {
    kind: location.kind === 'found' ? 'replaced' : 'added',
    offset,
    from: source.text.slice(part.start, part.end),
    to: part.by,
  };
  // What was written must read as it was meant, before it is written.
  const again = findKey(after, format, key);
  if (typeof again === 'string' || !isOn(again.location, value)) {
    return {
      kind: 'impossible',
      reason: 'cannot be set so that the file then says it',
      next: 'Give app-value as the application expects it, or set the key once by hand in a simpler way.',
    };
  }
  return { kind: 'change', change, bytes: after };
}

type Part =
  | { readonly start: number; readonly end: number; readonly by: string }
  | { readonly reason: string; readonly next: string };

function replacing(
  text: string,
  place: Place,
  format: SettingsFormat,
  value: string | undefined,
): Part {
  const wanted = value === undefined ? undefined : parseValue(value);
  const word = wanted?.text ?? wordFor(place, format);
  if (word === undefined) {
    return {
      reason: `is ${showValue(place.value)}, which is neither on nor off`,
      next: 'Give app-value: what the key has to be while the application is closed.',
    };
  }
  if (text.slice(place.start, place.end).length > 1000) {
    return {
      reason: 'has a value of more than 1000 characters',
      next: 'Name the key that closes the application.',
    };
  }
  const quote = wanted?.quoted === true && place.quote === '' ? '"' : place.quote;
  const token = format.write(word, quote) ?? format.write(word, '"');
  if (token === undefined) return unwritable;
  return { start: place.start, end: place.end, by: `${place.lead ?? ''}${token}` };
}

/** What switches on what is off, as the file writes it. */
function wordFor({ value }: Place, format: SettingsFormat): string | undefined {
  if (meaningOf(value) !== 'off') return undefined;
  return opposite(value) ?? format.defaultOn;
}

function adding(
  location: Extract<Location, { kind: 'missing' }>,
  format: SettingsFormat,
  value: string | undefined,
  create: boolean,
): Part {
  if (!create) {
    return {
      reason: 'is not there',
      next: 'Correct app-key, add the key switched off, or let it be added for the window with app-create.',
    };
  }
  const { addition } = location;
  if (addition === undefined) {
    return {
      reason:
        'is not there, and there is no one place to add it: its section or mapping is missing',
      next: 'Add the key to the file, switched off.',
    };
  }
  const wanted = parseValue(value ?? format.defaultOn);
  const token = format.write(wanted.text, wanted.quoted ? '"' : '');
  if (token === undefined) return unwritable;
  const { offset, before, after } = addition;
  return { start: offset, end: offset, by: before + token + after };
}

const unwritable = {
  reason: 'cannot take this app-value within the quotes that it has',
  next: 'Use a word or a number for app-value.',
} as const;

export type Opening =
  /** Byte for byte what was there before. */
  | { readonly kind: 'exact'; readonly bytes: Buffer }
  /** Somebody edited the file; the key alone is as before, or at least switched off. */
  | { readonly kind: 'key-only'; readonly bytes: Buffer; readonly detail: string }
  /** The key does not close the application (any more); nothing is touched. */
  | { readonly kind: 'not-ours'; readonly detail: string }
  | { readonly kind: 'impossible'; readonly reason: string };

/** How the key is given back; pure. */
export function openingChange(
  bytes: Uint8Array,
  before: { readonly change: Change; readonly isUntouched: boolean },
  how: {
    readonly format: SettingsFormat;
    readonly key: string;
    readonly value: string | undefined;
  },
): Opening {
  const { change, isUntouched } = before;
  const { format, key, value } = how;
  const found = findKey(bytes, format, key);
  if (typeof found === 'string') return { kind: 'impossible', reason: `the file ${found}` };
  const { source, location } = found;
  if (isUntouched) {
    const start = Buffer.from(bytes.subarray(0, change.offset)).toString(source.encoding).length;
    const part = { start, end: start + change.to.length, by: change.from };
    return { kind: 'exact', bytes: splice(bytes, source, part).bytes };
  }
  if (location.kind === 'refused')
    return { kind: 'impossible', reason: `${key} ${location.reason}` };
  if (location.kind === 'missing') return { kind: 'not-ours', detail: 'is no longer there' };
  if (!isOn(location, value)) {
    return { kind: 'not-ours', detail: `is ${showValue(location.place.value)} now` };
  }
  const back = partBack(source.text, location.place, change, format);
  if (back === undefined) {
    return { kind: 'impossible', reason: `${key} was written anew and cannot be switched off` };
  }
  return { kind: 'key-only', bytes: splice(bytes, source, back).bytes, detail: back.detail };
}

function partBack(
  text: string,
  place: Place,
  { kind, from, to }: Change,
  format: SettingsFormat,
): { start: number; end: number; by: string; detail: string } | undefined {
  if (kind === 'replaced') {
    const lead = /^ */.exec(to)?.[0] ?? '';
    const hasLead = lead !== '' && text.slice(place.start - lead.length, place.start) === lead;
    return {
      start: hasLead ? place.start - lead.length : place.start,
      end: place.end,
      by: from === '' || hasLead ? from : `${place.lead ?? ''}${from}`,
      detail: 'only the value of the key was put back',
    };
  }
  for (let start = text.indexOf(to); start !== -1; start = text.indexOf(to, start + 1)) {
    const end = start + to.length;
    if (start <= place.start && place.end <= end) {
      return { start, end, by: '', detail: 'only the key that was added was taken out' };
    }
  }
  const off = opposite(place.value);
  const token = off === undefined ? undefined : format.write(off, place.quote);
  if (token === undefined) return undefined;
  return {
    start: place.start,
    end: place.end,
    by: token,
    detail: 'the key that was added had been written anew: it stays, switched off',
  };
}
