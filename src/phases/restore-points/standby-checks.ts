import { formatBytes } from '../../plan/bytes.ts';
import { failureOf } from '../../ports/failure.ts';
import type { Check } from '../../ports/maintenance-mode.ts';
import { controlInWords } from '../../ports/server-place.ts';
import type { Standby } from '../../ports/standby.ts';
import type { PhaseContext } from '../phase.ts';
import { lookFor } from './standby-borrowing.ts';
import { lagOf, otherReceivers } from './standby-obstacles.ts';

/** What the plan's replica is like before the window; nothing when the plan names none and wants none. */
export async function checkStandby({
  plan,
  standby,
}: Pick<PhaseContext, 'plan' | 'standby'>): Promise<readonly Check[]> {
  const wanted = plan.runDbMaintenance.restorePoint;
  const head = {
    id: 'standby',
    title: 'Replica as restore point',
    limit: `streams from the primary, at most ${formatBytes(plan.standby.maxLag)} behind; may be stopped, and promoted`,
  };
  const unfit = (value: string, next: string): Check => ({
    ...head,
    // Where the plan leaves the choice, another restore point is taken.
    verdict: wanted === 'standby' ? 'failed' : 'warning',
    value,
    next,
  });
  const { url, host, switchCommand } = plan.standby;
  if (url === undefined && (host !== undefined || switchCommand.length > 0)) {
    return [unfit('the plan says where it is, and not how it is reached', 'Give standby.url.')];
  }
  if (standby === undefined) {
    return wanted === 'standby'
      ? [unfit('the plan names none', 'Give standby.url, or choose another restore-point.')]
      : [];
  }
  if (wanted !== 'standby' && wanted !== 'auto') return [];
  try {
    return [await look(standby)];
  } catch (error) {
    const { message, next } = failureOf(error);
    return [unfit(message, next)];
  }

  async function look(there: Standby): Promise<Check> {
    const found = await lookFor(there, plan.standby);
    if ('obstacle' in found) {
      return unfit(
        found.obstacle,
        'Remove what stands in the way, or choose another restore-point.',
      );
    }
    const { facts } = found;
    const { replica } = found.places;
    const value = `${replica.dataDirectory} on ${replica.host}, run by ${controlInWords(replica)}, ${formatBytes(lagOf(facts))} behind`;
    const told = [
      ...otherReceivers(facts).map(
        (name) => `${name} receives from the primary too, and does not follow a promoted replica`,
      ),
      ...(facts.primary.otherDatabases.length === 0
        ? []
        : [`a rollback takes ${facts.primary.otherDatabases.join(', ')} back as well`]),
    ];
    return told.length === 0
      ? { ...head, verdict: 'passed', value }
      : {
          ...head,
          verdict: 'warning',
          value: `${value}; ${told.join('; ')}`,
          next: 'Be ready for that, should the window be rolled back.',
        };
  }
}
