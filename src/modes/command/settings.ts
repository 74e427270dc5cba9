import { fail } from '../../ports/failure.ts';
import type { UserCommandSettings } from '../user-command.ts';

/** What the command mode has to know; all values are parsed and resolved already. */
export interface CommandModeSettings {
  readonly windowId: string;
  /** Absolute path of a folder that is ours alone. */
  readonly folder: string;
  readonly closeCommand: readonly string[];
  readonly openCommand: readonly string[];
  readonly statusCommand: readonly string[];
  /** Regular expressions for what the status command prints; see {@link readStatus}. */
  readonly statusClosed?: string | undefined;
  readonly statusOpen?: string | undefined;
  readonly commands: UserCommandSettings;
  readonly bypassHeader?: { readonly name: string; readonly token: string } | undefined;
  /** Seconds for which the status may lag behind the command. Default 10. */
  readonly settleSeconds?: number;
}

/**
 * Refuses commands that are not there and patterns that are none.
 * @throws FailureError `command-setting`
 */
export function checkSettings(settings: CommandModeSettings): void {
  const commands = {
    'close-command': settings.closeCommand,
    'open-command': settings.openCommand,
    'status-command': settings.statusCommand,
  };
  for (const [name, argv] of Object.entries(commands)) {
    if (argv.length === 0)
      refuse(`${name} is missing`, `Give ${name}: the program and its arguments.`);
  }
  const { statusClosed, statusOpen } = settings;
  if (statusOpen !== undefined && statusClosed === undefined) {
    refuse('status-open is given without status-closed', 'Give status-closed as well.');
  }
  for (const [name, pattern] of Object.entries({
    'status-closed': statusClosed,
    'status-open': statusOpen,
  })) {
    if (pattern !== undefined) patternOf(name, pattern);
  }
}

/** @throws FailureError `command-setting` */
export function patternOf(name: string, source: string): RegExp {
  try {
    return new RegExp(source, 'mu');
  } catch {
    return refuse(
      `${name} is ${JSON.stringify(source)}, which is no regular expression`,
      `Correct ${name}; put a backslash before each character that shall stand for itself.`,
    );
  }
}

function refuse(what: string, next: string): never {
  return fail({
    code: 'command-setting',
    message: `The setting ${what}.`,
    state: 'Nothing was touched.',
    next,
  });
}
