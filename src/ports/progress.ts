/** Live progress for whoever watches: the log of a run, or a terminal. */
export interface Progress {
  /** A line of information. */
  info(line: string): void;
  /** Something the reader should look at; the window goes on. */
  warning(line: string): void;
  /** A step begins. */
  begin(phase: string, step: string, title: string): void;
  /** A step ended. */
  end(
    phase: string,
    step: string,
    outcome: 'done' | 'skipped' | 'failed',
    detail: string,
    seconds: number,
  ): void;
}
