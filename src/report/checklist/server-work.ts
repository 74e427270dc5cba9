import type { RecordedServerTask } from '../../record/status.ts';
import {
  failed,
  none,
  notApplicable,
  proof,
  provable,
  type ChecklistFacts,
  type ChecklistLine,
  type Finding,
} from './finding.ts';

type Kind = RecordedServerTask['task'];

const noPackages = 'The plan updates no packages.';

/** Whether the plan has server tasks of a kind. */
export function plansServerTask({ input }: ChecklistFacts, kind: Kind): boolean {
  return input.plan.updateServer.tasks.some(({ task }) => task === kind);
}

/**
 * A line that does not apply, unless the plan runs commands of the application: what those change, nobody here knows.
 * @param why begins with a small letter and has no full stop
 */
export function outOfScopeWithoutCommands(id: string, title: string, why: string): ChecklistLine {
  return provable(
    id,
    title,
    'nothing: what the plan’s tasks `command` change, only people know',
    ({ input }) => {
      const ids = input.plan.updateServer.tasks.flatMap((task) =>
        task.task === 'command' ? [task.id] : [],
      );
      return ids.length === 0
        ? notApplicable(`${why.charAt(0).toUpperCase()}${why.slice(1)}.`)
        : none(`The plan runs commands of its own (${ids.join(', ')}): attest what they change.`);
    },
    `${why}, and the plan has no task \`command\` of \`update-server\``,
  );
}

/** What the record says of the server tasks of a kind: each on each of its hosts. */
function fromServerTasks(facts: ChecklistFacts, kind: Kind): Finding {
  const { input } = facts;
  const planned = planIds(facts, kind);
  const results = (input.record.status.serverTasks ?? []).filter(({ task }) => task === kind);
  const bad = results.find(({ outcome }) => outcome === 'failed');
  if (bad !== undefined) return failed(`Task ${bad.id} on ${bad.host}: ${bad.summary}`);
  const ran = new Set(results.map(({ id }) => id));
  if (ran.size < planned) return none(`${ran.size} of ${planned} tasks of this kind ran.`);
  return proof(
    `${results.map(({ id, host, summary, proof: shown }) => `${id} on ${host}: ${summary}${shown === '' ? '' : ` (${shown})`}`).join('; ')}.`,
  );
}

function planIds({ input }: ChecklistFacts, kind: Kind): number {
  return input.plan.updateServer.tasks.filter(({ task }) => task === kind).length;
}

/** Package updates: every planned version is there, by the host's own list. */
export function updatesInstalled(facts: ChecklistFacts): Finding {
  return plansServerTask(facts, 'packages')
    ? fromServerTasks(facts, 'packages')
    : notApplicable(noPackages);
}

/** Security updates: none is left that the host could have. */
export function securityPatched(facts: ChecklistFacts): Finding {
  const installed = updatesInstalled(facts);
  if (installed.kind !== 'proof') return installed;
  const results = packageResults(facts);
  const open = results.filter(({ figures }) => (figures['kept-security'] ?? 0) > 0);
  if (open.length > 0) {
    return failed(
      `Security updates are left out: ${open.map(({ host, summary }) => `${host}, ${summary}`).join('; ')}.`,
    );
  }
  const count = results.reduce((sum, { figures }) => sum + (figures['security-packages'] ?? 0), 0);
  return proof(
    `${count} security ${count === 1 ? 'update' : 'updates'} installed; the security archives of ${results.map(({ host }) => host).join(', ')} had no other for them.`,
  );
}

/** Security updates, by name. */
export function securityIdentified(facts: ChecklistFacts): Finding {
  const installed = updatesInstalled(facts);
  if (installed.kind !== 'proof') return installed;
  const results = packageResults(facts);
  const names = [...new Set(results.flatMap(({ items }) => items.map(({ name }) => name)))];
  return proof(
    `The lists of packages were fetched on ${results.map(({ host }) => host).join(', ')}; updates: ${names.length === 0 ? 'none' : names.join(', ')}.`,
  );
}

/** A line that only people settle, once packages are updated at all. */
export function afterUpdates(todo: string): (facts: ChecklistFacts) => Finding {
  return (facts) => (plansServerTask(facts, 'packages') ? none(todo) : notApplicable(noPackages));
}

/** What a clean-up of the servers adds to a proof; nothing when the plan has none. */
export function cleanUps(facts: ChecklistFacts): Finding | undefined {
  return plansServerTask(facts, 'clean-up') ? fromServerTasks(facts, 'clean-up') : undefined;
}

function packageResults({ input }: ChecklistFacts): readonly RecordedServerTask[] {
  return (input.record.status.serverTasks ?? []).filter(({ task }) => task === 'packages');
}
