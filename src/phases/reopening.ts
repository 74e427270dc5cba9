import { formatDuration } from '../plan/duration.ts';
import { fail, failureOf, type Failure } from '../ports/failure.ts';
import type { ReopeningBlame } from '../record/status.ts';
import { runStep } from '../record/step.ts';
import {
  doorsInWords,
  doorsOf,
  doorsToClose,
  missingInWords,
  openHosts,
  openSeconds,
  watchDoors,
} from './doors.ts';
import type { PhaseContext } from './phase.ts';
import { isClosedFor, type PublicView } from './public-view.ts';
import { requireMode } from './requirements.ts';

/** Seconds between two attempts to open. */
const pause = 0.5;

/**
 * Lifts the flag and proves the application's answer, on each host and at the public URL; `rollback` reopens by the
 * same step. Opens as many hosts as can be opened and says which could not: what becomes of the others then is for the
 * caller to decide.
 */
export async function liftFlag(context: PhaseContext, callingPhase: string): Promise<void> {
  const { record } = context;
  const mode = requireMode(context);
  await runStep(context, callingPhase, {
    id: 'lift-flag',
    title: 'Open the site to the public',
    blast: 'app',
    observe: async () => {
      const { maintenance } = record.status;
      if (maintenance?.reopenedAt === undefined || (await mode.state()).kind !== 'open')
        return undefined;
      const { front, hosts } = doorsOf(context);
      const view = await watchDoors(context, [front, ...hosts], {
        accepted: isApplication,
        timeoutSeconds: 2,
      });
      return view.kind === 'seen'
        ? { reopenedAt: maintenance.reopenedAt, observed: view.observed, seconds: view.seconds }
        : undefined;
    },
    perform: async () => {
      const opened = await openDoors(context);
      if (opened.kind === 'not-open') {
        // Only where going forward was kept from its end: on its way back a window has nothing good to keep.
        if (record.status.state === 'reopening') await blame(context, opened);
        return fail(opened.failure);
      }
      const reopenedAt = opened.at.toISOString();
      if (record.status.maintenance !== undefined) {
        await record.update({ maintenance: { ...record.status.maintenance, reopenedAt } });
      }
      return { reopenedAt, observed: opened.observed, seconds: opened.seconds };
    },
    describe: (result) =>
      `the public sees ${result.observed} after ${formatDuration(result.seconds)}`,
  });
}

type Opened =
  | {
      readonly kind: 'open';
      readonly at: Date;
      readonly observed: string;
      readonly seconds: number;
    }
  | {
      readonly kind: 'not-open';
      readonly failure: Failure;
      readonly blame: ReopeningBlame;
      /** The hosts that are not open, or do not answer from the application. */
      readonly hosts: readonly string[];
    };

async function openDoors(context: PhaseContext): Promise<Opened> {
  const { plan, clock } = context;
  const { front, hosts } = doorsOf(context);
  const timeoutSeconds = plan.disableMaintenance.openTimeout;
  const begun = clock.monotonicSeconds();
  // What is left of the time after opening was tried again and again is never too little for three answers.
  const left = (seconds: number) => Math.max(2, seconds - (clock.monotonicSeconds() - begun));

  const obstacle = await openUntil(context, timeoutSeconds);
  if (obstacle !== undefined) return notOpened(context, obstacle);
  if (hosts.length > 0) {
    const watch = { accepted: isApplication, timeoutSeconds: left(timeoutSeconds) };
    const seen = await watchDoors(context, hosts, watch);
    if (seen.kind === 'not-seen') {
      const away = seen.missing.flatMap(({ door: { host } }) => host ?? []);
      const isAll = away.length === hosts.length;
      return {
        kind: 'not-open',
        // Where no host answers from the application, it is the application.
        blame: isAll ? 'application' : 'host',
        hosts: away,
        failure: {
          code: 'not-open',
          message: missingInWords(seen.missing, 'from the application', timeoutSeconds),
          state: 'The flag is lifted, but the application is not proved to answer the public.',
          next: isAll
            ? 'Look at the application; `rollback` closes again and goes back.'
            : `Look at ${away.join(', ')}: the other web hosts answered from the application.`,
        },
      };
    }
  }
  const seconds = openSeconds(plan);
  const view = await watchDoors(context, [front], {
    accepted: isApplication,
    timeoutSeconds: left(seconds),
  });
  if (view.kind === 'seen') {
    const also = hosts.length === 0 ? '' : ", also at each web host's own address";
    return {
      kind: 'open',
      at: view.first,
      observed: `${view.observed}${also}`,
      seconds: clock.monotonicSeconds() - begun,
    };
  }
  return {
    kind: 'not-open',
    blame: hosts.length === 0 ? 'application' : 'front',
    hosts: [],
    failure: {
      code: 'not-open',
      message: missingInWords(view.missing, 'from the application', seconds),
      state: 'The flag is lifted, but the application is not proved to answer the public.',
      next:
        hosts.length === 0
          ? 'Look at the application and at what stands before it; `rollback` closes again and goes back.'
          : 'Look at what stands before the web hosts: each of them answered from the application.',
    },
  };
}

