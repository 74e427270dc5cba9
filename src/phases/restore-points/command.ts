import { formatDuration } from '../../plan/duration.ts';
import type { RestorePointCommand } from '../../plan/settings/run-db-maintenance.ts';
import { fail, failureOf } from '../../ports/failure.ts';
import type { Host } from '../../ports/host.ts';
import type { RestorePointOf } from '../../record/restore-point.ts';
import { runStep, type StepContext } from '../../record/step.ts';
import type { PhaseContext } from '../phase.ts';
import { requireDatabase } from '../requirements.ts';
import { markOf, unmark } from '../restore-point-mark.ts';
import { seal, unseal } from '../sealed-database.ts';
import { isInPlan, selectedHosts } from '../selected-hosts.ts';
import { variablesNamed } from '../tool-surroundings.ts';
import type { RestorePointMaker } from './kind.ts';
import { propertiesBefore, reapplyProperties } from './properties-before.ts';

const phase = 'run-db-maintenance';

/** Longest reference that is taken for one. */
const longestReference = 400;
/** Seconds between two looks at a server that is starting. */
const pollSeconds = 0.1;
/** Seconds that the server may take to answer after `go-back` has ended. */
const answerSeconds = 60;

/**
 * A snapshot by the user's own commands. They are believed nothing that can be seen: the database gets a mark before
 * the snapshot and loses it right after, so that only a server that went back to this very snapshot has the mark.
 */
export const commandPoint: RestorePointMaker<RestorePointOf<'command'>> = {
  obstacle({ plan, fleet, database }) {
    const { restorePointCommand: command } = plan.runDbMaintenance;
    return Promise.resolve(
      database === undefined
        ? 'the plan names no database'
        : command === undefined
          ? 'the plan has no run-db-maintenance.restore-point-command'
          : isInPlan(fleet, command.on)
            ? undefined
            : `the plan has no host ${command.on} for restore-point-command`,
    );
  },
  take,
  goBack,
  async release(context, point) {
    const command = commandOf(context);
    await runStep(context, 'report', {
      id: 'drop-restore-point',
      title: `Release the snapshot ${point.reference}`,
      blast: 'none',
      // It succeeds when the snapshot is gone, and nobody else can tell.
      observe: () => Promise.resolve(undefined),
      perform: async () => {
        await run(context, command.release, point.reference, {
          code: 'snapshot-not-released',
          state: `The snapshot ${point.reference} may still be there.`,
          next: 'Release it by hand, or mend the command and run `report` again.',
        });
        return { reference: point.reference };
      },
      describe: () => '`release` ended with exit code 0',
    });
  },
};

type CommandContext = StepContext & Pick<PhaseContext, 'plan' | 'fleet' | 'variable' | 'database'>;

function commandOf({ plan }: Pick<PhaseContext, 'plan'>): RestorePointCommand {
  return (
    plan.runDbMaintenance.restorePointCommand ??
    fail({
      code: 'setting-missing',
      message: 'The plan has no run-db-maintenance.restore-point-command.',
      state: 'No command was run.',
      next: 'Give the settings that the snapshot was taken with.',
    })
  );
}

/** Runs one of the commands; returns the last line that it printed. */
async function run(
  context: CommandContext,
  argv: readonly [string, ...string[]],
  reference: string | undefined,
  failed: { readonly code: string; readonly state: string; readonly next: string },
): Promise<string> {
  const { record, fleet, progress, database } = context;
  const command = commandOf(context);
  const host: Host = selectedHosts(fleet, command.on)[0] ?? fleet.database;
  const result = await host.run({
    argv,
    env: {
      ...variablesNamed(context, command.environment),
      MW_WINDOW_ID: record.status.windowId,
      MW_DATABASE: database?.name ?? '',
      ...(reference === undefined ? {} : { MW_REFERENCE: reference }),
    },
    timeoutSeconds: command.timeout,
    onStdoutLine: (text) => {
      progress.info(text);
    },
    onStderrLine: (text) => {
      progress.info(text);
    },
  });
  if (result.exitCode === 0 && !result.timedOut) {
    return result.stdout.trimEnd().split('\n').at(-1)?.trim() ?? '';
  }
  const how = result.timedOut
    ? `did not end within ${formatDuration(command.timeout)} and was ended`
    : result.exitCode === 127
      ? 'is not there'
      : `ended with ${result.exitCode === null ? 'a signal' : `exit code ${String(result.exitCode)}`}`;
  return fail({ ...failed, message: `The command \`${argv[0]}\` on ${host.name} ${how}.` });
}

