import { randomBytes } from 'node:crypto';
import type { ActionId } from '../plan/action-ids.ts';
import type { Plan } from '../plan/plan.ts';
import { positionIn, type WindowPosition } from '../plan/window-time.ts';
import { failureOf } from '../ports/failure.ts';
import type { PhaseContext, PhaseOutcome } from '../phases/phase.ts';
import { packRecord } from '../record/copy.ts';
import { isObliged } from '../record/life.ts';
import { reviveRecord } from '../record/revival.ts';
import { openRecord, takeRecord, type WindowRecord } from '../record/window-record.ts';
import { machinesOf, type Machines } from './machines.ts';
import { assembleSettings, type AssembledSettings } from './settings.ts';
import type { Surroundings } from './surroundings.ts';
import { copiesOf, copySecretsOf } from './backup-copies.ts';
import { checkoutsOf } from './code.ts';
import { servicesOf } from './services.ts';
import { standbyOf } from './standby.ts';
import { databaseOf, modeOf, scratchOf, secretsOf, worldOf, type World } from './world.ts';

/** What an action gives back to its face. */
export interface ActionResult {
  readonly outcome: PhaseOutcome;
  /** Outputs by name, as text. */
  readonly outputs: Readonly<Record<string, string>>;
  /** Markdown for the job summary. */
  readonly summary?: string;
}

/** A phase's body over an open window. */
export type WindowBody = (
  context: PhaseContext,
  invocation: Readonly<Record<string, unknown>>,
) => Promise<PhaseOutcome>;

/** Opens the window's record for this run and runs a phase over it. */
export async function withWindow(
  id: ActionId,
  surroundings: Surroundings,
  body: WindowBody,
): Promise<ActionResult> {
  return guarded(surroundings, async (machines) => {
    const settings = await assembleSettings(id, surroundings, machines);
    const { plan, raw, invocation } = settings;
    const world = await worldOf(plan, surroundings, machines);
    // Secrets are looked up, and all refusals made, before the record is opened.
    secretsOf(plan, surroundings);
    if (id === 'backup-db') copySecretsOf(plan, surroundings);
    const position = positionIn(plan.window, world.clock.now());
    const deadline = deadlineOf(plan, position, world.clock.now());
    const record = await openRecord(world.host, world.clock, {
      stateDir: plan.stateDir,
      name: plan.name ?? '',
      run: surroundings.run,
      settings: raw,
      deadline,
      leaseUntil: deadline,
      windowId: windowIdOf(invocation),
      suffix: randomBytes(2).toString('hex'),
    });
    await record.update({ settings: raw });
    return runBody(settings, surroundings, world, record, body);
  });
}

/**
 * Takes the record as it is and runs a phase over it; with no record there is nothing to do. An operator takes
 * anybody's; what merely cleans up after a run takes that run's own.
 */
export async function withTakenWindow(
  id: ActionId,
  surroundings: Surroundings,
  whose: 'anybody' | 'own',
  body: WindowBody,
): Promise<ActionResult> {
  return guarded(surroundings, async (machines) => {
    const settings = await assembleSettings(id, surroundings, machines);
    const { plan, invocation } = settings;
    const world = await worldOf(plan, surroundings, machines);
    const windowId = windowIdOf(invocation);
    const at = {
      stateDir: plan.stateDir,
      name: plan.name ?? '',
      runId: surroundings.run.id,
      windowId,
    };
    const record =
      (await takeRecord(world.host, world.clock, at)) ??
      // By name and with consent an operator goes back to a window whose books are closed.
      (invocation.force === true ? await reviveRecord(world.host, world.clock, at) : undefined);
    const isOther = whose === 'own' && record?.status.run.id !== surroundings.run.id;
    if (record === undefined || isOther) {
      const wanted = windowId ?? `of the name ${plan.name ?? ''}`;
      const has = whose === 'own' ? `run ${surroundings.run.id} has` : 'there is';
      const reason = `${has} no open window ${wanted} under ${plan.stateDir}`;
      return { outcome: { kind: 'skipped', reason, outputs: {} }, outputs: { outcome: 'nothing' } };
    }
    return runBody(settings, surroundings, world, record, body);
  });
}

/** The context of a phase over an open record. */
export function contextOf(
  plan: Plan,
  surroundings: Surroundings,
  world: World,
  record: WindowRecord,
  invocation: Readonly<Record<string, unknown>> = {},
): PhaseContext {
  const secrets = secretsOf(plan, surroundings);
  return {
    ...world,
    plan,
    record,
    progress: surroundings.progress,
    workspace: surroundings.workspace,
    variable: (name) => surroundings.environment[name],
    database: databaseOf(plan, secrets, world, record.status.windowId),
    scratch: scratchOf(plan, secrets, world),
    standby: standbyOf(plan, secrets, world),
    mode: modeOf(plan, secrets, world, {
      id: record.status.windowId,
      expectedEnd: new Date(record.status.deadline),
      workspace: surroundings.workspace,
      // What only an operator asks for.
      mayLeaveOut: invocation.force === true || invocation['reopen-held'] === true,
    }),
    services: servicesOf(plan, world, record.status.windowId),
    checkouts: checkoutsOf(plan, world),
    ...copiesOf(plan, surroundings, world),
  };
}

/** The end of the window that a moment belongs to; for a run outside of it, its duration from now. */
export function deadlineOf(plan: Plan, position: WindowPosition, now: Date): Date {
  return position.kind === 'outside'
    ? new Date(now.getTime() + plan.window.duration * 1000)
    : position.end;
}

async function runBody(
  settings: AssembledSettings,
  surroundings: Surroundings,
  world: World,
  record: WindowRecord,
  body: WindowBody,
): Promise<ActionResult> {
  let outcome: PhaseOutcome;
  try {
    const { plan, invocation } = settings;
    const context = contextOf(plan, surroundings, world, record, invocation);
    outcome = await body(context, invocation);
  } catch (error) {
    outcome = { kind: 'failed', failure: failureOf(error), outputs: {} };
  }
  await letGo(record, outcome);
  return { outcome, outputs: { ...recordOutputs(record), ...outcome.outputs } };
}

/** What every action over a record gives to later jobs. */
export function recordOutputs(record: WindowRecord): Record<string, string> {
  return {
    'window-id': record.status.windowId,
    state: record.status.state,
    record: packRecord(record.copy()),
  };
}

/**
 * A window that preflight opened keeps other runs out until its end. An action used alone keeps them out only
 * while it works, unless it leaves something that has to be taken back.
 */
async function letGo(record: WindowRecord, outcome: PhaseOutcome): Promise<void> {
  const { state, checks } = record.status;
  if (isObliged(state) || state === 'prepared') return;
  if (checks === undefined || outcome.kind === 'failed') await record.release();
}

function windowIdOf(invocation: Readonly<Record<string, unknown>>): string | undefined {
  const id = invocation['window-id'];
  return typeof id === 'string' ? id : undefined;
}

/** Runs a session over the machines of a run, lets them go, and turns what is thrown into a result. */
export async function guarded(
  surroundings: Surroundings,
  body: (machines: Machines) => Promise<ActionResult>,
): Promise<ActionResult> {
  const machines = machinesOf(surroundings);
  try {
    return await body(machines);
  } catch (error) {
    return { outcome: { kind: 'failed', failure: failureOf(error), outputs: {} }, outputs: {} };
  } finally {
    await machines.close();
  }
}
