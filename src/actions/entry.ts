import { actionIds, type ActionId } from '../plan/action-ids.ts';
import { runOnRunner } from '../runner/run.ts';
import { actions, postActions } from './catalogue.ts';

/** Runs an action as the runner calls it; every entry of the bundle comes here. */
export async function runAction(id: string): Promise<void> {
  const known = knownId(id);
  await runOnRunner(known, actions[known]);
}

/** Runs what follows an action in any case (`post` of its action.yml). */
export async function runPostAction(id: string): Promise<void> {
  const known = knownId(id);
  const post = postActions[known];
  if (post === undefined) throw new Error(`action ${id} has no post step`);
  await runOnRunner(known, post);
}

/** Runs the command line. */
export async function runCli(argv: readonly string[]): Promise<void> {
  const { runCommandLine } = await import('../cli/command-line.ts');
  process.exitCode = await runCommandLine(argv);
}

function knownId(id: string): ActionId {
  const known = actionIds.find((candidate) => candidate === id);
  if (known === undefined) throw new Error(`there is no action ${id}`);
  return known;
}