/** Opens, again and again until the time is over; a door that is somebody else's does not become ours. */
async function openUntil(
  context: PhaseContext,
  timeoutSeconds: number,
): Promise<Failure | undefined> {
  const { clock, progress } = context;
  const mode = requireMode(context);
  const begun = clock.monotonicSeconds();
  for (let attempt = 1; ; attempt += 1) {
    try {
      await mode.open();
      return undefined;
    } catch (error) {
      const failure = failureOf(error);
      if (failure.code === 'cancelled') throw error;
      const isOver = clock.monotonicSeconds() - begun + pause > timeoutSeconds;
      if (isOver || failure.code === 'closed-by-another') return failure;
      if (attempt === 1) progress.warning(`${failure.message} Trying again.`);
      await clock.wait(pause);
    }
  }
}

async function notOpened(context: PhaseContext, obstacle: Failure): Promise<Opened> {
  const mode = requireMode(context);
  const open = await openHosts(mode);
  const names = context.fleet.web.map(({ host: { name } }) => name);
  const hosts = names.filter((name) => !open.has(name));
  // A host that cannot be reached says nothing of the application; what else fails everywhere does.
  const isHost = open.size > 0 || obstacle.code.startsWith('host-');
  const proved = doorsOf(context).hosts.filter(({ host }) => open.has(host));
  const seen =
    proved.length === 0
      ? undefined
      : await watchDoors(context, proved, { accepted: isApplication, timeoutSeconds: 2 });
  return {
    kind: 'not-open',
    blame: isHost ? 'host' : 'application',
    hosts,
    failure: {
      ...obstacle,
      state:
        mode.hostDoors === undefined
          ? obstacle.state
          : `Now ${await doorsInWords(context)}${seen?.kind === 'not-seen' ? `; besides, ${seen.missing.map(({ door, observed }) => `${door.label} answers ${observed}`).join(', ')}` : ''}.`,
    },
  };
}

async function blame(
  { record, clock }: PhaseContext,
  opened: Extract<Opened, { kind: 'not-open' }>,
): Promise<void> {
  const { reopening } = record.status;
  await record.update({
    reopening: {
      from: reopening?.from ?? 'changed',
      failedAt: clock.now().toISOString(),
      blame: opened.blame,
      hosts: [...opened.hosts],
    },
  });
}

/**
 * Several hosts are open together or not at all: closes them again after an opening that failed, proves it, and takes
 * the window back to where it came from, so that it can be opened again.
 * @throws FailureError always: the one given, with what became of the doors
 */
export async function closeAgain(
  context: PhaseContext,
  callingPhase: string,
  error: unknown,
): Promise<never> {
  const { record, fleet } = context;
  const failure = failureOf(error);
  const { reopening } = record.status;
  // A cancelled run has no time for it; and one host cannot be half open.
  if (failure.code === 'cancelled' || fleet.web.length < 2 || reopening?.failedAt === undefined) {
    throw error;
  }
  const next = nextAfter(failure, reopening);
  const obstacle = await closeEach(context, callingPhase).then(() => undefined, failureOf);
  if (obstacle !== undefined) {
    return fail(
      {
        ...failure,
        message: `${failure.message} Closing the others again did not succeed as a whole: ${obstacle.message}`,
        state: `The window is reopening still; ${await doorsInWords(context)}. The database has all changes.`,
        next,
      },
      error,
    );
  }
  await record.become(reopening.from, { heldDoors: 'the site is kept closed' });
  return fail(
    {
      ...failure,
      state: `All web hosts were closed again and are proved closed; the window is ${reopening.from} as before. The database has all changes.`,
      next,
    },
    error,
  );
}

function nextAfter(
  failure: Failure,
  {
    blame: whose,
    hosts = [],
  }: { blame?: ReopeningBlame | undefined; hosts?: string[] | undefined },
): string {
  if (whose === 'application') return failure.next;
  const again =
    'Then run `disable-maintenance` again; when `rollback` has held the window since, with reopen-held.';
  return whose === 'front'
    ? `${failure.next} ${again}`
    : `${failure.next} ${again} To go on without ${hosts.join(', ')}, take it out of the load balancer and of hosts.web, and use reopen-held.`;
}

async function closeEach(context: PhaseContext, callingPhase: string): Promise<void> {
  const { plan, record } = context;
  const mode = requireMode(context);
  const timeoutSeconds = plan.enableMaintenance.closeTimeout;
  await runStep(context, callingPhase, {
    id: 'close-again',
    title: 'Close all web hosts again: they are open together or not at all',
    blast: 'app',
    observe: () => Promise.resolve(undefined),
    perform: async () => {
      const obstacle = await (mode.closeEach ?? mode.close)().then(() => undefined, failureOf);
      const view = await watchDoors(context, doorsToClose(context), {
        accepted: isClosedFor(mode, record.status.windowId),
        timeoutSeconds,
      });
      if (obstacle !== undefined) return fail(obstacle);
      if (view.kind === 'not-seen') {
        return fail({
          code: 'not-closed',
          message: missingInWords(view.missing, 'as closed', timeoutSeconds),
          state: 'Some web hosts may be open.',
          next: 'Run `rollback`, or close them by hand.',
        });
      }
      return { observed: view.observed };
    },
    describe: ({ observed }) => `the public sees ${observed}`,
  });
}

function isApplication(view: PublicView): boolean {
  return view.kind === 'application';
}
