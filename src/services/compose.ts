import { createHash } from 'node:crypto';
import * as z from 'zod';
import { fail } from '../ports/failure.ts';
import type { Command, Host } from '../ports/host.ts';
import type { Service, ServiceState } from '../ports/services.ts';
import { describePrior } from './systemd.ts';
import { ask, logLines, toolFailed } from './tool.ts';

export interface ComposeOptions {
  readonly service: string;
  /** Folder of the project. */
  readonly directory: string;
  readonly file?: string | undefined;
  readonly project?: string | undefined;
}

/** What `docker container inspect` says of a container, as far as we read it. */
const containerSchema = z.object({
  Id: z.string(),
  RestartCount: z.number().prefault(0),
  State: z.object({
    Status: z.string(),
    ExitCode: z.number().prefault(0),
    OOMKilled: z.boolean().prefault(false),
    StartedAt: z.string().prefault(''),
    Health: z.object({ Status: z.string() }).nullish(),
  }),
});
export type Container = z.output<typeof containerSchema>;

/** A service of a Docker Compose project: its containers are stopped and started, never removed. */
export function composeService(host: Host, options: ComposeOptions): Service {
  const { service, directory, file, project } = options;
  let program: readonly [string, ...string[]] | undefined;
  const compose = async (...args: readonly string[]): Promise<Command> => {
    program ??= await composeProgram(host);
    return {
      argv: [
        ...program,
        ...(file === undefined ? [] : ['-f', file]),
        ...(project === undefined ? [] : ['-p', project]),
        ...args,
      ],
      workingDirectory: directory,
    };
  };
  const containers = async (): Promise<readonly Container[] | undefined> => {
    const command = await compose('ps', '--all', '--quiet', service);
    const result = await host.run({ ...command, timeoutSeconds: 30 });
    if (result.exitCode !== 0) {
      return /no such service/i.test(result.stderr)
        ? undefined
        : toolFailed(host, command, result, `look at ${service}`);
    }
    const ids = result.stdout.split(/\s+/).filter((id) => id !== '');
    return ids.length === 0 ? [] : inspect(host, ids);
  };
  const onContainers = async (
    args: readonly string[],
    wanted: (container: Container) => boolean,
    seconds: number,
  ): Promise<void> => {
    const ids = ((await containers()) ?? []).filter(wanted).map(({ Id }) => Id);
    if (ids.length === 0) return;
    const command: Command = { argv: ['docker', ...args, ...ids], timeoutSeconds: seconds };
    const result = await host.run(command);
    if (result.exitCode === 0 || result.timedOut) return;
    toolFailed(host, command, result, `${args[0] ?? ''} ${service}`);
  };
  const state = async (): Promise<ServiceState> => composeState(service, await containers());
  return {
    host: host.name,
    title: `compose service ${service}`,
    check: async () => {
      const found = await state();
      return found.kind === 'missing'
        ? {
            verdict: 'failed',
            value: found.detail,
            next: `Correct the name of the service ${service}, or the folder and file of its project.`,
          }
        : found.kind === 'failed'
          ? {
              verdict: 'warning',
              value: describePrior(found),
              next: `Mend ${service} first, or take it out.`,
            }
          : { verdict: 'passed', value: describePrior(found) };
    },
    state,
    // Minus one: the daemon waits and never kills by itself (docker stop --timeout, Docker's reference). `compose stop`
    // would kill at the end of its timeout.
    stop: (seconds) => onContainers(['stop', '-t', '-1'], isUp, seconds),
    kill: () => onContainers(['kill'], isUp, 30),
    start: async (mark, seconds) => {
      const marked = (mark ?? '').split(' ').filter((id) => id !== '');
      const there = (await containers()) ?? [];
      const ours = marked.every((id) => there.some(({ Id }) => Id === id));
      if (marked.length > 0 && ours) {
        await onContainers(['start'], ({ Id }) => marked.includes(Id), seconds);
        return;
      }
      // Created anew meanwhile, by a deployment: then the service as a whole.
      const command = { ...(await compose('start', service)), timeoutSeconds: seconds };
      const result = await host.run(command);
      if (result.exitCode !== 0 && !result.timedOut)
        toolFailed(host, command, result, `start ${service}`);
    },
    log: async () => {
      const command = await compose('logs', '--no-color', '--tail', '10', service);
      const result = await host.run({ ...command, timeoutSeconds: 10 });
      return result.exitCode === 0 ? logLines(result.stdout) : [];
    },
  };
}

function isUp({ State }: Container): boolean {
  return ['running', 'restarting', 'paused'].includes(State.Status);
}

/** What the containers of a service make together. */
export function composeState(
  service: string,
  containers: readonly Container[] | undefined,
): ServiceState {
  if (containers === undefined) {
    return { kind: 'missing', detail: `the compose file has no service ${service}` };
  }
  const by = (status: string) => containers.filter(({ State }) => State.Status === status);
  const up = by('running');
  const restarting = by('restarting');
  const paused = by('paused');
  if (restarting.length > 0) {
    return { kind: 'failed', detail: 'a container ended and is started again and again' };
  }
  if (paused.length > 0) return { kind: 'failed', detail: 'a container is paused (docker pause)' };
  if (up.length > 0) {
    if (up.some(({ State }) => State.Health?.Status === 'starting')) {
      return { kind: 'changing', detail: 'a container is not healthy yet' };
    }
    const unwell = up.some(({ State }) => State.Health?.Status === 'unhealthy')
      ? ', unhealthy'
      : '';
    const runs = up.map((each) => `${each.Id} ${each.State.StartedAt} ${each.RestartCount}`).sort();
    return {
      kind: 'running',
      detail: `${up.length} of ${containers.length} containers run${unwell}`,
      run: createHash('sha256').update(runs.join('\n')).digest('hex'),
      mark: up
        .map(({ Id }) => Id)
        .sort()
        .join(' '),
    };
  }
  const [first] = containers;
  if (first === undefined) return { kind: 'stopped', detail: 'it has no container' };
  const codes = [...new Set(containers.map(({ State }) => State.ExitCode))];
  // 128 + SIGKILL.
  const killed = containers.some(({ State }) => State.OOMKilled || State.ExitCode === 137);
  return {
    kind: 'stopped',
    detail: `${containers.length} containers ended with exit code ${codes.join(', ')}`,
    ...(killed ? { killed } : {}),
  };
}

async function inspect(host: Host, ids: readonly string[]): Promise<readonly Container[]> {
  const command: Command = { argv: ['docker', 'container', 'inspect', ...ids] };
  const { stdout } = await ask(host, command, 'look at the containers');
  const parsed = z.array(containerSchema).safeParse(jsonOf(stdout));
  if (parsed.success) return parsed.data;
  return fail({
    code: 'service-tool-failed',
    message: `On ${host.name}, \`docker container inspect\` printed what is not understood.`,
    state: 'The service is as it was.',
    next: 'Run `docker container inspect` on the host, and compare its version with Docker 20.10 or newer.',
  });
}

async function composeProgram(host: Host): Promise<readonly [string, ...string[]]> {
  for (const argv of [['docker', 'compose'], ['docker-compose']] as const) {
    const result = await host.run({ argv: [...argv, 'version'], timeoutSeconds: 30 });
    if (result.exitCode === 0) return argv;
  }
  return fail({
    code: 'service-tool-failed',
    message: `On ${host.name} there is neither \`docker compose\` nor \`docker-compose\`.`,
    state: 'Nothing was touched.',
    next: 'Install the Compose plugin on the host, or correct the hosts (`on`) of the service.',
  });
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
