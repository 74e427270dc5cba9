import { fail } from '../../ports/failure.ts';
import { onEach } from '../../ports/fleet.ts';
import type { Check } from '../../ports/maintenance-mode.ts';
import type { PhaseContext } from '../phase.ts';
import { type Working, statesOf } from './service-states.ts';

/** Whether each service is there and may be managed; touches nothing. */
export async function checkServices(context: Working): Promise<readonly Check[]> {
  const checks: Check[] = [];
  for (const service of context.services) {
    const results = await onEach(service.on, context.fleet.parallel, (each) => each.check());
    for (const [index, result] of results.entries()) {
      const suffix = results.length === 1 ? '' : `-${index + 1}`;
      const head = {
        id: `service-${service.id}${suffix}`,
        title: `Service ${service.id}: ${result.on.title} on ${result.on.host}`,
        limit: 'there, and ours to stop and start',
      };
      checks.push(
        result.kind === 'done'
          ? { ...head, ...result.result }
          : {
              ...head,
              verdict: 'failed',
              value: result.failure.message,
              next: result.failure.next,
            },
      );
    }
  }
  return checks;
}

/**
 * Refuses a window whose services are not there, before the site is closed for them.
 * @throws FailureError `service-missing`
 */
export async function demandServices(context: PhaseContext): Promise<void> {
  if (context.record.status.services !== undefined) return;
  for (const service of context.services) {
    for (const { on, state } of await statesOf(context, service)) {
      if (state.kind !== 'missing') continue;
      fail({
        code: 'service-missing',
        message: `The service ${service.id} (${on.title}) is not on ${on.host}: ${state.detail}.`,
        state: 'The site is open; no service was stopped.',
        next: 'Correct enable-maintenance.services, or the hosts (`on`) that have it.',
      });
    }
  }
}
