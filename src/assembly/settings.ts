import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { ActionId } from '../plan/action-ids.ts';
import { resolveSettings, type ResolvedSettings, type SettingSources } from '../plan/resolve.ts';
import { fail } from '../ports/failure.ts';
import type { Host } from '../ports/host.ts';
import { readRecord, type RecordCopy } from '../record/window-record.ts';
import type { Surroundings } from './surroundings.ts';

/** Settings of an action, and the record that they were completed from, if any. */
export interface AssembledSettings extends ResolvedSettings {
  readonly known: RecordCopy | undefined;
}

/**
 * Reads plan file and record and resolves the settings. The record completes them when it belongs to this run, or
 * when the action works from the record alone (`rollback`, `report`).
 * @throws FailureError `plan-missing`, `plan-invalid`
 */
export async function assembleSettings(
  id: ActionId,
  surroundings: Surroundings,
  host: Host,
): Promise<AssembledSettings> {
  const plan = await readPlan(surroundings);
  const sources: SettingSources = { inputs: surroundings.inputs, plan };
  const fromRecordAlone = id === 'rollback' || id === 'report';
  const place = placeIn(sources, id);
  const known = place === undefined ? undefined : await readRecord(host, place);
  const isOurs = known?.status.run.id === surroundings.run.id;
  const recorded =
    known !== undefined && (isOurs || fromRecordAlone) ? known.status.settings : undefined;
  return { ...resolveSettings(id, { ...sources, recorded }), known };
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

/** Where the record would be: from name and state-dir alone, before everything else is known. */
function placeIn(
  sources: SettingSources,
  id: ActionId,
): { stateDir: string; name: string } | undefined {
  // The required settings of the action may still come from the record, so they are not asked for yet.
  const { plan } = resolveSettings(id, { ...sources, lenient: true });
  return plan.name === undefined ? undefined : { stateDir: plan.stateDir, name: plan.name };
}
