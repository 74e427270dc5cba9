import { z } from 'zod';
import type { TaskOptions, TaskResult } from '../../../ports/database-tasks.ts';
import { fail, FailureError, failureOf } from '../../../ports/failure.ts';
import { heldBack } from '../../../ports/online-guard.ts';
import { inTurn } from '../../../ports/in-turn.ts';
import { steadyWriting } from '../beside-the-public.ts';
import { chooseTables, type Relation } from './chosen-tables.ts';
import { counted } from './counted.ts';
import { dropLeftovers, findLeftovers, holdersOf } from './repack-leftovers.ts';
import { findRepack } from './repack-program.ts';
import type { ClientTools } from './task-clients.ts';
import { withObserver, withSession, type TaskSession } from './task-session.ts';
import { bytesOf, inOldFile, readFiles, sizeChange } from './vacuum-full.ts';

interface Choice {
  readonly program: string;
  readonly tables: readonly Relation[];
  readonly notes: readonly string[];
}

/** {@link DatabaseTasks.previewRepack} */
export async function previewRepack(
  tools: ClientTools,
  tables: readonly string[] | 'all',
  _options: TaskOptions,
): Promise<readonly string[]> {
  return (await choose(tools, tables)).notes;
}

async function choose(tools: ClientTools, tables: readonly string[] | 'all'): Promise<Choice> {
  const program = await findRepack(tools);
  const choice = await chooseTables(tools.psql, tables, 'repack');
  const leaves = choice.tables
    .flatMap((table) => table.leaves)
    .filter(({ kind, isForeign }) => tables !== 'all' || (kind === 'table' && !isForeign));
  const oids = leaves.map(({ oid }) => oid);
  const fit =
    oids.length === 0
      ? []
      : await tools.psql.rows(
          `SELECT relid::oid::text AS oid FROM repack.tables WHERE pkid IS NOT NULL AND relid IN (${oids.join(', ')})`,
          z.object({ oid: z.string() }),
        );
  const isFit = (table: Relation): boolean => fit.some(({ oid }) => oid === table.oid);
  const unfit = leaves.filter((table) => !isFit(table)).map(({ name }) => name);
  if (unfit.length > 0 && tables !== 'all') {
    fail({
      code: 'database-repack-refused',
      message: `pg_repack cannot write ${unfit.join(', ')} anew: it works on tables with a primary key, or a unique index on columns that are NOT NULL.`,
      state: 'Nothing was changed.',
      next: 'Give them a primary key, or use a vacuum task with full: true while closed.',
    });
  }
  return {
    program,
    tables: leaves.filter(isFit),
    notes:
      unfit.length === 0 ? [] : [`left out, because they have no primary key: ${unfit.join(', ')}`],
  };
}

/** {@link DatabaseTasks.repack} */
export async function repack(
  tools: ClientTools,
  names: readonly string[] | 'all',
  options: TaskOptions,
): Promise<TaskResult> {
  const { program, tables, notes } = await choose(tools, names);
  const oids = tables.map(({ oid }) => oid);
  return withObserver(tools, options, async (observer) => {
    const before = await readFiles(observer, oids, 'Nothing was changed.');
    const dropped = await withSession(tools, options, (session) =>
      dropLeftovers(tools, session, oids, 'No table was written anew.'),
    );
    for (const [at, table] of tables.entries()) {
      options.onProgress?.(`repack ${table.name} (${at + 1} of ${tables.length})`);
      const progress = `${at} of ${tables.length} tables are written anew`;
      try {
        await inTurn(tools, `pg_repack of ${table.name}`, () =>
          repackOne({ tools, observer, options }, program, table, progress),
        );
      } catch (error) {
        throw withLeftovers(error, table, progress);
      }
    }
    const after = await readFiles(
      observer,
      oids,
      'The tables were written anew; what came of it was not observed.',
    );
    const left = (await findLeftovers(observer, 'The tables were written anew.')).filter(
      ({ oid }) => oids.includes(oid),
    );
    if (left.length > 0 || after.length < before.length) {
      fail({
        code: 'database-repack-unproved',
        message:
          left.length > 0
            ? `pg_repack ended well, but left ${left.flatMap(({ objects }) => objects).join(', ')}.`
            : 'A table was dropped while the tables were written anew.',
        state: 'No row was changed.',
        next: 'Find out who else repacks or drops these tables, then run the step again: it cleans up first.',
      });
    }
    return {
      summary: [
        `${counted(tables.length, 'table')} written anew by pg_repack, ${sizeChange(bytesOf(before), bytesOf(after))}`,
        ...(dropped === 0
          ? []
          : [`what an interrupted pg_repack had left on ${counted(dropped, 'table')} was dropped`]),
        ...notes,
      ].join('; '),
      figures: {
        tables: tables.length,
        'leftovers-dropped': dropped,
        'bytes-before': bytesOf(before),
        'bytes-after': bytesOf(after),
      },
      proof: `${counted(tables.length, 'table')} in a new file (another relfilenode than before), which is all of them; no log table and no trigger of pg_repack is left`,
    };
  });
}

