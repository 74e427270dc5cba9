import { assembleSettings } from '../assembly/settings.ts';
import type { Surroundings } from '../assembly/surroundings.ts';
import { guarded, type ActionResult } from '../assembly/window-session.ts';
import { isObliged } from '../record/life.ts';
import { owedByReopening, owedInWords } from '../record/owed-by-reopening.ts';
import { placeOf } from '../record/restore-point.ts';
import { owedStandby } from '../record/standby.ts';
import type { WindowStatus } from '../record/status.ts';
import type { RecordCopy } from '../record/window-record.ts';

/** Tells where the window stands and what is left to do; touches nothing. */
export function windowStatus(surroundings: Surroundings): Promise<ActionResult> {
  return guarded(surroundings, async (machines) => {
    const { plan, known } = await assembleSettings('report', surroundings, machines);
    if (known === undefined) {
      const reason = `there is no window of the name ${plan.name ?? ''} under ${plan.stateDir}`;
      return { outcome: { kind: 'skipped', reason, outputs: {} }, outputs: {} };
    }
    return {
      outcome: {
        kind: 'done',
        detail: describeRecord(known, plan.disableMaintenance.hook),
        outputs: {},
      },
      outputs: { 'window-id': known.status.windowId, state: known.status.state },
    };
  });
}

/** A record for an operator: state, who holds it, what happened last, what to do. */
export function describeRecord(
  { status, journal }: RecordCopy,
  hook: 'remove' | 'keep' = 'remove',
): string {
  const lines = [
    `window ${status.windowId} of ${status.name} is ${status.state} since ${status.updatedAt}`,
    `run ${status.run.url ?? status.run.id}${status.run.actor === undefined ? '' : `, started by ${status.run.actor}`}; planned until ${status.deadline}`,
    `worst change begun: ${status.blast}; restore point: ${restorePointInWords(status)}; backup: ${status.backup?.directory ?? 'none'}`,
    ...standbyInWords(status),
    ...journal
      .slice(-10)
      .map(
        (line) =>
          `  ${line.at} ${line.event.padEnd(7)} ${line.phase} ${line.step}: ${line.detail ?? line.title}`,
      ),
  ];
  const last = journal.at(-1);
  if (last?.event === 'intent')
    lines.push(
      `interrupted in ${last.phase} ${last.step}: its effect is looked at by the next run`,
    );
  lines.push(leftToDo(status, hook));
  return lines.join('\n');
}

function restorePointInWords({ restorePoint: point }: WindowStatus): string {
  if (point === undefined) return 'none';
  if (point.droppedAt !== undefined) return `${point.kind}, dropped at ${point.droppedAt}`;
  return point.keptUntil === undefined
    ? point.kind
    : `${point.kind} ${placeOf(point)}, kept until ${point.keptUntil}`;
}

function standbyInWords(status: WindowStatus): readonly string[] {
  const owed = owedStandby(status);
  if (owed === undefined) return [];
  const { dataDirectory, host } = owed.replica;
  return [`replica of this window, stopped or about to be: ${dataDirectory} on ${host}`];
}

function leftToDo(status: WindowStatus, hook: 'remove' | 'keep'): string {
  if (isObliged(status.state)) return 'left to do: `maintenance-window rollback` makes it safe';
  const owed = owedInWords(owedByReopening(status, hook));
  if (owed.length > 0)
    return `left to do: ${owed.join('; ')}; \`maintenance-window rollback\` does it, and leaves the site open`;
  return status.state === 'prepared'
    ? 'the site was not closed; unless its run goes on, `maintenance-window rollback` takes the preparations back'
    : 'nothing is left to do';
}
