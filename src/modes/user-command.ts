import type { CommandResult, Host } from '../ports/host.ts';

/** How the commands of a user's plan are run. */
export interface UserCommandSettings {
  /** Variables that they get beyond the host's own short list; values may be secrets. */
  readonly environment: Readonly<Record<string, string>>;
  /** Absolute path on the host. Default: the host's own. */
  readonly workingDirectory?: string | undefined;
  /** Seconds after which a command is ended. */
  readonly timeoutSeconds: number;
}

/** How a user's command went. */
export interface UserCommandResult {
  readonly exitCode: number | null;
  /** Without the escape sequences of a terminal. */
  readonly stdout: string;
  /** Its end and its last words, for a message: one line, values of the environment masked. */
  readonly told: string;
}

/**
 * Runs a command of the plan: program and arguments, no shell.
 * @throws FailureError `host-…`, `cancelled`
 */
export async function runUserCommand(
  host: Host,
  argv: readonly string[],
  settings: UserCommandSettings,
): Promise<UserCommandResult> {
  const [program = '', ...rest] = argv;
  const { workingDirectory, environment, timeoutSeconds } = settings;
  const result = await host.run({
    argv: [program, ...rest],
    ...(workingDirectory === undefined ? {} : { workingDirectory }),
    env: environment,
    timeoutSeconds,
  });
  const stdout = withoutEscapes(result.stdout);
  return {
    exitCode: result.timedOut ? null : result.exitCode,
    stdout,
    told: `${endOf(result, program, timeoutSeconds)}${lastWords(result, environment)}`,
  };
}

/** Whether a program can be found on the host, without running it. */
export async function isProgramThere(
  host: Host,
  argv: readonly string[],
  { workingDirectory }: Pick<UserCommandSettings, 'workingDirectory'>,
): Promise<boolean> {
  const result = await host.run({
    // The program's name is an argument of this fixed script, and is not interpreted.
    argv: ['sh', '-c', 'command -v -- "$1"', 'sh', argv[0] ?? ''],
    ...(workingDirectory === undefined ? {} : { workingDirectory }),
    timeoutSeconds: 30,
  });
  return result.exitCode === 0;
}

function endOf(result: CommandResult, program: string, timeoutSeconds: number): string {
  if (result.timedOut) return `it did not end within ${timeoutSeconds} seconds`;
  if (result.exitCode === null) return 'a signal ended it';
  return result.exitCode === 127
    ? `exit code 127 (is the program ${program} there?)`
    : `exit code ${result.exitCode}`;
}

const shownLines = 12;
const shownCharacters = 1500;
/** Shorter values would mask half of what is said, and are no secrets. */
const shortestSecret = 6;

function lastWords(
  { stdout, stderr }: CommandResult,
  environment: Readonly<Record<string, string>>,
): string {
  const secrets = Object.values(environment).filter(({ length }) => length >= shortestSecret);
  let text = withoutEscapes(`${stdout}\n${stderr}`);
  for (const secret of secrets) text = text.replaceAll(secret, '***');
  const lines = text
    .split(/[\r\n]+/)
    .map((line) => line.replaceAll(/\p{Cc}+/gu, ' ').trim())
    .filter((line) => line !== '');
  if (lines.length === 0) return ', and said nothing';
  return `; it said: ${lines.slice(-shownLines).join(' | ').slice(-shownCharacters)}`;
}

/** ECMA-48 control sequences: colours and the like. */
function withoutEscapes(text: string): string {
  return text.replaceAll(/\u001b\[[0-?]*[ -/]*[@-~]/g, '');
}
