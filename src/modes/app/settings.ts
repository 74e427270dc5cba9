import { fail } from '../../ports/failure.ts';
import type { UserCommandSettings } from '../user-command.ts';
import type { SettingsFormat } from './format.ts';
import { formatOfName, formats, type FormatName } from './formats.ts';

/** What the app mode has to know; all values are parsed and resolved already. */
export interface AppModeSettings {
  readonly windowId: string;
  /** Absolute path of a folder that is ours alone. */
  readonly folder: string;
  /** The application's settings file; symbolic links are followed. */
  readonly file: string;
  readonly format: 'auto' | FormatName;
  readonly key: string;
  /** What closes the application; by default the opposite of what is there. */
  readonly value?: string | undefined;
  /** Whether the key may be added when it is not there; it is taken out again. */
  readonly create: boolean;
  /** Makes the application read the file; by default nothing, because it does so by itself. */
  readonly reloadCommand?: readonly string[] | undefined;
  readonly commands: UserCommandSettings;
  readonly bypassHeader?: { readonly name: string; readonly token: string } | undefined;
}

/**
 * The format of the file, and a refusal of settings that cannot work.
 * @throws FailureError `app-setting`
 */
export function formatOf(settings: AppModeSettings): {
  readonly name: FormatName;
  readonly format: SettingsFormat;
} {
  const { file, key, value } = settings;
  const name = settings.format === 'auto' ? formatOfName(file) : settings.format;
  if (name === undefined) {
    return refuse(
      `The name of the settings file ${file} does not tell its format`,
      `Give app-format: ${Object.keys(formats).join(', ')}.`,
    );
  }
  const format = formats[name];
  const problem = format.keyProblem(key);
  if (problem !== undefined) {
    return refuse(
      `app-key is ${JSON.stringify(key)}; in a ${name} file it is ${problem}`,
      'Correct app-key.',
    );
  }
  if (value !== undefined && wantedOf(format, value) === undefined) {
    return refuse(
      `app-value has characters that cannot be written to a ${name} file safely`,
      'Use a word or a number for app-value.',
    );
  }
  return { name, format };
}

/** A value for the file: its text, and whether it shall be written in quotes whatever was there. */
export interface Wanted {
  readonly text: string;
  readonly quoted: boolean;
}

/** Quotes around `app-value` ask for quotes in the file. */
export function parseValue(value: string): Wanted {
  const match = /^(['"])(.*)\1$/s.exec(value);
  return match === null ? { text: value, quoted: false } : { text: match[2] ?? '', quoted: true };
}

function wantedOf(format: SettingsFormat, value: string): string | undefined {
  const { text, quoted } = parseValue(value);
  return format.write(text, quoted ? '"' : '');
}

function refuse(what: string, next: string): never {
  return fail({ code: 'app-setting', message: `${what}.`, state: 'Nothing was touched.', next });
}
