import { fail, failureOf, type Failure } from '../ports/failure.ts';
import { doorsInWords, doorsOf, openHosts, openSeconds, watchDoors } from './doors.ts';
import { isOfLoadBalancer } from './load-balancer.ts';
import type { PhaseContext } from './phase.ts';
import { isClosedFor } from './public-view.ts';
import { requireMode } from './requirements.ts';
import { startServices } from './services/start.ts';

/** Opens what was closed, as many hosts as can be opened, and proves it. */
export async function undoClosing(context: PhaseContext, callingPhase: string): Promise<void> {
  const { record, plan } = context;
  const mode = requireMode(context);
  await startServices(context, callingPhase, 'before-tests');
  const isClosed = isClosedFor(mode, record.status.windowId);
  const isDrained = plan.loadBalancer.whenClosed === 'drain';
  const obstacle = await mode.open().then(() => undefined, failureOf);
  if (obstacle !== undefined && mode.hostDoors === undefined) fail(obstacle);
  const { front, hosts } = doorsOf(context);
  const open = await openHosts(mode);
  const reopened = await watchDoors(
    context,
    obstacle === undefined ? [front, ...hosts] : hosts.filter(({ host }) => open.has(host)),
    {
      accepted: (view) => !isClosed(view) && !(isDrained && isOfLoadBalancer(view)),
      timeoutSeconds: openSeconds(plan),
    },
  );
  const missing = reopened.kind === 'seen' ? [] : reopened.missing;
  const stillClosed = missing
    .map(({ door: { label }, observed }) => `${label} still shows ${observed}`)
    .join(', ');
  if (obstacle !== undefined) {
    fail(
      stillClosed === ''
        ? obstacle
        : { ...obstacle, message: `${obstacle.message} Besides, ${stillClosed}.` },
    );
  }
  if (stillClosed !== '') {
    fail({
      code: 'not-open',
      message: `The flag is lifted, but ${stillClosed}.`,
      state: 'Whether the site is open is not proved.',
      next: 'Run `rollback`, which opens the site and proves it.',
    });
  }
  await startServices(context, callingPhase, 'when-open');
  const { maintenance } = record.status;
  if (maintenance === undefined) return;
  const restoration = await mode.restore(maintenance.prior);
  await record.become('rolled-back', {
    maintenance: {
      ...maintenance,
      reopenedAt: context.clock.now().toISOString(),
      restoration: restoration.kind === 'nothing-to-do' ? restoration.kind : restoration.detail,
    },
  });
}

/** What is told when undoing did not succeed; a cancelled run has no time to prove anything. */
export async function notUndone(
  context: PhaseContext,
  failure: Failure,
  obstacle: Failure,
): Promise<Failure> {
  const doors = await doorsInWords(context);
  return {
    ...failure,
    message: `${failure.message} Undoing it did not succeed: ${obstacle.message}`,
    state: `${stateWords(doors)}; what the mode put in place may still be there.`,
    next: 'Run `rollback`, which opens the site, proves it and gives back what was there before.',
  };
}

function stateWords(doors: string): string {
  switch (doors) {
    case 'the site is open':
      return 'The flag is lifted, but it is not proved that the public is served';
    case 'the site is kept closed':
    case 'whether the site is closed could not be seen':
      return 'The site may still be closed to the public';
    default:
      return `The site is not open as a whole: ${doors}`;
  }
}
