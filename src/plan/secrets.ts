import { fail } from '../ports/failure.ts';
import type { Plan } from './plan.ts';

/** Every reference to a secret in a plan: the setting's path and the name of the environment variable. */
export function secretReferences(
  plan: Plan,
): readonly { readonly path: string; readonly variable: string }[] {
  const references: { path: string; variable: string }[] = [];
  const add = (path: string, reference: string | undefined): void => {
    if (reference !== undefined) references.push({ path, variable: reference.slice(1) });
  };
  add('ssh.private-key', plan.ssh.privateKey);
  add('database.url', plan.database.url);
  add('backup-db.scratch-url', plan.backupDb.scratchUrl);
  add('standby.url', plan.standby.url);
  add('enable-maintenance.bypass-token', plan.enableMaintenance.bypassToken);
  for (const name of commandVariables(plan)) {
    add('enable-maintenance.command-environment', `$${name}`);
  }
  for (const [index, task] of plan.runDbMaintenance.tasks.entries()) {
    if (task.task !== 'migrate') continue;
    for (const name of task.environment ?? []) {
      add(`run-db-maintenance.tasks.${index}.environment`, `$${name}`);
    }
  }
  for (const [index, task] of plan.updateServer.tasks.entries()) {
    if (task.task !== 'command') continue;
    for (const name of task.environment) {
      add(`update-server.tasks.${index}.environment`, `$${name}`);
    }
  }
  return references;
}

/** Variables for the commands of the modes that run some. */
function commandVariables({ enableMaintenance }: Plan): readonly string[] {
  const { mode, commandEnvironment } = enableMaintenance;
  return mode === 'nginx' ? [] : commandEnvironment;
}

/** The secrets of a plan, taken from the environment once, before anything is touched. */
export interface Secrets {
  readonly sshPrivateKey: string | undefined;
  readonly databaseUrl: string | undefined;
  /** Of the server that restore tests run on, where it is another one. */
  readonly scratchUrl: string | undefined;
  readonly standbyUrl?: string | undefined;
  readonly bypassToken: string | undefined;
  /** What the commands of the maintenance mode get, by name. */
  readonly commandEnvironment: Readonly<Record<string, string>>;
}

/**
 * The key for SSH alone: the host must be reached before the rest of the plan is known.
 * @throws FailureError `secret-missing`
 */
export function sshPrivateKey(
  plan: Pick<Plan, 'ssh'>,
  environment: Readonly<Record<string, string | undefined>>,
): string | undefined {
  const { privateKey } = plan.ssh;
  if (privateKey === undefined) return undefined;
  const variable = privateKey.slice(1);
  const key = environment[variable] ?? '';
  return key === '' ? refuseMissing([{ path: 'ssh.private-key', variable }]) : key;
}

/**
 * Looks the secrets up.
 * @throws FailureError `secret-missing` naming every variable that is not set, `secret-unfit` for a token that
 * could not be quoted safely everywhere
 */
export function resolveSecrets(
  plan: Plan,
  environment: Readonly<Record<string, string | undefined>>,
): Secrets {
  const missing = secretReferences(plan).filter(
    ({ variable }) => (environment[variable] ?? '') === '',
  );
  if (missing.length > 0) refuseMissing(missing);
  const look = (reference: string | undefined): string | undefined =>
    reference === undefined ? undefined : environment[reference.slice(1)];
  const bypassToken = look(plan.enableMaintenance.bypassToken);
  if (bypassToken !== undefined && !/^[A-Za-z0-9._~-]{16,}$/.test(bypassToken)) {
    fail({
      code: 'secret-unfit',
      message:
        'The bypass token (enable-maintenance.bypass-token) is not fit for a header and a cookie.',
      state: 'Nothing was touched.',
      next: 'Use 16 or more letters, digits and `._~-`, for instance from `openssl rand -hex 24`.',
    });
  }
  return {
    sshPrivateKey: sshPrivateKey(plan, environment),
    databaseUrl: look(plan.database.url),
    scratchUrl: look(plan.backupDb.scratchUrl),
    standbyUrl: look(plan.standby.url),
    bypassToken,
    commandEnvironment: Object.fromEntries(
      commandVariables(plan).map((name) => [name, environment[name] ?? '']),
    ),
  };
}

function refuseMissing(
  missing: readonly { readonly path: string; readonly variable: string }[],
): never {
  const names = missing.map(({ path, variable }) => `${variable} (${path})`).join(', ');
  return fail({
    code: 'secret-missing',
    message: `The environment does not have ${names}.`,
    state: 'Nothing was touched.',
    next: "Set it in the step's `env:` from a secret, for instance `DATABASE_URL: ${{ secrets.DATABASE_URL }}`.",
  });
}
