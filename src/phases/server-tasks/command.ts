import { formatDuration } from '../../plan/duration.ts';
import type { ServerTaskOf } from '../../plan/settings/update-server.ts';
import { fail } from '../../ports/failure.ts';
import { outcomeOf } from '../../record/journal.ts';
import type { PhaseContext } from '../phase.ts';
import { requireDatabase } from '../requirements.ts';
import { folderFor, variablesNamed } from '../tool-surroundings.ts';
import { changesData } from './planned-tasks.ts';
import type { LookContext, Preview, ServerTaskResult, TaskPlace } from './server-task.ts';

type CommandTask = ServerTaskOf<'command'>;

const verifySeconds = 120;

export function previewCommand(
  context: LookContext,
  { host }: TaskPlace,
  task: CommandTask,
): Promise<Preview> {
  if (changesData(task) && context.database === undefined) {
    fail({
      code: 'setting-missing',
      message: `Task ${task.id} changes ${task.blast}, but the plan has no database to take a restore point of.`,
      state: 'Nothing was touched.',
      next: 'Add database.url to the plan, or correct `blast` of the task.',
    });
  }
  const folder = folderFor(context, host.name, task);
  return Promise.resolve({
    summary: `runs ${JSON.stringify(task.command)}${folder === undefined ? '' : ` in ${folder}`}`,
    lines: [],
    ...(proofOf(task) === undefined
      ? { warning: 'nothing but its exit code proves it: give `verify` or `verify-sql`' }
      : {}),
  });
}

/** Runs the command of the plan, and asks what proves its effect. */
export async function runCommand(
  context: PhaseContext,
  place: TaskPlace,
  task: CommandTask,
): Promise<ServerTaskResult> {
  const { progress } = context;
  const { host, server } = place;
  const [program = ''] = task.command;
  const result = await server.run({
    argv: task.command,
    workingDirectory: folderFor(context, host.name, task),
    env: variablesNamed(context, task.environment),
    timeoutSeconds: task.timeout,
    onLine: (line) => {
      progress.info(line);
    },
  });
  if (result.exitCode !== 0) {
    const how = result.timedOut
      ? `did not end within ${formatDuration(task.timeout)} and was ended`
      : `ended with ${result.exitCode === null ? 'a signal' : `exit code ${result.exitCode}`}`;
    fail({
      code: 'server-task-failed',
      message: `Task ${task.id}: \`${program}\` on ${host.name} ${how}.`,
      state: `What it changed up to then is not known${changesData(task) ? '; the restore point is intact' : ''}.`,
      next: 'Read its output above. `rollback` makes the system safe.',
    });
  }
  if (!(await isVerified(context, place, task))) {
    fail({
      code: 'server-task-not-verified',
      message: `Task ${task.id}: \`${program}\` on ${host.name} ended with exit code 0, but ${proofOf(task) ?? ''} does not show its effect.`,
      state: 'The command ran; its effect is not there.',
      next: 'Look at what the command did. `rollback` makes the system safe.',
    });
  }
  return {
    outcome: 'done',
    summary: `\`${program}\` ended well`,
    proof: proofText(task),
    figures: {},
    items: [],
  };
}

/**
 * After a kill: whether the command was carried through, as its own proof tells.
 * @returns `undefined` when it may simply be run (again)
 * @throws FailureError `task-unfinished` when nobody knows how far it came
 */
export async function foundDone(
  context: PhaseContext,
  place: TaskPlace,
  task: CommandTask,
): Promise<ServerTaskResult | undefined> {
  if (proofOf(task) !== undefined && (await isVerified(context, place, task))) {
    return {
      outcome: 'done',
      summary: 'carried through before it was interrupted',
      proof: proofText(task),
      figures: {},
      items: [],
    };
  }
  if (task.repeatable || task.blast === 'none') return undefined;
  return failUnfinished(task);
}

/**
 * A command that may have changed schema or data is not run a second time when nobody knows what the first time did.
 * Asked before any other task runs.
 */
export function refuseUnfinished(
  { record }: PhaseContext,
  phase: string,
  step: string,
  task: CommandTask,
): void {
  if (task.repeatable || !changesData(task)) return;
  if (outcomeOf(record.journal, phase, step) !== undefined) return;
  const last = record.journal.findLast(
    (line) => line.phase === phase && line.step === step && line.event !== 'note',
  );
  const isUnknown = last?.event === 'intent' && proofOf(task) === undefined;
  if (isUnknown || last?.event === 'failed') failUnfinished(task);
}

function failUnfinished(task: CommandTask): never {
  return fail({
    code: 'task-unfinished',
    message: `Task ${task.id} was interrupted, and what it did is unknown.`,
    state: changesData(task)
      ? 'The site is closed; the restore point is intact.'
      : 'No other task was run.',
    next: 'Run `rollback`. With `verify` such a task can find out by itself; with `repeatable: true` it is simply run again.',
  });
}

async function isVerified(
  context: PhaseContext,
  { host, server }: TaskPlace,
  task: CommandTask,
): Promise<boolean> {
  if (task.verify !== undefined) {
    const result = await server.run({
      argv: task.verify,
      workingDirectory: folderFor(context, host.name, task),
      env: variablesNamed(context, task.environment),
      timeoutSeconds: verifySeconds,
    });
    if (result.exitCode !== 0) return false;
  }
  if (task.verifySql === undefined) return true;
  const value = await requireDatabase(context).queryValue(task.verifySql, {
    timeoutSeconds: verifySeconds,
  });
  return value === 'true' || value === 't';
}

function proofOf({ verify, verifySql }: CommandTask): string | undefined {
  const proofs = [
    verify === undefined ? '' : `\`${verify[0] ?? ''}\``,
    verifySql === undefined ? '' : 'its query',
  ].filter((proof) => proof !== '');
  return proofs.length === 0 ? undefined : proofs.join(' and ');
}

function proofText(task: CommandTask): string {
  const proof = proofOf(task);
  return proof === undefined
    ? 'exit code 0 (the plan gives nothing that verifies it)'
    : `${proof} ${task.verify !== undefined && task.verifySql !== undefined ? 'show' : 'shows'} its effect`;
}
