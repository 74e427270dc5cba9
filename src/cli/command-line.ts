import { userInfo } from 'node:os';
import { actions, postActions } from '../actions/catalogue.ts';
import type { Surroundings } from '../assembly/surroundings.ts';
import type { ActionResult } from '../assembly/window-session.ts';
import type { PhaseOutcome } from '../phases/phase.ts';
import type { ActionId } from '../plan/action-ids.ts';
import { cancellation } from '../runner/cancellation.ts';
import { describeFailure } from '../runner/failure-text.ts';
import { flagsOf, readFlags } from './flags.ts';
import { terminalProgress } from './terminal-progress.ts';
import { windowStatus } from './window-status.ts';

interface Command {
  /** Whose inputs are its flags. */
  readonly id: ActionId;
  readonly description: string;
  readonly run: (surroundings: Surroundings) => Promise<ActionResult>;
}

const commands: Readonly<Record<string, Command>> = {
  run: {
    id: 'maintenance-window',
    description:
      'Runs a whole window: preflight, backup, 503, tasks, smoke tests, reopening or rollback, report.',
    run: runWhole,
  },
  status: {
    id: 'report',
    description: 'Tells where the window stands and what is left to do.',
    run: windowStatus,
  },
  rollback: {
    id: 'rollback',
    description: 'Makes the system safe from the record alone.',
    run: actions.rollback,
  },
  report: {
    id: 'report',
    description: 'Writes the report and closes the books.',
    run: actions.report,
  },
};

/**
 * The command line, for rehearsals and for the night when GitHub is down.
 * @returns the exit code: 0 done or nothing to do, 1 failed, 2 wrong usage
 */
export async function runCommandLine(argv: readonly string[]): Promise<number> {
  const [name = '', ...args] = argv;
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (command === undefined) {
    const asked = ['', 'help', '--help', '-h'].includes(name);
    (asked ? process.stdout : process.stderr).write(usage(asked ? undefined : name));
    return asked ? 0 : 2;
  }
  const flags = readFlags(command.id, args);
  if (flags.kind === 'help') {
    process.stdout.write(help(name, command));
    return 0;
  }
  if (flags.kind === 'wrong') {
    process.stderr.write(`maintenance-window ${name}: ${flags.message}\n`);
    return 2;
  }
  const { signal, release } = cancellation();
  try {
    return show(await command.run(surroundingsOf(flags.inputs, signal)));
  } finally {
    release();
  }
}

/** A window and what follows it in any case, as the root action's step and post step. */
async function runWhole(surroundings: Surroundings): Promise<ActionResult> {
  const result = await actions['maintenance-window'](surroundings);
  const windowId = result.outputs['window-id'];
  const post = postActions['maintenance-window'];
  // Refused before a record was opened: nothing to make safe, nothing to report.
  if (windowId === undefined || post === undefined) {
    if (result.summary !== undefined) process.stdout.write(`\n${result.summary}\n\n`);
    return result;
  }
  const after = await post({
    ...surroundings,
    // The window may have been cancelled; making it safe must not be.
    signal: new AbortController().signal,
  });
  return {
    outcome: together(result.outcome, after.outcome),
    outputs: { ...result.outputs, ...after.outputs },
  };
}

/** A window and what followed it: a failure stays one, told with how things stand after it was made safe. */
function together(window: PhaseOutcome, after: PhaseOutcome): PhaseOutcome {
  if (window.kind !== 'failed') return after;
  if (window.failure.code !== 'cancelled' || after.kind === 'failed') return window;
  return {
    ...window,
    failure: {
      ...window.failure,
      state: 'What the window had begun was taken back; the report tells how.',
      next: 'Start a new window when you are ready.',
    },
  };
}

function surroundingsOf(
  inputs: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Surroundings {
  const { username } = userInfo();
  return {
    inputs,
    environment: process.env,
    workspace: process.cwd(),
    run: {
      id: `cli-${username}-${Date.now().toString(36)}-${process.pid}`,
      attempt: 1,
      actor: username,
    },
    progress: terminalProgress(
      (text) => process.stdout.write(text),
      () => new Date(),
    ),
    signal,
    // A terminal has no log to mask; nothing prints secrets.
    mask: () => undefined,
    github: undefined,
  };
}

function show({ outcome, outputs }: ActionResult): number {
  const shown = Object.entries(outputs).filter(([name]) => name !== 'record');
  for (const [name, value] of shown) process.stdout.write(`${name}: ${value}\n`);
  switch (outcome.kind) {
    case 'done':
      process.stdout.write(`Done: ${outcome.detail}\n`);
      return 0;
    case 'skipped':
      process.stdout.write(`Nothing to do: ${outcome.reason}\n`);
      return 0;
    case 'failed':
      process.stderr.write(
        `Failed (${outcome.failure.code}): ${describeFailure(outcome.failure)}\n`,
      );
      return 1;
  }
}

function usage(unknown: string | undefined): string {
  const head = unknown === undefined ? '' : `There is no command "${unknown}".\n\n`;
  const list = Object.entries(commands).map(
    ([name, { description }]) => `  ${name.padEnd(10)} ${description}`,
  );
  return `${head}Usage: maintenance-window COMMAND --plan FILE [flags]\n\n${list.join('\n')}\n\nmaintenance-window COMMAND --help lists the flags.\n`;
}

function help(name: string, command: Command): string {
  const flags = flagsOf(command.id).map(
    (flag) => `  --${flag.name}${flag.takesValue ? ' VALUE' : ''}\n      ${flag.description}`,
  );
  return `maintenance-window ${name}: ${command.description}\n\n${flags.join('\n')}\n`;
}
