/** What stands between a child of ours and the command that it carries: to another machine, or to another user. */
export interface Relay {
  /** The program that runs there, for messages. */
  readonly program: string;
  /** Resolves when the command has begun there; never, when it does not. */
  readonly begun: Promise<void>;
  /** Resolves when the command itself has ended, though the child may go on for who holds its pipes. */
  readonly over: Promise<void>;
  /** What the command printed, of what the child printed. */
  stdout(chunk: Buffer): Buffer;
  stderr(chunk: Buffer): Buffer;
  /** Ends the command where it runs; resolves to the failure when that could not be observed. Never rejects. */
  end(): Promise<Error | undefined>;
  /**
   * How the command ended, now that the child has.
   * @throws FailureError when that is not known
   */
  exitCode(child: ChildEnd): Promise<number | null>;
}

/** How a child ended; with an error it was never started. */
export interface ChildEnd {
  readonly exitCode: number | null;
  readonly error?: Error;
}
