import { z } from 'zod';
import type { Command, CommandResult, Host, Session } from '../../ports/host.ts';
import { fail } from '../../ports/failure.ts';
import { psqlScript, type PsqlScript } from './psql-script.ts';
import { StatementError, statementError } from './statement-failure.ts';

export interface PsqlOptions {
  /** Database to connect to; default: the application's. */
  readonly database?: string;
  /** Run-time parameters set before anything else, for instance `{ lock_timeout: '5s' }`. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Seconds for each statement (as `statement_timeout`) and, a little later, for the whole run. Default: no limit. */
  readonly timeoutSeconds?: number;
  /** Called with each notice, warning, detail and hint of the server as it comes. */
  readonly onNotice?: (line: string) => void;
  /** Everything in one transaction; statements that begin or end one are then refused. */
  readonly singleTransaction?: boolean;
}

/** A held psql session. An error ends it; its transaction is then rolled back. */
export interface PsqlSession {
  /**
   * Runs the statements of an SQL text as written (nothing is interpreted by psql) and returns the lines of all
   * results, unaligned: columns apart by `|`, a value with a newline in it takes several lines.
   * @param options.inOneMessage sends all statements at once, so that the server looks at nothing between them
   * @throws StatementError
   */
  query(sql: string, options?: { readonly inOneMessage?: boolean }): Promise<string[]>;
  /** Ends the session without COMMIT; quiet when it has ended. */
  close(): Promise<void>;
  /** Ends the session at once, in the middle of a statement too. */
  abort(): Promise<void>;
}

/** What queries are asked of: rows, each an object by column name, checked against a schema. */
export interface RowReader {
  rows<T>(sql: string, schema: z.ZodType<T>): Promise<T[]>;
}

/** psql on one server. SQL goes through standard input, secrets through the environment. */
export interface Psql {
  /** The application's database. */
  readonly database: string;
  /** A database to connect to while the application's is copied, renamed or dropped. */
  readonly maintenanceDatabase: string;
  /**
   * Runs SQL as written: each statement by itself, or all in one transaction; psql interprets nothing in it.
   * Several texts run one after the other in the same session (and the same transaction). Results are dropped.
   * @throws StatementError (`database-…`), FailureError `database-sql-unterminated`, `database-sql-refused`
   */
  execute(sql: string | readonly string[], options?: PsqlOptions): Promise<void>;
  /**
   * Rows of one query, each an object by column name, checked against a schema. Runs with
   * `search_path = pg_catalog` unless `settings` says otherwise: qualify tables.
   * @param options.first statements without rows that run before the query, each by itself, in the same session:
   *   one start of psql for an effect and the look at it
   * @throws StatementError (`database-…`), FailureError `database-answer-unexpected`
   */
  rows<T>(
    sql: string,
    schema: z.ZodType<T>,
    options?: Omit<PsqlOptions, 'singleTransaction'> & { readonly first?: readonly string[] },
  ): Promise<T[]>;
  /** Opens a held session; `timeoutSeconds` holds for each statement in it. */
  start(options?: Omit<PsqlOptions, 'singleTransaction'>): Promise<PsqlSession>;
}

/** What a Psql needs to know of its server. */
export interface PsqlParts {
  readonly host: Host;
  readonly database: string;
  /** A command that runs a PostgreSQL client against a database of the server, with secrets in its environment. */
  readonly client: (
    program: 'psql',
    args: readonly string[],
    database: string,
  ) => Promise<Pick<Command, 'argv' | 'env'>>;
}

/** Seconds that the client waits longer than the server's own statement_timeout, so that the server speaks first. */
const graceSeconds = 10;
const programArguments = [
  '-X',
  '-q',
  '-w',
  '-v',
  'ON_ERROR_STOP=1',
  '-A',
  '-t',
  '-f',
  '-',
] as const;

function settingsOf(options: PsqlOptions): Record<string, string> {
  const timeout = options.timeoutSeconds;
  return {
    ...(timeout === undefined
      ? {}
      : { statement_timeout: `${String(Math.ceil(timeout * 1000))}ms` }),
    ...options.settings,
  };
}

/** Turns psql's standard error lines into notices for people. */
function noticeLine(line: string): string | undefined {
  if (line.startsWith('LOCATION: ') || line.trim() === '') return undefined;
  return line.replace(/^psql:<stdin>:\d+: /, '').replace(/^(\S+:)\s+[0-9A-Z]{5}: /, '$1 ');
}

