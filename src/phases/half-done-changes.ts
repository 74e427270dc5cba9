import { fail } from '../ports/failure.ts';
import type { PhaseContext } from './phase.ts';
import { planTasks } from './planned-tasks.ts';
import { selectedHosts } from './selected-hosts.ts';
import { planServerTasks, serverStep } from './server-tasks/planned-tasks.ts';

/** Phases that change the system while it is closed; each ends with a window that is `changed`. */
type ChangingPhase = 'run-db-maintenance' | 'update-server';

/**
 * Refuses to begin further changes while another phase was killed, or failed, among its own: this phase would end
 * with a window that is `changed`, as if all changes were proved, and it would be reopened.
 * @throws FailureError `changes-unfinished`
 */
export function refuseHalfDone(context: PhaseContext, other: ChangingPhase): void {
  const { journal } = context.record;
  const steps = closedSteps(context, other);
  const lastOf = (step: string) =>
    journal.findLast((line) => line.phase === other && line.step === step && line.event !== 'note')
      ?.event;
  const isBegun = steps.some((step) => lastOf(step) !== undefined);
  const unfinished = steps.find((step) => !['done', 'skipped'].includes(lastOf(step) ?? ''));
  if (!isBegun || unfinished === undefined) return;
  fail({
    code: 'changes-unfinished',
    message: `${other} began its changes in this window and did not end them: ${unfinished} is not done.`,
    state: 'The site is closed; nothing was done now.',
    next: `Run \`${other}\` again, which goes on where it ended, or \`rollback\`.`,
  });
}

function closedSteps({ plan, fleet }: PhaseContext, phase: ChangingPhase): readonly string[] {
  if (phase === 'run-db-maintenance') {
    return planTasks(plan.runDbMaintenance.tasks)
      .filter(({ stage }) => stage === 'closed')
      .map(({ id }) => `task-${id}`);
  }
  return planServerTasks(plan.updateServer.tasks)
    .filter(({ stage }) => stage === 'closed')
    .flatMap(({ id, settings }) => {
      const hosts = selectedHosts(fleet, settings.on).map(({ name }) => name);
      return hosts.map((host) => serverStep(id, host, hosts));
    });
}
