import type { CommandResult } from '../../ports/host.ts';
import { FailureError, type Failure } from '../../ports/failure.ts';
import { failureKind } from './failure-kind.ts';

/** A statement or a connection that the server (or the client) refused. */
export class StatementError extends FailureError {
  /** Five-character SQLSTATE; `undefined` when the client never got one (for instance no connection). */
  readonly sqlState: string | undefined;
  /** Line in the SQL text, from 1, of the statement that failed. */
  readonly line: number | undefined;
  /** What the server or the client said, with SQLSTATE and line, apart from what was being done. */
  readonly said: string | undefined;

  constructor(
    failure: Failure,
    details: {
      sqlState?: string | undefined;
      line?: number | undefined;
      said?: string | undefined;
    } = {},
  ) {
    super(failure);
    this.name = 'StatementError';
    this.sqlState = details.sqlState;
    this.line = details.line;
    this.said = details.said;
  }
}

/** What the server or the client said, taken apart. */
export interface ServerMessage {
  readonly sqlState: string | undefined;
  /** Message, then detail and hint where they hold no row values; one line. */
  readonly text: string;
  /** Line of our script on which the failing command stands, from 1. */
  readonly scriptLine: number | undefined;
  /** Line within the statement, from 1. */
  readonly statementLine: number | undefined;
}

const head =
  /^(?:psql:<stdin>:(?<script>\d+): )?(?<severity>[^\s:]+):\s+(?<state>[0-9A-Z]{5}): (?<text>.*)$/u;
const field =
  /^(?<name>DETAIL|HINT|CONTEXT|QUERY|LOCATION|SCHEMA NAME|TABLE NAME|COLUMN NAME|DATATYPE NAME|CONSTRAINT NAME|LINE (?<line>\d+)): ?\s*(?<text>.*)$/u;

/**
 * How a line of a client begins that tells of a failure. A client writes its name, a space, the kind and the message
 * one by one, and its workers write into the same stream: the beginnings of several come before the first message.
 */
const tellingHead = /^(?:pg_\w+:|error:|\s)*(?:error|hint):\s|^pg_.*pg_\w+:\s(?:error|hint):\s/;
/** A message whose beginning went before another worker's. */
const tellingMessage = /^\s*(?:COPY failed for table |could not |query failed: |a worker process )/;

/**
 * Of what pg_dump and pg_restore print, the lines that tell of the failure: not their progress, not the rows that they
 * quote; of a failing command its first line.
 */
function clientLines(lines: readonly string[]): readonly string[] {
  const telling = lines.filter((line) => tellingHead.test(line) || tellingMessage.test(line));
  // Only progress: it was ended before it could say anything.
  if (telling.length === 0) return lines.some((line) => /^pg_\w+: /.test(line)) ? [] : lines;
  const command = lines.find((line) => /^(?:Command was|pg_\w+: detail: Command was): /.test(line));
  return command === undefined ? telling : [...telling, command.slice(0, 200)];
}

/**
 * Reads the last error from a client's standard error, written with `VERBOSITY verbose`.
 * Row values are left out: what fails is reported to many readers, the server's log is not.
 */
export function readServerMessage(stderr: string): ServerMessage {
  const lines = stderr.split('\n').map((line) => line.trimEnd());
  const isError = (line: string): boolean => {
    const state = head.exec(line)?.groups?.state;
    // Classes 00, 01 and 02 are success, warning and no data.
    return state !== undefined && !/^0[012]/.test(state);
  };
  const at = lines.findLastIndex(isError);
  const groups = at === -1 ? undefined : head.exec(lines[at] ?? '')?.groups;
  if (groups === undefined) {
    const text = clientLines(lines)
      .filter((line) => line !== '')
      .slice(-6)
      .join(' ')
      .replace(/\s+/g, ' ');
    return { sqlState: undefined, text, scriptLine: undefined, statementLine: undefined };
  }
  const sqlState = groups.state ?? '';
  const parts = [groups.text ?? ''];
  let statementLine: number | undefined;
  let primary = true;
  for (const line of lines.slice(at + 1)) {
    const found = field.exec(line)?.groups;
    if (found === undefined) {
      if (primary && line.trim() !== '') parts[0] = `${parts[0] ?? ''} ${line.trim()}`;
      continue;
    }
    primary = false;
    const text = found.text ?? '';
    if (found.line !== undefined) statementLine = Number(found.line);
    else if (found.name === 'HINT') parts.push(text);
    else if (found.name === 'CONSTRAINT NAME') parts.push(`constraint ${text}`);
    // Class 23 (integrity violations) and 22 (data) quote the row in their detail.
    else if (found.name === 'DETAIL' && !/^2[23]/.test(sqlState)) parts.push(text);
  }
  const scriptLine = groups.script === undefined ? undefined : Number(groups.script);
  return { sqlState, text: parts.join('; '), scriptLine, statementLine };
}

/**
 * The error that a failed client run tells of.
 * @param what what was being done, for instance `Running SQL on database shop`
 * @param statementAt finds the line in the SQL text for a line of our script
 */
export function statementError(
  what: string,
  result: Pick<CommandResult, 'stderr' | 'exitCode' | 'timedOut' | 'seconds'>,
  statementAt: (
    scriptLine: number,
  ) => { readonly line: number; readonly textLine: number } | undefined = () => undefined,
): StatementError {
  const state =
    'The server kept what had been committed before; an open transaction was rolled back.';
  if (result.timedOut) {
    return new StatementError({
      code: 'database-statement-timeout',
      message: `${what} was ended after ${result.seconds.toFixed(0)} seconds without an answer.`,
      state,
      next: 'Look in pg_stat_activity for what the server is doing, then run the step again or raise the timeout.',
    });
  }
  if (result.exitCode === 127) {
    return new StatementError({
      code: 'database-client-missing',
      message: `${what} failed: the PostgreSQL client program is not there (${result.stderr.trim() || 'exit code 127'}).`,
      state: 'Nothing was sent to the database.',
      next: 'Install the PostgreSQL client programs, at least as new as the server.',
    });
  }
  const message = readServerMessage(result.stderr);
  const { code, next } = failureKind(message);
  // Without an SQLSTATE there was no session yet, or there is none any more.
  const connected = message.sqlState !== undefined || code === 'database-connection-lost';
  const statement = message.scriptLine === undefined ? undefined : statementAt(message.scriptLine);
  const line =
    statement === undefined
      ? undefined
      : message.statementLine === undefined
        ? statement.line
        : statement.textLine + message.statementLine - 1;
  const said =
    message.text === ''
      ? `the client ended with ${result.exitCode === null ? 'a signal' : `exit code ${String(result.exitCode)}`}`
      : message.text;
  const where = [
    message.sqlState === undefined ? [] : [`SQLSTATE ${message.sqlState}`],
    line === undefined ? [] : [`line ${String(line)}`],
  ].flat();
  const saidWhere = `${said}${where.length === 0 ? '' : ` (${where.join(', ')})`}`;
  return new StatementError(
    {
      code,
      message: `${what} failed: ${saidWhere}.`,
      state: connected ? state : 'Nothing was sent to the database.',
      next,
    },
    { sqlState: message.sqlState, line, said: saidWhere },
  );
}