async function take(context: PhaseContext): Promise<RestorePointOf<'command'>> {
  const { record, clock } = context;
  const database = requireDatabase(context);
  const command = commandOf(context);
  const before = propertiesBefore(context);
  const mark = markOf(record.status.windowId);
  const begun = clock.monotonicSeconds();
  await runStep(context, phase, {
    id: 'mark-database',
    title: 'Mark the database for the moment of the snapshot',
    blast: 'app',
    observe: () => Promise.resolve(undefined),
    perform: async () => {
      await database.applyProperties(database.name, { ...before, comment: mark });
      return { mark };
    },
    describe: () => `its comment is ${JSON.stringify(mark)} until the snapshot is taken`,
  });
  let reference: string;
  try {
    if (command.quiesce) {
      await seal(context, phase);
      await database.checkpoint();
    }
    ({ reference } = await runStep(context, phase, {
      id: 'take-snapshot',
      title: 'Take a snapshot by your command',
      blast: 'app',
      perform: async () => ({ reference: await takeSnapshot(context, command) }),
      describe: (taken) => `its reference is ${taken.reference}`,
    }));
  } catch (error) {
    await unmark(context, phase).catch((second: unknown) => {
      // `rollback` does it then.
      context.progress.warning(`The mark is still on the database: ${failureOf(second).message}`);
    });
    throw error;
  }
  const point: RestorePointOf<'command'> = {
    kind: 'command',
    takenAt: clock.now().toISOString(),
    seconds: clock.monotonicSeconds() - begun,
    reference,
    mark,
  };
  await record.update({ restorePoint: point });
  await unseal(context, phase, true);
  return point;
}

async function takeSnapshot(context: PhaseContext, command: RestorePointCommand): Promise<string> {
  const state = 'The site is closed; nothing of the database was changed.';
  const next = 'Mend the command, or choose another restore-point; `rollback` reopens the site.';
  const reference = await run(context, command.take, undefined, {
    code: 'snapshot-failed',
    state: `${state} Half a snapshot may be left.`,
    next,
  });
  // Control characters would break the line of a log, and names that long are a message.
  if (!/^[^\p{Cc}]+$/u.test(reference) || reference.length > longestReference) {
    fail({
      code: 'snapshot-unnamed',
      message: `The command \`${command.take[0]}\` printed no reference on its last line (1 to ${longestReference} characters), so nobody could go back to its snapshot.`,
      state: `${state} A snapshot may be left.`,
      next,
    });
  }
  return reference;
}

async function goBack(context: PhaseContext, point: RestorePointOf<'command'>): Promise<string> {
  const { progress } = context;
  const command = commandOf(context);
  const { kept } = await runStep(context, 'rollback', {
    id: 'swap-in',
    title: `Go back to the snapshot ${point.reference} by your command`,
    blast: 'data',
    observe: async () => ((await isBack(context, point)) ? { kept: '' } : undefined),
    perform: async () => {
      const said = await run(context, command.goBack, point.reference, {
        code: 'snapshot-not-restored',
        state: `The site is closed. What the command did to the server up to then is not known; the snapshot is ${point.reference}.`,
        next: 'Look whether the server runs and what its data folder holds; mend the command and run `rollback` with force.',
      });
      await waitUntilBack(context, point);
      return { kept: said };
    },
    describe: () => `the server answers, and the database has the mark of ${point.takenAt}`,
  });
  await reapplyProperties(context, 'Take the mark off and let sessions in as before');
  if (kept === '') progress.info('go-back printed no place where it keeps the failed state');
  return kept === '' ? 'nothing that go-back tells of' : kept;
}

async function isBack(
  context: PhaseContext,
  point: Pick<RestorePointOf<'command'>, 'mark'>,
): Promise<boolean> {
  const found = await requireDatabase(context)
    .properties()
    .catch(() => undefined);
  return found?.oid === propertiesBefore(context).oid && found.comment === point.mark;
}

/** A server that recovers from a snapshot of its running self takes a moment to answer. */
async function waitUntilBack(
  context: PhaseContext,
  point: RestorePointOf<'command'>,
): Promise<void> {
  const { clock } = context;
  const database = requireDatabase(context);
  const deadline = clock.monotonicSeconds() + answerSeconds;
  for (;;) {
    let problem: string;
    try {
      const { oid, comment } = await database.properties();
      if (oid === propertiesBefore(context).oid && comment === point.mark) return;
      problem =
        comment === point.mark
          ? `database ${database.name} is another one (oid ${oid})`
          : `database ${database.name} does not have the mark that it had when the snapshot was taken`;
      // It answers, so it will not become another one.
    } catch (error) {
      const { code, message } = failureOf(error);
      const isStarting = [
        'database-unreachable',
        'database-shutting-down',
        'database-connection-lost',
      ];
      problem = message;
      if (isStarting.includes(code) && clock.monotonicSeconds() < deadline) {
        await clock.wait(pollSeconds);
        continue;
      }
    }
    fail({
      code: 'snapshot-not-restored',
      message:
        `The command \`${commandOf(context).goBack[0]}\` ended with exit code 0, but the server did not go back to the snapshot ${point.reference}: ${problem}`.replace(
          /\.?$/,
          '.',
        ),
      state: 'The site is closed; the database is not proved to be at the restore point.',
      next: 'Go back to the snapshot by hand, then run `rollback` with force: it proves it by the mark.',
    });
  }
}
