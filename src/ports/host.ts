/** A command for a host. Secrets go into `env` or `stdin`, never into `argv`. */
export interface Command {
  /** Program and arguments; never passed through a shell. */
  readonly argv: readonly [string, ...string[]];
  /** Absolute path of the folder that it runs in. Default: that of this process, or the user's home. */
  readonly workingDirectory?: string;
  /** Added to the host's environment. */
  readonly env?: Readonly<Record<string, string>>;
  readonly stdin?: string | Uint8Array;
  /** Seconds after which the command is ended (SIGTERM, then SIGKILL). Default: no limit. */
  readonly timeoutSeconds?: number;
  /** Called for each complete line of standard output. */
  readonly onStdoutLine?: (line: string) => void;
  /** Called for each complete line of standard error. */
  readonly onStderrLine?: (line: string) => void;
}

export interface CommandResult {
  /**
   * Exit code; 127 when the program is not there; `null` when a signal ended it. A host behind a shell (SSH, sudo)
   * cannot tell exit codes of 130 to 159 from signals: they are `null` too.
   */
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly timedOut: boolean;
  readonly seconds: number;
}

/** A running command with an open standard input (for instance a `psql` that holds a snapshot). */
export interface Session {
  write(text: string): Promise<void>;
  /** Next line of standard output; `undefined` at its end. */
  nextLine(): Promise<string | undefined>;
  /** Closes standard input and waits for the end. */
  end(): Promise<CommandResult>;
  /** Ends the command without waiting for its input to be used up. */
  kill(): Promise<void>;
}

/** One program of a pipeline. Secrets go into `env`, never into `argv`. */
export type PipeStage = Pick<Command, 'argv' | 'env' | 'workingDirectory' | 'onStderrLine'>;

/** How one program of a pipeline ended. */
export interface StageResult {
  /** As in {@link CommandResult}; of a pipeline, exit codes of 130 to 159 are always told as signals: `null`. */
  readonly exitCode: number | null;
  /** Its beginning and its end, when it is long. */
  readonly stderr: string;
}

/** Where the bytes of a pipeline come from and go to. */
export interface PipeEnds {
  /** Input of the first program; read no faster than that takes it, and closed (`return`) when it takes no more. */
  readonly source?: AsyncIterable<Uint8Array>;
  /** Takes what the last program prints; the programs wait for it. Without one, that is thrown away. */
  readonly sink?: (chunk: Uint8Array) => Promise<void> | void;
  /** Seconds after which all programs are ended. Default: no limit. */
  readonly timeoutSeconds?: number;
}

export interface FileStatus {
  readonly kind: 'file' | 'directory' | 'other';
  readonly bytes: number;
  /** Permission bits, for instance 0o600. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

export interface WriteOptions {
  /** Permission bits of the new file. */
  readonly mode: number;
  /** Owner to give it (when we may). */
  readonly owner?: { readonly uid: number; readonly gid: number };
}

/**
 * A machine that the window works on: files and commands. All paths are absolute.
 * Errors: methods throw {@link FailureError} (`host-…` codes) when the host cannot do what was asked;
 * a command that merely exits non-zero does not throw.
 */
export interface Host {
  /** `local` or `ssh://user@host:port`. */
  readonly name: string;
  run(command: Command): Promise<CommandResult>;
  start(command: Command): Promise<Session>;
  /**
   * Runs programs on the host at once, each reading what the one before prints; only the input of the first and the
   * output of the last pass through this process, in constant memory. What the last one printed is with the sink as a
   * whole when this resolves. A program that exits non-zero does not throw: look at every stage's result before
   * trusting the bytes.
   *
   * A program sees the end of its input also when this process or the connection dies: it must not publish what it
   * made of it by itself (let it write under a partial name, and rename when this has resolved).
   * @throws FailureError `host-timeout`, `cancelled`, `host-unreachable`, …; whatever source or sink throw. All
   *   programs are ended by then.
   */
  pipe(
    stages: readonly [PipeStage, ...PipeStage[]],
    ends?: PipeEnds,
  ): Promise<readonly StageResult[]>;
  /** Bytes of a file; `undefined` when there is none. */
  readFile(path: string): Promise<Uint8Array | undefined>;
  /** Writes all or nothing: temporary file beside it, fsync, rename, fsync of the folder. */
  writeFile(path: string, bytes: string | Uint8Array, options: WriteOptions): Promise<void>;
  /**
   * Creates the file with its whole contents only when there is none, atomically (temporary file, fsync, `link`).
   * @returns false when the path exists already
   */
  createFile(path: string, bytes: string | Uint8Array, options: WriteOptions): Promise<boolean>;
  /** Appends and fsyncs; creates the file with `mode`. */
  appendFile(path: string, text: string, mode: number): Promise<void>;
  makeDirectory(path: string, mode: number): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  /** Removes a file or a folder with its contents; quiet when there is none. */
  remove(path: string): Promise<void>;
  /** Names in a folder, sorted; empty when there is no such folder. */
  list(path: string): Promise<readonly string[]>;
  /** Follows symbolic links; `undefined` when there is nothing. */
  status(path: string): Promise<FileStatus | undefined>;
  /** The path with all symbolic links resolved. */
  realPath(path: string): Promise<string>;
  /** Bytes that we may still write on the file system of `path` (or of its nearest existing parent). */
  freeBytes(path: string): Promise<number>;
  /** Hex SHA-256 of a file's contents, computed on the host. */
  sha256(path: string): Promise<string>;
}
