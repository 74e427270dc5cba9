import * as z from 'zod';
import { bytesPattern, parseBytes } from './bytes.ts';
import { durationPattern, parseDuration } from './duration.ts';

// By default zod compiles the schema of an object to a function when it is first used. That pays off after
// hundreds of values; an action checks a plan two or three times, and would wait for the compiling each start.
z.config({ jitless: true });

/** How a setting is written as an action input or a command-line flag. */
export type SettingForm =
  /** As it is. */
  | 'text'
  /** `true` or `false`. */
  | 'flag'
  | 'number'
  /** One entry a line (or comma). */
  | 'list'
  /** YAML text. */
  | 'document';

/** What is declared once about a setting; every face is generated from it. */
export interface SettingMeta {
  readonly description: string;
  readonly form: SettingForm;
  readonly example?: string;
}

/** Attaches the declaration to a type; the last call around a type, so that `.meta()` finds it. */
export function setting<T extends z.ZodType>(type: T, meta: SettingMeta): T {
  return type.meta({ ...meta });
}

/** The declaration of a setting made by {@link setting}. */
export function metaOf(type: z.ZodType): SettingMeta {
  const meta = type.meta() as SettingMeta | undefined;
  if (meta === undefined) throw new Error('a setting was declared without setting()');
  return meta;
}

type CamelCase<S extends string> = S extends `${infer Head}-${infer Tail}`
  ? `${Head}${Capitalize<CamelCase<Tail>>}`
  : S;
type CamelKeys<T> = { readonly [K in keyof T as K extends string ? CamelCase<K> : K]: T[K] };

function camelKeys<T extends object>(value: T): CamelKeys<T> {
  return Object.fromEntries(
    Object.entries(value).map(([key, entry]) => [
      key.replaceAll(/-([a-z0-9])/g, (_, letter: string) => letter.toUpperCase()),
      entry as unknown,
    ]),
  ) as CamelKeys<T>;
}

/** An object of kebab-case settings that refuses unknown keys and reads as camelCase in TypeScript. */
export function group<Shape extends z.core.$ZodLooseShape>(shape: Shape) {
  return z
    .strictObject(shape, {
      error: ({ code }) => (code === 'invalid_type' ? 'is a mapping of settings' : undefined),
    })
    .transform((value) => camelKeys(value));
}

const shortestDuration = 0.001;
const longestDuration = 31 * 86_400;

/** Seconds, written with a unit: `90m`; from a millisecond to a month. */
export function duration() {
  return z
    .string('is a duration such as 90m, 30s or 1h30m')
    .regex(durationPattern, { error: 'is a duration such as 90m, 30s or 1h30m', abort: true })
    .refine((text) => (parseDuration(text) ?? 0) >= shortestDuration, 'is at least 1ms')
    .refine((text) => (parseDuration(text) ?? 0) <= longestDuration, 'is at most 31d')
    .transform((text) => parseDuration(text) ?? 0);
}

/** Seconds as {@link duration}, or `0s`. */
export function durationOrNone() {
  return z
    .string('is 0s, or a duration such as 30m, 24h or 7d')
    .regex(new RegExp(`^0s$|${durationPattern.source}`), {
      error: 'is 0s, or a duration such as 30m, 24h or 7d',
      abort: true,
    })
    .refine((text) => (parseDuration(text) ?? 0) <= longestDuration, 'is at most 31d')
    .transform((text) => parseDuration(text) ?? 0);
}

/** Bytes, written with a unit: `2 GiB`. */
export function bytes() {
  return z
    .string('is a size such as 512 MiB or 2 GiB')
    .regex(bytesPattern, 'is a size such as 512 MiB or 2 GiB')
    .transform((text) => parseBytes(text) ?? 0);
}

/** What {@link secretReference} accepts. A value refused with this message may be the secret itself. */
export const secretReferenceMessage =
  'names an environment variable, such as $DATABASE_URL; secrets themselves never stand in a plan or an input';

/** The name of an environment variable that holds a secret, written `$NAME`; secrets themselves are refused. */
export function secretReference() {
  return z.string(secretReferenceMessage).regex(/^\$[A-Z_][A-Z0-9_]*$/, secretReferenceMessage);
}

/** `http://` or `https://`, without user and password. */
export function httpUrl() {
  return z
    .string('is an http or https URL without user and password')
    .regex(/^https?:\/\/[^\s/?#@\\]+(?:[/?#]\S*)?$/, {
      error: 'is an http or https URL without user and password',
      abort: true,
    })
    .refine((text) => URL.canParse(text), 'is an http or https URL');
}

