import { z } from 'zod';
import type { Clock } from '../../../ports/clock.ts';
import { fail } from '../../../ports/failure.ts';
import type { Psql } from '../psql.ts';
import { quoteLiteral } from '../quoting.ts';

const tries = 50;
const secondsBetweenTries = 0.1;

/**
 * Ends what sessions of a killed run of the same window still do: their clients are gone, and nobody watches over them
 * any more. The record keeps two runs of a window from being at work at once.
 * @param names how the names of these sessions begin
 * @throws FailureError `database-sessions-stay`
 */
export async function endEarlier(
  { psql, clock }: { readonly psql: Psql; readonly clock: Clock },
  names: string,
): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    const left = await psql.rows(
      `SELECT a.pid, pg_terminate_backend(a.pid) AS told FROM pg_stat_activity AS a
       WHERE starts_with(a.application_name, ${quoteLiteral(names)}) AND a.usename = session_user
         AND a.datname = current_database() AND a.pid <> pg_backend_pid()`,
      z.object({ pid: z.number(), told: z.boolean() }),
    );
    if (left.length === 0) return;
    if (attempt >= tries) {
      fail({
        code: 'database-sessions-stay',
        message: `What a killed run of this window began does not end: pid ${left.map(({ pid }) => pid).join(', ')}.`,
        state: 'Nothing was begun beside it.',
        next: 'Look in pg_stat_activity for what it does, wait until it has ended, then run the step again.',
      });
    }
    await clock.wait(secondsBetweenTries);
  }
}
