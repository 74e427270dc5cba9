import { formatBytes } from '../../plan/bytes.ts';
import { formatDuration } from '../../plan/duration.ts';
import type { ServerTaskOf } from '../../plan/settings/update-server.ts';
import { fail } from '../../ports/failure.ts';
import type { PhaseContext } from '../phase.ts';
import {
  nothingToDo,
  type LookContext,
  type Preview,
  type ServerTaskResult,
  type TaskPlace,
} from './server-task.ts';

type RotateLogs = ServerTaskOf<'rotate-logs'>;

const lookSeconds = 0.5;

export async function previewRotation(
  _context: LookContext,
  { host, server }: TaskPlace,
  task: RotateLogs,
): Promise<Preview> {
  if ((await host.status(task.config)) === undefined) {
    fail({
      code: 'logs-no-config',
      message: `There is no ${task.config} on ${host.name}.`,
      state: 'Nothing was touched.',
      next: "Correct `config` of the task: logrotate's configuration on the host.",
    });
  }
  const { considered, rotated } = await server.rotateLogs({ ...task, dryRun: true });
  return {
    summary: `rotates ${rotated.length} of ${considered.length} logs`,
    lines: rotated,
  };
}

/** Rotates, and proves it by logrotate's own memory and by services that go on writing. */
export async function rotateLogs(
  context: PhaseContext,
  { host, server }: TaskPlace,
  task: RotateLogs,
): Promise<ServerTaskResult> {
  const before = await server.rotationTimes(task.state);
  const { considered, rotated } = await server.rotateLogs({ ...task, dryRun: false });
  const after = await server.rotationTimes(task.state);
  const unproved = rotated.filter(
    (log) => after.get(log) === undefined || after.get(log) === before.get(log),
  );
  if (unproved.length > 0) {
    fail({
      code: 'logs-not-rotated',
      message: `logrotate says that it rotated ${unproved.join(', ')} on ${host.name}, but its own memory ${task.state} does not tell of it.`,
      state: 'Logs may be rotated; none was removed beyond what logrotate removes.',
      next: 'Check `state` of the task, and run logrotate with --verbose on the host.',
    });
  }
  if (rotated.length === 0) {
    return nothingToDo(
      `no log is due for rotation, of ${considered.length}`,
      'logrotate looked at each of them',
    );
  }
  const written = await proveWritten(context, { host }, task);
  return {
    outcome: 'done',
    summary: `${rotated.length} of ${considered.length} logs rotated`,
    proof: `${task.state} tells of each${written === '' ? '' : `; written to again: ${written}`}`,
    figures: { logs: rotated.length },
    items: rotated.map((log) => ({
      name: log,
      before: before.get(log) ?? null,
      after: after.get(log) ?? null,
    })),
  };
}

/** A service that still writes to the file that was renamed would lose its words when that is removed. */
async function proveWritten(
  { clock }: PhaseContext,
  { host }: Pick<TaskPlace, 'host'>,
  task: RotateLogs,
): Promise<string> {
  const sizes = new Map<string, number>();
  const deadline = clock.monotonicSeconds() + task.within;
  const waiting = new Set(task.stillWritten);
  while (waiting.size > 0) {
    for (const log of waiting) {
      const bytes = (await host.status(log))?.bytes;
      const first = sizes.get(log);
      if (bytes === undefined) continue;
      if (first === undefined) sizes.set(log, bytes);
      else if (bytes !== first) waiting.delete(log);
    }
    if (waiting.size === 0) break;
    if (clock.monotonicSeconds() >= deadline) {
      const stuck = [...waiting].map((log) => {
        const bytes = sizes.get(log);
        return bytes === undefined ? `${log} (not there)` : `${log} (${formatBytes(bytes)})`;
      });
      fail({
        code: 'logs-not-written',
        message: `After the rotation nothing was written to ${stuck.join(', ')} within ${formatDuration(task.within)}.`,
        state: 'The logs are rotated; their service may still write to the file that was renamed.',
        next: "Have the service open its log anew (`postrotate` of logrotate's configuration), or give more time with `within`.",
      });
    }
    await clock.wait(lookSeconds);
  }
  return task.stillWritten.join(', ');
}
