import { formatDuration } from '../plan/duration.ts';
import { fail } from '../ports/failure.ts';
import type { Check } from '../ports/maintenance-mode.ts';
import { runStep } from '../record/step.ts';
import { doorsOf, watchDoors } from './doors.ts';
import type { PhaseContext } from './phase.ts';
import type { PublicView } from './public-view.ts';

/** What the load balancer itself answers when it has no host left: 503 that bears no header of ours. */
export function isOfLoadBalancer(view: PublicView): boolean {
  return view.kind === 'broken' && view.status === 503;
}

/** Why this plan cannot be drained through its load balancer; `undefined` when it can, or need not. */
export function drainObstacle(
  context: Pick<PhaseContext, 'plan' | 'fleet' | 'mode'>,
): { readonly what: string; readonly next: string } | undefined {
  const { plan, fleet, mode } = context;
  if (plan.loadBalancer.whenClosed === 'keep') return undefined;
  const lacking = fleet.web.filter(({ address }) => address === undefined);
  if (lacking.length > 0) {
    return {
      what: `${lacking.map(({ host }) => host.name).join(', ')} has no address of its own, so that nobody could prove it closed behind a load balancer that sends nothing to it`,
      next: 'Give each host of hosts.web its address, or use when-closed: keep.',
    };
  }
  if (mode?.shows === 'status') {
    return {
      what: `the ${mode.kind} mode answers 503 without a header of ours, as the load balancer does, so that the two cannot be told apart`,
      next: 'Use when-closed: keep, or a mode that shows our header, such as nginx.',
    };
  }
  return undefined;
}

/** @throws FailureError `load-balancer-setting`, before anything is touched */
export function requireDrainable(context: Pick<PhaseContext, 'plan' | 'fleet' | 'mode'>): void {
  const obstacle = drainObstacle(context);
  if (obstacle === undefined) return;
  fail({
    code: 'load-balancer-setting',
    message: `load-balancer.when-closed is drain, but ${obstacle.what}.`,
    state: 'Nothing was touched by this step.',
    next: obstacle.next,
  });
}

/** Whether preflight finds that draining can work; nothing when the plan does not drain. */
export function checkDrainable(
  context: Pick<PhaseContext, 'plan' | 'fleet' | 'mode'>,
): readonly Check[] {
  if (context.plan.loadBalancer.whenClosed === 'keep') return [];
  const obstacle = drainObstacle(context);
  const head = {
    id: 'load-balancer',
    title: 'Draining through the load balancer',
    limit: 'each web host has an address of its own, and its closed door shows our header',
  };
  return [
    obstacle === undefined
      ? { ...head, verdict: 'passed', value: `${context.fleet.web.length} addresses` }
      : { ...head, verdict: 'failed', value: obstacle.what, next: obstacle.next },
  ];
}

/** Waits until the load balancer sends nothing to the closed hosts any more, where the plan wants that. */
export async function leaveLoadBalancer(
  context: PhaseContext,
  callingPhase: string,
): Promise<void> {
  const { whenClosed, drainTimeout } = context.plan.loadBalancer;
  if (whenClosed === 'keep') return;
  const { front } = doorsOf(context);
  await runStep(context, callingPhase, {
    id: 'load-balancer',
    title: 'Wait until the load balancer sends nothing to closed hosts',
    blast: 'app',
    // An earlier look says nothing of now.
    observe: () => Promise.resolve(undefined),
    perform: async () => {
      const seen = await watchDoors(context, [front], {
        accepted: isOfLoadBalancer,
        timeoutSeconds: drainTimeout,
      });
      if (seen.kind === 'not-seen') {
        return fail({
          code: 'load-balancer-not-drained',
          message: `After ${formatDuration(drainTimeout)} ${front.label} is not answered by the load balancer alone; it answered ${seen.missing[0]?.observed ?? 'nothing'}.`,
          state: 'Each web host is closed.',
          next: 'Check that the load balancer asks health-path of each host and answers 503 itself when none is well; one that then sends to all of them needs when-closed: keep. Or raise load-balancer.drain-timeout.',
        });
      }
      return { observed: seen.observed, seconds: seen.seconds };
    },
    describe: (result) =>
      `the public sees ${result.observed}, which is the load balancer's own, after ${formatDuration(result.seconds)}`,
  });
}
