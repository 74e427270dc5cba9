/** One object at a destination: its name below the destination's place, and its size. */
export interface StoredObject {
  readonly name: string;
  readonly bytes: number;
}

/**
 * A place off the database's host that keeps copies of backups. Names are flat or have `/` in them and consist of
 * lower-case letters, digits, dots and hyphens. Every failure is a FailureError with a code `copy-…` that says what
 * happened, what is at the destination now, and what to do next.
 */
export interface BackupDestination {
  /** For people, without secrets: `s3://bucket/prefix at https://…`, `ssh://…/path`, `folder /mnt/x on local`, `artifact`. */
  readonly label: string;
  /**
   * Writes one object whole or not at all, in constant memory, and overwrites nothing. Leaves no part behind when it
   * fails, as far as the destination still answers; what is left then is never listed as an object. When `content`
   * throws, nothing is stored and its error is passed on.
   */
  put(name: string, content: AsyncIterable<Uint8Array>): Promise<void>;
  /** The bytes of an object as the destination gives them back now; fails when there is none. */
  read(name: string): AsyncIterable<Uint8Array>;
  /** Everything that is whole here, in no order; parts of unfinished uploads are not listed. */
  list(): Promise<readonly StoredObject[]>;
  /** Removes one object; well when there is none. */
  remove(name: string): Promise<void>;
  /**
   * Removes what is left of uploads that were cut off, of objects whose name is ours; tells these names. A
   * destination where nothing can be left has none.
   */
  sweep?(isOurs: (name: string) => boolean): Promise<readonly string[]>;
}