/** A cancelled run can ask the server nothing more; the next one cleans up. */
function withLeftovers(error: unknown, table: Relation, progress: string): unknown {
  const failure = failureOf(error);
  if (failure.code !== 'cancelled') return error;
  return new FailureError(
    {
      ...failure,
      state: `${progress}. pg_repack of ${table.name} was cut off: no row was changed, but the trigger repack_trigger and the tables repack.log_${table.oid} and repack.table_${table.oid} may be left and slow writes down.`,
      next: `The next repack task drops them; or run SELECT repack.repack_drop(${table.oid}, 4) as a superuser.`,
    },
    { cause: error },
  );
}

interface Work {
  readonly tools: ClientTools;
  readonly observer: TaskSession;
  readonly options: TaskOptions;
}

async function repackOne(
  work: Work,
  program: string,
  table: Relation,
  progress: string,
): Promise<void> {
  const { tools, observer, options } = work;
  const was = await readFiles(observer, [table.oid], `${progress}.`);
  const gaveWayBefore = tools.guard?.cancelled ?? 0;
  const said = await runProgram(work, program, table);
  const now = await readFiles(observer, [table.oid], `${progress}.`);
  if (said.exitCode === 0 && inOldFile(was, now).length === 0) return;
  const isWait = /timed out|due to timeout|lock timeout/i.test(said.text);
  // Asked at once, while who held the lock still does.
  const holders = isWait
    ? await holdersOf(tools, `l.locktype = 'relation' AND l.relation = ${table.oid}`)
    : '';
  const cleaned = await withSession(tools, options, (session) =>
    dropLeftovers(tools, session, [table.oid], `${progress}.`),
  );
  const state = `${progress}. ${table.name} is as it was, and ${cleaned === 0 ? 'nothing was left behind' : 'what pg_repack left behind is dropped'}.`;
  const { guard } = tools;
  if (guard !== undefined && (isWait || guard.cancelled > gaveWayBefore)) {
    const message =
      guard.cancelled > gaveWayBefore
        ? guard.lastReason
        : `its lock was not to be had${holders === '' ? '' : `: the table is locked by ${holders}`}`;
    fail({ code: heldBack, message, state, next: 'It is tried again.' });
  }
  fail({
    code: isWait ? 'database-lock-timeout' : 'database-repack-failed',
    message: isWait
      ? `pg_repack gave ${table.name} up after waiting ${waitSeconds(options)} seconds for a lock; it ends nobody's session.${holders === '' ? ' Who held the lock was not seen.' : ` The table is locked by ${holders}.`}`
      : `pg_repack of ${table.name} failed: ${said.text === '' ? `exit code ${String(said.exitCode)}` : said.text}.`,
    state,
    next: isWait
      ? 'Let that transaction finish or end it, then run the step again; or raise the lock timeout.'
      : 'Correct what pg_repack complains of, then run the step again.',
  });
}

/** pg_repack counts whole seconds, and knows no "for ever". */
function waitSeconds({ lockTimeoutSeconds }: TaskOptions): number {
  return lockTimeoutSeconds === 0 ? 31 * 86_400 : Math.max(1, Math.ceil(lockTimeoutSeconds));
}

/**
 * pg_repack puts the name into a connection string as it is (bin/pgut/pgut.c), so what is special there is quoted by
 * its rules (manual, 34.1.1.1).
 */
function connectionValue(name: string): string {
  if (/^[A-Za-z0-9_.-]+$/.test(name)) return name;
  return `'${name.replaceAll('\\', '\\\\').replaceAll("'", String.raw`\'`)}'`;
}

/** Servers before 14 refuse a connection that names the setting. */
async function isFrom14({ psql }: ClientTools): Promise<boolean> {
  const [row] = await psql.rows(
    `SELECT current_setting('server_version_num')::int >= 140000 AS yes`,
    z.object({ yes: z.boolean() }),
  );
  return row?.yes === true;
}

async function runProgram(
  { tools, options }: Work,
  program: string,
  table: Relation,
): Promise<{ readonly exitCode: number | null; readonly text: string }> {
  const { guard } = tools;
  const command = tools.clients.command(
    program,
    [
      '--no-password',
      // Without it other people's sessions are cancelled and then ended (reorg/pg_repack#98).
      '--no-kill-backend',
      // While it waits for a lock it lets the queue behind it through only in between, so online it does not insist.
      `--wait-timeout=${guard === undefined ? String(waitSeconds(options)) : '1'}`,
      '--no-order',
      '--no-superuser-check',
      `--table=${table.name}`,
      `--dbname=${connectionValue(tools.psql.database)}`,
    ],
    {
      // When pg_repack is killed, the server gives its statement up too.
      ...((await isFrom14(tools)) ? { client_connection_check_interval: '2s' } : {}),
      ...(guard === undefined ? {} : { application_name: guard.application, ...steadyWriting }),
    },
  );
  const seconds = options.statementTimeoutSeconds;
  const result = await tools.clients.host.run({
    ...command,
    ...(seconds === 0 ? {} : { timeoutSeconds: seconds }),
    onStderrLine: (line) => {
      if (line.startsWith('INFO: ')) options.onProgress?.(line.slice('INFO: '.length));
    },
  });
  const lines = result.stderr
    .split('\n')
    .filter((line) => /^(?:WARNING|ERROR|DETAIL|HINT|FATAL|INFO: Skipping)/.test(line));
  const text = result.timedOut
    ? `it was ended after ${seconds} seconds`
    : lines.join(' ').replace(/\s+/g, ' ').trim();
  return { exitCode: result.timedOut ? null : result.exitCode, text };
}
