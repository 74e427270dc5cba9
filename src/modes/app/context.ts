import { createHash } from 'node:crypto';
import { fail } from '../../ports/failure.ts';
import type { FileStatus, Host } from '../../ports/host.ts';
import type { WindowNote } from '../window-note.ts';
import { findKey, isOn, type KeyInText } from './change.ts';
import type { SettingsFormat } from './format.ts';
import type { FormatName } from './formats.ts';
import type { ClosedNote, PreparedNote } from './prior.ts';
import type { AppModeSettings } from './settings.ts';

/** Everything that the parts of the app mode share. */
export interface AppContext {
  readonly host: Host;
  readonly settings: AppModeSettings;
  readonly format: SettingsFormat;
  readonly formatName: FormatName;
  readonly closed: WindowNote<ClosedNote>;
  readonly prepared: WindowNote<PreparedNote>;
}

/** A settings file as it is now. */
export interface SettingsFile {
  readonly path: string;
  readonly realPath: string;
  readonly status: FileStatus;
  readonly bytes: Uint8Array;
  readonly sha256: string;
  readonly key: KeyInText;
  readonly isOn: boolean;
}

const largestBytes = 1024 * 1024;

/** The application's settings file. */
export function readSettingsFile(context: AppContext): Promise<SettingsFile> {
  return readFileAt(context, context.settings.file);
}

/**
 * A settings file at a path of its own: where the link led when the key was set.
 * @throws FailureError `app-file-missing`, `app-file-unreadable`, `host-…`
 */
export async function readFileAt(context: AppContext, path: string): Promise<SettingsFile> {
  const { host, settings, format } = context;
  const status = await host.status(path);
  if (status === undefined) {
    return fail({
      code: 'app-file-missing',
      message: `There is no settings file ${path} on ${host.name}.`,
      state: 'Nothing was touched by this step.',
      next: 'Correct app-file, or bring the file back, then run the step again.',
    });
  }
  if (status.kind !== 'file' || status.bytes > largestBytes) {
    return unreadable(path, status.kind === 'file' ? 'is larger than 1 MiB' : 'is no file');
  }
  const bytes = await host.readFile(path);
  if (bytes === undefined) return unreadable(path, 'was there a moment ago and is not any more');
  const key = findKey(bytes, format, settings.key);
  if (typeof key === 'string') return unreadable(path, key);
  return {
    path,
    realPath: await host.realPath(path),
    status,
    bytes,
    sha256: sha256Of(bytes),
    key,
    isOn: isOn(key.location, settings.value),
  };
}

function unreadable(path: string, why: string): never {
  return fail({
    code: 'app-file-unreadable',
    message: `The settings file ${path} ${why}.`,
    state: 'Nothing was touched by this step.',
    next: 'Name the text file with the key in app-file.',
  });
}

/** Hex SHA-256 of bytes. */
export function sha256Of(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
