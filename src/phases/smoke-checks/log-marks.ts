import type { CheckOf } from '../../plan/settings/smoke-test.ts';
import { failureOf } from '../../ports/failure.ts';
import { onEach } from '../../ports/fleet.ts';
import type { LogMark } from '../../record/status.ts';
import type { PhaseContext } from '../phase.ts';
import { selectedHosts } from '../selected-hosts.ts';
import { positionOf } from './log-search.ts';

/**
 * Records where the plan's logs end, so that smoke tests count only what came later. A mark of the window stays as it
 * was first set; the others are set anew each time. A log that cannot be looked at keeps no window from going on: its
 * check will say so.
 */
export async function markLogs(
  context: Pick<PhaseContext, 'plan' | 'fleet' | 'clock' | 'record'>,
  since: LogMark['since'],
): Promise<void> {
  const { plan, fleet, clock, record } = context;
  const known = record.status.logMarks ?? [];
  const isKnown = (check: string, host: string): boolean =>
    since === 'window' &&
    known.some((mark) => mark.check === check && mark.host === host && mark.since === since);
  const wanted = plan.smokeTest.checks.flatMap((check) =>
    check.kind === 'log'
      ? [{ id: check.id, file: check.file, log: logOf(check), hosts: hostsOf(context, check.on) }]
      : [],
  );
  const places = wanted.flatMap(({ hosts, ...check }) =>
    hosts.filter((host) => !isKnown(check.id, host.name)).map((host) => ({ ...check, host })),
  );
  if (places.length === 0) return;
  const found = await onEach(places, fleet.parallel, ({ host, file }) => positionOf(host, file));
  const at = clock.now().toISOString();
  const marks = found.map((one): LogMark => {
    const { id: check, log, host } = one.on;
    const head = { check, log, host: host.name, since, at };
    return one.kind === 'done'
      ? { ...head, ...one.result }
      : { ...head, hostSeconds: 0, position: { kind: 'unknown', reason: one.failure.message } };
  });
  const replaced = (mark: LogMark): boolean =>
    marks.some(({ check, host }) => mark.check === check && mark.host === host) &&
    mark.since === since;
  await record.update({ logMarks: [...known.filter((mark) => !replaced(mark)), ...marks] });
}

/** What a mark calls the log of a check. */
export function logOf({ file, journal }: Pick<CheckOf<'log'>, 'file' | 'journal'>): string {
  return file ?? journal ?? '';
}

function hostsOf(
  { fleet }: Pick<PhaseContext, 'fleet'>,
  on: Parameters<typeof selectedHosts>[1],
): ReturnType<typeof selectedHosts> {
  try {
    return selectedHosts(fleet, on);
  } catch (error) {
    // The check itself tells of a host that the plan does not have.
    if (failureOf(error).code === 'host-not-in-plan') return [];
    throw error;
  }
}
