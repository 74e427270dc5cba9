import { FailureError, type Failure } from '../../ports/failure.ts';
import type { Host } from '../../ports/host.ts';
import type { Server } from '../../ports/server.ts';
import type { RecordedServerTask } from '../../record/status.ts';
import type { PhaseContext } from '../phase.ts';

/** What a task looks at and works on: one host. */
export interface TaskPlace {
  readonly host: Host;
  readonly server: Server;
  /** Names the task on this host in the journal. */
  readonly step: string;
}

/** What looking needs: no record. */
export type LookContext = Pick<
  PhaseContext,
  'plan' | 'workspace' | 'variable' | 'runner' | 'fleet' | 'server' | 'clock' | 'database'
>;

/** What a task would do. */
export interface Preview {
  /** One line. */
  readonly summary: string;
  /** The single things, for whoever decides. */
  readonly lines: readonly string[];
  /** What should be looked at, though the task would run. */
  readonly warning?: string;
}

/** What a task did; units stand in the names of the figures. */
export type ServerTaskResult = Pick<
  RecordedServerTask,
  'summary' | 'proof' | 'figures' | 'items'
> & {
  /** `skipped`: there was nothing to do. */
  readonly outcome: 'done' | 'skipped';
};

/** A failure half-way, with what did change. */
export class PartlyDoneError extends FailureError {
  readonly partial: Pick<RecordedServerTask, 'figures' | 'items'>;

  constructor(failure: Failure, partial: Pick<RecordedServerTask, 'figures' | 'items'>) {
    super(failure);
    this.name = 'PartlyDoneError';
    this.partial = partial;
  }
}

/** Nothing had to be done, and why. */
export function nothingToDo(summary: string, proof = ''): ServerTaskResult {
  return { outcome: 'skipped', summary, proof, figures: {}, items: [] };
}
