import type { StatementLimits } from '../../../ports/database-tasks.ts';
import { fail } from '../../../ports/failure.ts';

/** PostgreSQL keeps both limits as 32-bit milliseconds (manual, 20.11.1). */
const longestMilliseconds = 2 ** 31 - 1;

function milliseconds(seconds: number, name: string): string {
  const rounded = Math.ceil(seconds * 1000);
  if (!(rounded >= 0 && rounded <= longestMilliseconds)) {
    fail({
      code: 'database-limit-refused',
      message: `The ${name} is ${seconds} seconds; accepted are 0 (none) to ${Math.floor(longestMilliseconds / 1000)} seconds.`,
      state: 'Nothing was sent to the database.',
      next: `Correct the ${name} in the plan or the input.`,
    });
  }
  return `${rounded}ms`;
}

/**
 * Run-time parameters of a task's session. The server's or the role's own defaults must not decide how long a
 * task may take or wait, so both limits are always set, and an idle session of ours is not ended in between.
 * @throws FailureError `database-limit-refused`
 */
export function limitSettings(limits: StatementLimits): Record<string, string> {
  return {
    lock_timeout: milliseconds(limits.lockTimeoutSeconds, 'lock timeout'),
    statement_timeout: milliseconds(limits.statementTimeoutSeconds, 'statement timeout'),
    idle_in_transaction_session_timeout: '0',
  };
}
