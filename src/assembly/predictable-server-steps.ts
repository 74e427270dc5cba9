import { fleetOf } from '../plan/fleet.ts';
import type { Plan } from '../plan/plan.ts';
import type { PredictableStep } from '../plan/prediction.ts';
import type { ServerTaskSettings } from '../plan/settings/update-server.ts';
import { planServerTasks, serverStep } from '../phases/server-tasks/planned-tasks.ts';

/** Seconds on a modest host, until there is a history: cautious on purpose. */
const guesses: Readonly<Record<ServerTaskSettings['task'], number>> = {
  packages: 180,
  reboot: 120,
  'clean-up': 30,
  'rotate-logs': 10,
  'renew-certificates': 30,
  command: 60,
};

/** The server tasks of a stage, one step a host. */
export function predictableServerSteps(
  plan: Plan,
  stage: 'online' | 'closed',
): readonly PredictableStep[] {
  return planServerTasks(plan.updateServer.tasks)
    .filter((task) => task.stage === stage)
    .flatMap((task) => {
      const hosts = hostNames(plan, task.settings.on);
      return hosts.map((host) => ({
        phase: 'update-server',
        step: serverStep(task.id, host, hosts),
        closed: stage === 'closed',
        work: 'moment' as const,
        guessSeconds: guesses[task.settings.task],
        skippable: task.whenLate === 'skip',
      }));
    });
}

function hostNames(plan: Plan, selector: string): readonly string[] {
  const { control, web, database, workers } = fleetOf(plan);
  switch (selector) {
    case 'control':
      return [control];
    case 'web':
      return [...new Set(web.map(({ host }) => host))];
    case 'database':
      return [database];
    case 'workers':
      return [...new Set(workers)];
    default:
      return [selector];
  }
}
