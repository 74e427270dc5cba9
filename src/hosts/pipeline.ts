import { randomBytes } from 'node:crypto';
import { FailureError } from '../ports/failure.ts';
import type { Command, Host, PipeEnds, PipeStage, StageResult } from '../ports/host.ts';
import { CapturedOutput, LineSplitter } from './captured-output.ts';
import type { LocalProcess } from './local-process.ts';
import { pipelineCommand } from './pipeline-script.ts';

/** Bytes of each stage's standard error that are kept. */
const stderrLimitBytes = 64 * 1024;

/** Starts a command with these ends, under the name that messages give it. */
export type BeginPipeline = (
  command: Command,
  how: { readonly ends: PipeEnds; readonly label: string },
) => Promise<LocalProcess>;

/** What is heard of one stage. */
class Stage {
  readonly #stderr = new CapturedOutput(stderrLimitBytes);
  readonly #lines: LineSplitter;
  #code: number | undefined;

  constructor(onLine: ((line: string) => void) | undefined) {
    this.#lines = new LineSplitter((line) => onLine?.(line), stderrLimitBytes);
  }

  said(text: string): void {
    const bytes = Buffer.from(text);
    this.#stderr.add(bytes);
    this.#lines.add(bytes);
  }

  ended(code: number): void {
    this.#lines.end();
    this.#code = code;
  }

  /** `undefined` when its end was not heard of. */
  result(): StageResult | undefined {
    if (this.#code === undefined) return undefined;
    // A shell tells of signals by these numbers. 129 is left out: it is an ordinary code of git's.
    const exitCode = this.#code >= 130 && this.#code <= 159 ? null : this.#code;
    return { exitCode, stderr: this.#stderr.text() };
  }
}

function hear(stages: readonly Stage[], line: string): void {
  const [, number, kind, text = ''] = /^(\d+)([:+=])(.*)$/s.exec(line) ?? [];
  const stage = stages[Number(number) - 1];
  if (stage === undefined) return;
  if (kind === '=') stage.ended(Number(text));
  else stage.said(kind === ':' ? `${text}\n` : text);
}

function brokenOff(label: string, host: string): FailureError {
  return new FailureError({
    code: 'host-error',
    message: `The shell that joins \`${label}\` on ${host} was ended before it could tell how the programs fared.`,
    state: 'What they printed cannot be trusted to be whole; they may still be running.',
    next: 'Look at what ends processes on that host (the memory may be full: see `dmesg`), then run the step again.',
  });
}

/** {@link Host.pipe} over any way to start a command: the kernel joins the programs, a shell tells how each ended. */
export async function runPipeline(
  host: string,
  begin: BeginPipeline,
  stages: Parameters<Host['pipe']>[0],
  ends: PipeEnds = {},
): Promise<readonly StageResult[]> {
  const label = stages.map((stage: PipeStage) => stage.argv[0]).join(' | ');
  const heard = stages.map((stage: PipeStage) => new Stage(stage.onStderrLine));
  const command: Command = {
    ...pipelineCommand(stages, `\u001e${randomBytes(16).toString('hex')}`),
    onStderrLine: (line) => hear(heard, line),
    ...(ends.timeoutSeconds === undefined ? {} : { timeoutSeconds: ends.timeoutSeconds }),
  };
  const process = await begin(command, { ends, label });
  await process.result;
  const results = heard.map((stage) => stage.result());
  return results.map((result) => result ?? raise(brokenOff(label, host)));
}

function raise(failure: FailureError): never {
  throw failure;
}
