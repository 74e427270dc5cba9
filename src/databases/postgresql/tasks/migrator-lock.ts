import { fail } from '../../../ports/failure.ts';
import type { PsqlSession } from '../psql.ts';
import { describeHolder, lockHolder } from './lock-holders.ts';
import type { TaskTools } from './task-session.ts';

/** Key of the advisory lock: ours by chance only, so it is two numbers (`mw` in ASCII, and 1 for migrations). */
const classId = 0x6d77;
const objectId = 1;

/** A migrator that was just killed needs moments to let go: the server looks for its client every few seconds. */
const tries = 25;
const secondsBetweenTries = 0.2;

/**
 * Keeps a second migrator out of the database for as long as the returned session is open (advisory locks belong
 * to one database: manual, 13.3.5).
 * @throws FailureError `database-migration-locked`
 */
export async function lockMigrations(tools: TaskTools): Promise<PsqlSession> {
  const session = await tools.psql.start();
  try {
    for (let attempt = 1; attempt <= tries; attempt += 1) {
      const [locked] = await session.query(
        `SELECT pg_catalog.pg_try_advisory_lock(${classId}, ${objectId})`,
      );
      if (locked === 't') return session;
      if (attempt < tries) await tools.clock.wait(secondsBetweenTries);
    }
  } catch (error) {
    await session.close();
    throw error;
  }
  await session.close();
  return refuse(tools);
}

async function refuse({ psql }: TaskTools): Promise<never> {
  const holders = await psql.rows(
    `SELECT l.pid, s.usename AS "user", s.application_name AS application, s.state,
       extract(epoch FROM clock_timestamp() - s.state_change)::float8 AS "stateSeconds", NULL::float8 AS "querySeconds",
       NULL::float8 AS "transactionSeconds", NULL::text AS keyword
     FROM pg_locks AS l LEFT JOIN pg_stat_activity AS s ON s.pid = l.pid
     WHERE l.locktype = 'advisory' AND l.granted AND l.classid = ${classId} AND l.objid = ${objectId} AND l.objsubid = 2
       AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
    lockHolder,
  );
  fail({
    code: 'database-migration-locked',
    message: `Another migrator is at work on this database${holders.length === 0 ? '' : `: ${holders.map(describeHolder).join(', ')}`}.`,
    state: 'No migration of this run was started.',
    next: 'Wait until it has ended, then run the step again.',
  });
}