/** An absolute path without `..` and control characters. */
export function absolutePath() {
  return z
    .string('is an absolute path')
    .regex(
      /^\/(?!.*(?:^|\/)\.\.(?:\/|$))[^\u0000-\u001f\u007f]*$/,
      'is an absolute path without ".." and control characters',
    );
}

/** A path on the host: absolute, or from the root of the checked-out repository. */
export function hostPath() {
  return z
    .string('is an absolute path, or one from the root of the repository')
    .regex(
      /^(?!.*(?:^|\/)\.\.(?:\/|$))[^\u0000-\u001f\u007f]+$/,
      'is an absolute path, or one from the root of the repository, without ".." and control characters',
    );
}

/** A name safe in paths, headers and SQL identifiers: `shop`, `web-eu-1`. */
export function kebabName() {
  return z
    .string('is a name of small letters, digits and dashes')
    .regex(
      /^[a-z][a-z0-9]*(?:-[a-z0-9]+)*$/,
      'is a name of small letters, digits and dashes, such as web-eu-1',
    )
    .max(40, 'has at most 40 characters');
}

/** What {@link hostReference} accepts. */
export const hostReferenceMessage =
  'is local, or a host such as ssh://deploy@web1.example.org or ssh://deploy@192.0.2.7:2222';
const hostReferencePattern =
  /^(?:local|ssh:\/\/(?:[A-Za-z_][A-Za-z0-9_.-]*@)?(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?)$/;

/** The host that the run is on, or one that is reached by SSH. */
export function hostReference() {
  return z
    .string(hostReferenceMessage)
    .regex(hostReferencePattern, { error: hostReferenceMessage, abort: true })
    .refine((text) => isPort(/:(\d+)$/.exec(text)?.[1] ?? '22'), 'has a port from 1 to 65535');
}

/** Parts of the fleet that a setting can name instead of single hosts. */
export const hostRoles = ['control', 'web', 'database', 'workers'] as const;

/** Which hosts something is done on: a part of the fleet, or one host as the plan names it. */
export function hostSelector() {
  return z.union(
    [z.enum(hostRoles), hostReference()],
    'is control, web, database or workers, or a host of the plan such as ssh://deploy@web1.example.org',
  );
}
export type HostSelector = z.output<ReturnType<typeof hostSelector>>;

/** Where a host answers itself: name or address, port, and the scheme when it is not that of the public URL. */
export function hostAddress() {
  return z
    .string('is an address such as 192.0.2.11:443 or http://192.0.2.11:8080')
    .regex(
      /^(?:https?:\/\/)?(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\]):[0-9]{1,5}$/,
      {
        error: 'is an address such as 192.0.2.11:443 or http://192.0.2.11:8080',
        abort: true,
      },
    )
    .refine((text) => isPort(/:(\d+)$/.exec(text)?.[1] ?? ''), 'has a port from 1 to 65535');
}

function isPort(text: string): boolean {
  return Number(text) >= 1 && Number(text) <= 65_535;
}

/** A path at the public URL, or a prefix of paths. */
export function exemptPath() {
  return z
    .string('is a path such as /healthz or /status/*')
    .regex(
      /^\/[A-Za-z0-9._~!&'()+,;=:@/-]*\*?$/,
      'is a path such as /healthz, or a prefix such as /status/*',
    );
}

/** Text on one line. */
export function line() {
  return z
    .string('is text on one line')
    .min(1, 'is not empty')
    .regex(/^[^\u0000-\u001f\u007f]*$/, 'is text on one line');
}

/** A word, number or truth value, written as it is in YAML; read as text. */
export function scalar() {
  return z
    .union([line(), z.boolean(), z.number()], 'is a word, a number, true or false')
    .transform(String);
}

/** A regular expression, as JavaScript has it. */
export function pattern() {
  return line().refine(isPattern, 'is a regular expression');
}

function isPattern(source: string): boolean {
  try {
    return new RegExp(source, 'mu').source !== '';
  } catch {
    return false;
  }
}

/** Whether no two entries of a list have the same id; those without one are named by their number. */
export function hasEachIdOnce(entries: readonly { readonly id?: string | undefined }[]): boolean {
  const ids = entries.flatMap(({ id }) => (id === undefined ? [] : [id]));
  return new Set(ids).size === ids.length;
}
