import type { Plan } from '../plan/plan.ts';
import type { Approval, JobResult } from '../ports/github.ts';
import type { RecordCopy } from '../record/window-record.ts';

/** What a report is made of; all of it was read before, nothing is looked up while building. */
export interface ReportInput {
  readonly record: RecordCopy;
  readonly plan: Plan;
  /** Reviews of the run's gates; `undefined` when they could not be read. */
  readonly approvals: readonly Approval[] | undefined;
  /** Why the approvals could not be read, or what else the reader should know of them. */
  readonly approvalsNote?: string | undefined;
  readonly jobs?: readonly JobResult[] | undefined;
  readonly now: Date;
  /** When the next window is planned, in words. */
  readonly nextWindow: string | undefined;
  /** Whether the record has been moved to the history, which frees the lock; `undefined` when not known yet. */
  readonly recordArchived?: boolean | undefined;
}
