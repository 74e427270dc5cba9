import { posix } from 'node:path';

/** Where a window's files are, under `state-dir/<name>`. */
export interface RecordPlace {
  readonly folder: string;
  readonly statusFile: string;
  readonly journalFile: string;
  readonly historyFolder: string;
  /** What web server workers must be able to read: flag, page, snippet. */
  readonly modeFolder: string;
}

/** The files of the window `name`. */
export function placeOf(stateDir: string, name: string): RecordPlace {
  const folder = posix.join(stateDir, name);
  return {
    folder,
    statusFile: posix.join(folder, 'window.json'),
    journalFile: posix.join(folder, 'journal.ndjson'),
    historyFolder: posix.join(folder, 'history'),
    modeFolder: posix.join(folder, 'mode'),
  };
}

/** Where the record of a window that is over goes. */
export function archivedPlace(place: RecordPlace, windowId: string): RecordPlace {
  const folder = posix.join(place.historyFolder, windowId);
  return {
    ...place,
    folder,
    statusFile: posix.join(folder, 'window.json'),
    journalFile: posix.join(folder, 'journal.ndjson'),
  };
}
