import * as core from '@actions/core';
import type { Surroundings } from '../assembly/surroundings.ts';
import type { ActionResult } from '../assembly/window-session.ts';
import type { ActionId } from '../plan/action-ids.ts';
import { inputsOf } from '../plan/actions.ts';
import { cancellation } from './cancellation.ts';
import { describeFailure } from './failure-text.ts';
import { identityOf } from './identity.ts';
import { runnerProgress } from './progress.ts';

/** Reads what the runner brings, runs the action, and gives outputs, summary and failure to the runner. */
export async function runOnRunner(
  id: ActionId,
  action: (surroundings: Surroundings) => Promise<ActionResult>,
): Promise<void> {
  const { signal, release } = cancellation();
  try {
    const result = await action(surroundingsOf(id, signal));
    for (const [name, value] of Object.entries(result.outputs)) core.setOutput(name, value);
    if (result.summary !== undefined) await writeSummary(result.summary);
    const { outcome } = result;
    if (outcome.kind === 'failed') core.setFailed(describeFailure(outcome.failure));
    else
      core.info(
        outcome.kind === 'done' ? `Done: ${outcome.detail}` : `Nothing to do: ${outcome.reason}`,
      );
  } catch (error) {
    core.setFailed(error instanceof Error ? (error.stack ?? error.message) : String(error));
  } finally {
    release();
  }
}

function surroundingsOf(id: ActionId, signal: AbortSignal): Surroundings {
  const { env } = process;
  const names = ['plan', ...inputsOf(id).map((input) => input.name)];
  const inputs = Object.fromEntries(
    names.map((name) => [name, core.getInput(name)] as const).filter(([, value]) => value !== ''),
  );
  const token = core.getInput('github-token');
  const repository = env.GITHUB_REPOSITORY ?? '';
  return {
    inputs,
    environment: env,
    workspace: env.GITHUB_WORKSPACE ?? process.cwd(),
    run: identityOf(env),
    progress: runnerProgress(),
    signal,
    mask: (secret) => {
      for (const line of secret.split('\n')) if (line !== '') core.setSecret(line);
    },
    github:
      token === '' || repository === ''
        ? undefined
        : { token, repository, apiUrl: env.GITHUB_API_URL ?? 'https://api.github.com' },
  };
}

async function writeSummary(markdown: string): Promise<void> {
  // Outside a job (a rehearsal of the entry) there is no summary file.
  if ((process.env.GITHUB_STEP_SUMMARY ?? '') === '') return;
  await core.summary.addRaw(markdown, true).write();
}