export function createPsql({ host, database, client }: PsqlParts): Psql {
  const usual = database === 'postgres' ? 'template1' : 'postgres';
  // Some servers have no database `postgres`; found out by the first connection, before any statement ran.
  let maintenance = usual;

  const command = async (options: PsqlOptions, on: string): Promise<Command> => {
    const { onNotice, timeoutSeconds } = options;
    return {
      ...(await client('psql', programArguments, on)),
      ...(timeoutSeconds === undefined ? {} : { timeoutSeconds: timeoutSeconds + graceSeconds }),
      ...(onNotice === undefined
        ? {}
        : {
            onStderrLine: (line: string): void => {
              const notice = noticeLine(line);
              if (notice !== undefined) onNotice(notice);
            },
          }),
    };
  };

  /** Tries again on template1 when the maintenance database does not exist. */
  const connected = async <T>(
    options: PsqlOptions,
    work: (on: string) => Promise<T>,
  ): Promise<T> => {
    const wanted = options.database ?? database;
    if (wanted !== usual) return work(wanted);
    try {
      return await work(maintenance);
    } catch (error) {
      if (
        maintenance === 'template1' ||
        !(error instanceof StatementError) ||
        error.failure.code !== 'database-missing'
      )
        throw error;
      maintenance = 'template1';
      return work(maintenance);
    }
  };

  const run = (
    sql: string | readonly string[],
    options: PsqlOptions,
    keepResults: boolean,
  ): Promise<CommandResult> => {
    const script = psqlScript({
      sql,
      settings: settingsOf(options),
      inOneTransaction: options.singleTransaction === true,
      keepResults,
    });
    return connected(options, async (on) => {
      const result = await host.run({ ...(await command(options, on)), stdin: script.text });
      if (result.exitCode !== 0) {
        throw statementError(`Running SQL on database ${JSON.stringify(on)}`, result, (line) =>
          script.statementAt(line),
        );
      }
      return result;
    });
  };

  return {
    database,
    maintenanceDatabase: usual,
    async execute(sql, options = {}) {
      await run(sql, options, false);
    },
    async rows(sql, schema, options = {}) {
      const { first = [], ...rest } = options;
      const result = await run(
        [...first, asJson(sql)],
        { ...rest, settings: { search_path: 'pg_catalog', ...rest.settings } },
        true,
      );
      return readRows(result.stdout, schema);
    },
    start: (options = {}) =>
      connected(options, async (on) => {
        // The run as a whole has no limit: whoever holds the session ends it.
        const { timeoutSeconds: _statementOnly, ...rest } = options;
        const session = await host.start(await command(rest, on));
        return openSession(session, on, settingsOf(options));
      }),
  };
}

/**
 * Queries in a held session, under its own `search_path`.
 * @throws StatementError, FailureError `database-answer-unexpected`
 */
export function rowsOf(session: PsqlSession): RowReader {
  return {
    rows: async (sql, schema) => readRows((await session.query(asJson(sql))).join('\n'), schema),
  };
}

function asJson(sql: string): string {
  return `SELECT coalesce(pg_catalog.json_agg(pg_catalog.row_to_json(mw_rows_)), '[]'::pg_catalog.json) FROM (\n${sql}\n) AS mw_rows_`;
}

function readRows<T>(stdout: string, schema: z.ZodType<T>): T[] {
  let reason: string;
  try {
    const parsed = z.array(schema).safeParse(JSON.parse(stdout));
    if (parsed.success) return parsed.data;
    reason = z.prettifyError(parsed.error).replace(/\s+/g, ' ');
  } catch (error) {
    reason = error instanceof Error ? error.message : String(error);
  }
  fail({
    code: 'database-answer-unexpected',
    message: `The server answered a catalogue query with something unexpected: ${reason}.`,
    state: 'The query only read; nothing was changed by it.',
    next: 'Report this with the server’s version; it may be a version that is not supported yet.',
  });
}

async function openSession(
  session: Session,
  on: string,
  settings: Readonly<Record<string, string>>,
): Promise<PsqlSession> {
  const what = `Running SQL in the session on database ${JSON.stringify(on)}`;
  let closed = false;
  let nextLine = 1;

  const send = async (script: PsqlScript): Promise<string[]> => {
    if (closed)
      throw statementError(what, {
        stderr: 'the session has ended already',
        exitCode: 2,
        timedOut: false,
        seconds: 0,
      });
    const marker = `mw-end-${globalThis.crypto.randomUUID()}`;
    nextLine += script.lines + 1;
    try {
      await session.write(`${script.text}\\echo ${marker}\n`);
    } catch {
      // psql has ended; its standard error, read below, says why.
    }
    const lines: string[] = [];
    for (;;) {
      const line = await session.nextLine();
      if (line === undefined) {
        closed = true;
        throw statementError(what, await session.end(), (scriptLine) =>
          script.statementAt(scriptLine),
        );
      }
      if (line === marker) return lines;
      lines.push(line);
    }
  };

  await send(psqlScript({ sql: '', settings, inOneTransaction: false, keepResults: true }));
  return {
    query: (sql, { inOneMessage = false } = {}) =>
      send(
        psqlScript({
          sql,
          inOneMessage,
          inOneTransaction: false,
          keepResults: true,
          firstLine: nextLine,
        }),
      ),
    async close() {
      if (closed) return;
      closed = true;
      await session.end();
    },
    async abort() {
      closed = true;
      await session.kill();
    },
  };
}
