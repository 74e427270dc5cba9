import type { WriteCanary } from '../../ports/database.ts';
import { requireDatabase } from '../requirements.ts';
import { failed, passed, type CheckKind, type Verdict } from './check-kind.ts';

const expected =
  'written, read back, all constraints kept, rolled back, and proved to have left nothing';

/** Proves that the application's tables take writes, and leaves none. */
export const writeCanaryKind: CheckKind<'write-canary'> = {
  turn: 'then',
  timeoutSeconds: ({ timeout }) => timeout ?? 30,
  expectation: () => expected,
  look: async (context, { insert, read, role }, timeoutSeconds) =>
    judgeCanary(
      await requireDatabase(context).writeCanary({
        insert,
        ...(read === undefined ? {} : { read }),
        ...(role === undefined ? {} : { role }),
        timeoutSeconds,
      }),
    ),
};

/** Judges what the database told. */
export function judgeCanary(canary: WriteCanary): Verdict {
  if (!canary.wrote) return failed('the SQL was accepted, but wrote nothing', expected);
  if (!canary.rolledBack) {
    return failed('the transaction is not known to be rolled back', expected);
  }
  if (canary.read !== undefined && !isThere(canary.read.value)) {
    const value = canary.read.value === undefined ? 'no row' : `value ${canary.read.value}`;
    return failed(`what was written is not read back: ${value}; it was rolled back`, expected);
  }
  const moved = canary.sequences.map(
    ({ name, before, after }) => `${name} from ${before ?? 'unused'} to ${after ?? 'unused'}`,
  );
  return passed(
    [
      `written${canary.read === undefined ? '' : ' and read back'}${canary.role === undefined ? '' : ` as ${canary.role}`}, rolled back (transaction ${canary.transaction} aborted)`,
      ...(moved.length === 0
        ? []
        : [
            `meanwhile sequences moved on, which no rollback takes back: ${moved.join(', ')}; give ids in \`insert\` to avoid it`,
          ]),
    ].join('; '),
  );
}

function isThere(value: string | undefined): boolean {
  return value !== undefined && !['f', 'false'].includes(value);
}
