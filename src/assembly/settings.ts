import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { ActionId } from '../plan/action-ids.ts';
import { resolveSettings, type ResolvedSettings, type SettingSources } from '../plan/resolve.ts';
import { fleetOf } from '../plan/fleet.ts';
import { fail, failureOf } from '../ports/failure.ts';
import { readRecord, type RecordCopy } from '../record/window-record.ts';
import type { Machines } from './machines.ts';
import type { Surroundings } from './surroundings.ts';

/** Settings of an action, and the record that they were completed from, if any. */
export interface AssembledSettings extends ResolvedSettings {
  readonly known: RecordCopy | undefined;
}

/**
 * Reads plan file and record and resolves the settings. The record completes them when it belongs to this run, or
 * when the action works from the record alone (`rollback`, `report`).
 * @param travelling a copy of the record, for when its host does not answer
 * @throws FailureError `plan-missing`, `plan-invalid`, `host-…`
 */
export async function assembleSettings(
  id: ActionId,
  surroundings: Surroundings,
  machines: Machines,
  travelling?: RecordCopy,
): Promise<AssembledSettings> {
  const file = await readPlan(surroundings);
  const sources: SettingSources = { inputs: surroundings.inputs, plan: file };
  const fromRecordAlone = id === 'rollback' || id === 'report';
  const known = await knownRecord(id, sources, surroundings, machines, travelling);
  const isOurs = known?.status.run.id === surroundings.run.id;
  const recorded =
    known !== undefined && (isOurs || fromRecordAlone) ? known.status.settings : undefined;
  return { ...resolveSettings(id, { ...sources, recorded }), known };
}

/** The record where the plan says that it is, found before everything else is known. */
async function knownRecord(
  id: ActionId,
  sources: SettingSources,
  surroundings: Surroundings,
  machines: Machines,
  travelling: RecordCopy | undefined,
): Promise<RecordCopy | undefined> {
  // The required settings of the action may still come from the record, so they are not asked for yet. Where the
  // plan does not say which host has it, the copy does.
  const recorded = travelling?.status.settings;
  const { plan } = resolveSettings(id, { ...sources, recorded, lenient: true });
  if (plan.name === undefined) return undefined;
  const { stateDir, name } = plan;
  try {
    return await readRecord(await machines.host(fleetOf(plan).control, plan), { stateDir, name });
  } catch (error) {
    if (travelling === undefined) throw error;
    surroundings.progress.warning(failureOf(error).message);
    return travelling;
  }
}

async function readPlan(surroundings: Surroundings): Promise<SettingSources['plan']> {
  const path = surroundings.inputs.plan;
  if (path === undefined || path === '') return undefined;
  try {
    return { path, text: await readFile(resolve(surroundings.workspace, path), 'utf8') };
  } catch (error) {
    return fail(
      {
        code: 'plan-missing',
        message: `The plan file ${path} cannot be read in ${surroundings.workspace}.`,
        state: 'Nothing was touched.',
        next: 'Check the repository out before this step and give the path from its root, such as .github/maintenance.yml.',
      },
      error,
    );
  }
}
