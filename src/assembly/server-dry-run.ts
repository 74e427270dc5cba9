import { previewServers } from '../phases/server-preview.ts';
import type { ServerStage } from '../phases/update-server.ts';
import { renderServerDryRun } from '../report/server-preview.ts';
import { assembleSettings } from './settings.ts';
import type { Surroundings } from './surroundings.ts';
import { guarded, type ActionResult } from './window-session.ts';
import { databaseOf, secretsOf, worldOf } from './world.ts';

/** Shows what the server tasks would do on each host; needs no window and opens none. */
export function serverDryRun(surroundings: Surroundings): Promise<ActionResult> {
  return guarded(surroundings, async (machines) => {
    const { plan, invocation } = await assembleSettings('update-server', surroundings, machines);
    const world = await worldOf(plan, surroundings, machines);
    const secrets = secretsOf(plan, surroundings);
    const look = await previewServers(
      {
        ...world,
        plan,
        workspace: surroundings.workspace,
        variable: (name) => surroundings.environment[name],
        database: databaseOf(plan, secrets, world),
      },
      invocation.stage as ServerStage,
    );
    for (const { task, host, summary, lines } of look.previews) {
      surroundings.progress.info(`${task} on ${host}: ${summary}`);
      for (const line of lines) surroundings.progress.info(`  ${line}`);
    }
    const summary = renderServerDryRun(plan.name ?? '', look);
    const failed = look.checks.filter(({ verdict }) => verdict === 'failed');
    const outputs = {};
    if (failed.length === 0) {
      const reason = `dry run: ${look.previews.length} server tasks were looked at, nothing was touched`;
      return { outcome: { kind: 'skipped', reason, outputs }, outputs, summary };
    }
    return {
      outcome: {
        kind: 'failed',
        outputs,
        failure: {
          code: 'server-tasks-refused',
          message: `${failed.length} of ${look.checks.length} server tasks cannot be done: ${failed.map(({ title, value }) => `${title}: ${value}`).join('; ')}`,
          state: 'Nothing was touched: this was a dry run.',
          next: failed
            .map(({ next = '' }) => next)
            .filter((next) => next !== '')
            .join(' '),
        },
      },
      outputs,
      summary,
    };
  });
}
