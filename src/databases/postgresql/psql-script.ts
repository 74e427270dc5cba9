import { fail } from '../../ports/failure.ts';
import { quoteDollar, quoteLiteral } from './quoting.ts';
import {
  controlsTransaction,
  readsFromClient,
  splitStatements,
  type Statement,
} from './statements.ts';

/** What psql reads from standard input, and where each statement of the SQL text stands in it. */
export interface PsqlScript {
  readonly text: string;
  /** Number of lines in `text`. */
  readonly lines: number;
  /** The statement whose command stands on a line of the script. */
  statementAt(scriptLine: number): { readonly line: number; readonly textLine: number } | undefined;
}

/**
 * What every session begins with, by the server version (`server_version_num`) that brought it. Limits set for a role or a
 * database are meant for the application's statements; a window gives its own.
 */
const baseSettings: readonly (readonly [name: string, value: string, since: number])[] = [
  ['standard_conforming_strings', 'on', 0],
  ['statement_timeout', '0', 0],
  ['lock_timeout', '0', 0],
  ['idle_in_transaction_session_timeout', '0', 0],
  ['idle_session_timeout', '0', 140000],
  ['transaction_timeout', '0', 170000],
  // When our client is killed, the server gives up its statement too.
  ['client_connection_check_interval', '2s', 140000],
];

function settingsStatement(settings: Readonly<Record<string, string>>): string {
  const set = (name: string, value: string): string =>
    `pg_catalog.set_config(${quoteLiteral(name)}, ${quoteLiteral(value)}, false)`;
  const base = baseSettings.map(([name, value, since]) =>
    since === 0
      ? set(name, value)
      : `CASE WHEN pg_catalog.current_setting('server_version_num')::pg_catalog.int4 >= ${since} THEN ${set(name, value)} END`,
  );
  const given = Object.entries(settings).map(([name, value]) => set(name, value));
  return `SELECT ${[...base, ...given].join(', ')}`;
}

/**
 * One statement as psql input. psql would interpret backslash commands and `:variables` in SQL that it reads;
 * the results of `\gexec` it sends to the server as they are (psql manual), so the statement travels as a constant.
 */
function literalStatement(sql: string): string {
  return `SELECT ${quoteDollar(sql)}\n\\gexec\n`;
}

/**
 * Splits SQL texts, and refuses what cannot be done as asked.
 * @throws FailureError `database-sql-unterminated`, `database-sql-refused`
 */
function checkedStatements(
  sql: string | readonly string[],
  inOneTransaction: boolean,
): Statement[] {
  const texts = typeof sql === 'string' ? [sql] : sql;
  const statements = texts.flatMap((text) => splitStatements(text));
  for (const statement of statements) {
    const refused = readsFromClient(statement)
      ? 'COPY … FROM STDIN reads from the client, which sends no data; use INSERT, or COPY from a file of the server'
      : inOneTransaction && controlsTransaction(statement)
        ? `${(statement.words[0] ?? '').toUpperCase()} would break the one transaction that this SQL runs in; take it out, or run the SQL without a transaction`
        : undefined;
    if (refused !== undefined) {
      fail({
        code: 'database-sql-refused',
        message: `The statement on line ${String(statement.line)} cannot run: ${refused}.`,
        state: 'Nothing was sent to the database.',
        next: 'Change the SQL and run the step again.',
      });
    }
  }
  return statements;
}

function together(statements: readonly Statement[]): readonly Statement[] {
  const [first] = statements;
  return first === undefined
    ? []
    : [{ ...first, text: statements.map(({ text }) => text).join(';\n') }];
}

/** Input for psql: quiet settings first, then the statements of `sql`. */
export function psqlScript(options: {
  readonly sql: string | readonly string[];
  /** Run-time parameters; `undefined` in a session that has them already. */
  readonly settings?: Readonly<Record<string, string>>;
  readonly inOneTransaction: boolean;
  /** Whether all statements go to the server together, and not one by one. */
  readonly inOneMessage?: boolean;
  /** Whether results go to standard output; otherwise they are dropped. */
  readonly keepResults: boolean;
  /** Line of psql's input on which this script begins. Default: 1. */
  readonly firstLine?: number;
}): PsqlScript {
  const statements = checkedStatements(options.sql, options.inOneTransaction);
  const places = new Map<number, Statement>();
  const pieces: string[] = [];
  let line = options.firstLine ?? 1;
  const add = (text: string): void => {
    pieces.push(text);
    for (let i = text.indexOf('\n'); i !== -1; i = text.indexOf('\n', i + 1)) line += 1;
  };
  add('\\set VERBOSITY verbose\n\\o /dev/null\n');
  if (options.settings !== undefined) add(literalStatement(settingsStatement(options.settings)));
  if (options.keepResults) add('\\o\n');
  if (options.inOneTransaction) add('BEGIN;\n');
  for (const statement of options.inOneMessage === true ? together(statements) : statements) {
    add(literalStatement(statement.text));
    // psql names the line of the \gexec, which is the one just finished.
    places.set(line - 1, statement);
  }
  if (options.inOneTransaction) add('COMMIT;\n');
  return {
    text: pieces.join(''),
    lines: line - (options.firstLine ?? 1),
    statementAt: (scriptLine) => places.get(scriptLine),
  };
}
