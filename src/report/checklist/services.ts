import { formatDuration } from '../../plan/duration.ts';
import { codeFacts } from '../code-versions.ts';
import { serviceFacts, type ServiceFact } from '../stopped-services.ts';
import { stepIds } from '../step-ids.ts';
import { lastRow } from '../timeline.ts';
import {
  failed,
  none,
  notApplicable,
  proof,
  type ChecklistFacts,
  type Finding,
} from './finding.ts';

/** Line 4.2: every service that ran ended by itself. */
export function servicesStopped({ input, rows }: ChecklistFacts): Finding {
  const { plan, record } = input;
  const all = serviceFacts(record.status);
  if (all.length === 0) {
    if (plan.enableMaintenance.services.length > 0) {
      return none('The record tells of no service that was stopped.');
    }
    const drain = lastRow(rows, stepIds.drain);
    return notApplicable(
      `This window stops no service${drain?.outcome === 'done' ? `; requests under way were drained: ${drain.detail}` : ''}.`,
    );
  }
  const touched = all.filter(({ now }) => now !== 'left-alone');
  const killed = touched.filter((fact) => fact.killed);
  if (killed.length > 0) return failed(`Ended by force: ${namesOf(killed)}.`);
  const unknown = touched.filter(({ stoppedAt }) => stoppedAt === null);
  if (unknown.length > 0) return failed(`Not proved to have ended: ${namesOf(unknown)}.`);
  return touched.length === 0
    ? notApplicable('None of the services was running.')
    : proof(
        `${touched.map(({ id, host, stopSeconds }) => `${id} on ${host}${stopSeconds === null ? '' : ` after ${formatDuration(stopSeconds)}`}`).join(', ')}: ended by themselves, seen stopped.`,
      );
}

/** That what the window stopped runs again; `undefined` when it stopped nothing of the kind. */
export function servicesRunAgain(
  { input }: ChecklistFacts,
  chosen: (fact: ServiceFact, kind: string) => boolean = () => true,
): Finding | undefined {
  const kinds = new Map(input.record.status.services?.map(({ id, kind }) => [id, kind]));
  const touched = serviceFacts(input.record.status).filter(
    (fact) => fact.now !== 'left-alone' && chosen(fact, kinds.get(fact.id) ?? ''),
  );
  if (touched.length === 0) return undefined;
  const down = touched.filter(({ now }) => now === 'stopped');
  return down.length > 0
    ? failed(`Stopped by this window and not proved to run again: ${namesOf(down)}.`)
    : proof(`Started again and seen to stay up: ${namesOf(touched)}.`);
}

/** Work by the clock: cron and timers. */
export function isByClock(fact: ServiceFact, kind: string): boolean {
  return kind === 'cron' || fact.title.endsWith('.timer');
}

/** Line 10.4: a rollback starts again what was stopped, in reverse. */
export function rollbackOrder({ input }: ChecklistFacts): Finding {
  const ids = input.plan.enableMaintenance.services.map(({ id }) => id);
  return ids.length === 0
    ? notApplicable('The plan stops no service.')
    : proof(
        `The plan: stopped in the order ${ids.join(', ')}; a rollback, too, starts ${ids.toReversed().join(', ')} again, as far as they ran.`,
      );
}

/** That the code is tagged; `undefined` when the plan names none. */
export function codeTagged({ input }: ChecklistFacts): Finding | undefined {
  if (input.plan.code.directory === undefined) return undefined;
  const facts = codeFacts(input.record.status);
  return facts.length === 0
    ? none('The code was not tagged.')
    : proof(
        `Code tagged ${facts.map(({ tag, commit, host }) => `${tag} at ${commit.slice(0, 12)} on ${host}`).join(', ')}.`,
      );
}

function namesOf(facts: readonly ServiceFact[]): string {
  return facts.map(({ id, host }) => `${id} on ${host}`).join(', ');
}
