import { formatDuration } from '../plan/duration.ts';
import type { Command, Host } from '../ports/host.ts';
import type { Service, ServiceState } from '../ports/services.ts';
import { parseTimeSpan } from './time-span.ts';
import { ask, logLines, toolFailed } from './tool.ts';

export interface UnitOptions {
  /** Name with its suffix. */
  readonly unit: string;
  readonly scope: 'system' | 'user';
  readonly drainSeconds: number;
}

/** What `systemctl show` says of a unit, by property (org.freedesktop.systemd1(5)). */
export type UnitProperties = Readonly<Record<string, string | undefined>>;

const properties = [
  'LoadState',
  'ActiveState',
  'SubState',
  'Result',
  'MainPID',
  'NRestarts',
  'InvocationID',
  'Type',
  'RemainAfterExit',
  'TimeoutStopUSec',
  'CanStart',
  'CanStop',
  'Triggers',
];

/** A unit of systemd: service, timer, socket, path or target. Whether it is enabled or masked is not touched. */
export function systemdUnit(host: Host, options: UnitOptions): Service {
  const { unit, scope } = options;
  const systemctl = async (...args: readonly string[]): Promise<Command> => ({
    argv: [
      'systemctl',
      ...(scope === 'user' ? ['--user'] : []),
      // Without it, a user that is not root could be asked for a password that nobody types.
      '--no-ask-password',
      ...args,
    ],
    ...(scope === 'user' ? { env: await userEnvironment(host) } : {}),
  });
  const show = async (name: string): Promise<UnitProperties> => {
    const command = await systemctl('show', name, `--property=${properties.join(',')}`);
    return parseProperties((await ask(host, command, `look at ${name}`)).stdout);
  };
  const act = async (verb: string, seconds: number, ...more: readonly string[]): Promise<void> => {
    const command = { ...(await systemctl(verb, ...more, unit)), timeoutSeconds: seconds };
    const result = await host.run(command);
    // What takes longer goes on without us; whether it is over is looked at.
    if (result.exitCode === 0 || result.timedOut) return;
    toolFailed(host, command, result, `${verb} ${unit}`);
  };
  const state = async (): Promise<ServiceState> => {
    const found = await show(unit);
    const own = unitState(found);
    if (own.kind !== 'stopped' || !unit.endsWith('.timer')) return own;
    // A stopped timer begins nothing more; what it has begun is let finish.
    for (const name of (found.Triggers ?? '').split(' ').filter((each) => each !== '')) {
      const triggered = await show(name);
      if (triggered.Type === 'oneshot' && triggered.ActiveState === 'activating') {
        return { kind: 'changing', detail: `${name}, which it began, is still at work` };
      }
    }
    return own;
  };
  return {
    host: host.name,
    title: `unit ${unit}`,
    check: async () =>
      judgeUnit(await show(unit), options, {
        mayManage: scope === 'user' || (await userId(host)) === '0',
        host: host.name,
      }),
    state,
    stop: (seconds) => act('stop', seconds),
    kill: () => act('kill', 30, '--kill-whom=all', '--signal=SIGKILL'),
    start: async (_mark, seconds) => {
      // Earlier starts of it, ours or its own, must not count against this one (StartLimitBurst in systemd.unit(5)). It
      // may be refused, for a unit that is not loaded: then nothing counts.
      await host.run({ ...(await systemctl('reset-failed', unit)), timeoutSeconds: 30 });
      await act('start', seconds);
    },
    log: async () => {
      const field = scope === 'user' ? '--user-unit' : '--unit';
      const result = await host.run({
        argv: ['journalctl', `${field}=${unit}`, '--lines=10', '--no-pager', '--quiet'],
        timeoutSeconds: 10,
      });
      return result.exitCode === 0 ? logLines(result.stdout) : [];
    },
  };
}

/** Reads `Key=value` lines. */
export function parseProperties(text: string): UnitProperties {
  return Object.fromEntries(
    text.split('\n').flatMap((line) => {
      const at = line.indexOf('=');
      return at < 1 ? [] : [[line.slice(0, at), line.slice(at + 1)]];
    }),
  );
}

/** What the properties of a unit mean. */
export function unitState(found: UnitProperties): ServiceState {
  const { LoadState, ActiveState = 'unknown', SubState = '', Result = '' } = found;
  const detail = `${ActiveState} (${SubState})`;
  if (LoadState === 'not-found') return { kind: 'missing', detail: 'systemd knows no such unit' };
  const killed = Result === 'timeout' || Result === 'signal';
  switch (ActiveState) {
    case 'active':
    case 'reloading':
    case 'refreshing':
      return {
        kind: 'running',
        detail:
          found.MainPID === undefined || found.MainPID === '0'
            ? detail
            : `${detail}, process ${found.MainPID}`,
        run: `${found.InvocationID ?? ''}/${found.NRestarts ?? '0'}`,
      };
    case 'activating':
      return SubState.startsWith('auto-restart')
        ? { kind: 'failed', detail: `${detail}: it ended and is started again and again` }
        : { kind: 'changing', detail };
    case 'deactivating':
      return { kind: 'changing', detail };
    case 'inactive':
      return {
        kind: 'stopped',
        detail: LoadState === 'masked' ? `${detail}, masked` : detail,
        ...(killed ? { killed } : {}),
      };
    case 'failed':
      return {
        kind: 'failed',
        detail: `${detail}, ${Result === 'timeout' ? 'ended by force: TimeoutStopSec was over' : `result ${Result}`}`,
        ...(killed ? { killed } : {}),
      };
    default:
      return { kind: 'changing', detail };
  }
}

/** Whether a unit can be stopped and started by us. */
export function judgeUnit(
  found: UnitProperties,
  { unit, drainSeconds }: UnitOptions,
  { mayManage, host }: { readonly mayManage: boolean; readonly host: string },
): Awaited<ReturnType<Service['check']>> {
  const state = unitState(found);
  const value = describePrior(state);
  if (state.kind === 'missing') {
    return {
      verdict: 'failed',
      value: state.detail,
      next: `Correct the name of ${unit}, or the hosts (\`on\`) that have it.`,
    };
  }
  if (found.Type === 'oneshot' && found.RemainAfterExit !== 'yes') {
    return {
      verdict: 'failed',
      value: 'it runs once and ends by itself (Type=oneshot)',
      next: `Name the timer that starts ${unit}: it is paused, and a job under way is let finish.`,
    };
  }
  if (found.CanStop === 'no' || found.CanStart === 'no') {
    return {
      verdict: 'failed',
      value: 'it refuses to be stopped or started by hand',
      next: `Take ${unit} out of the services, or RefuseManualStart and RefuseManualStop out of the unit.`,
    };
  }
  const patience = parseTimeSpan(found.TimeoutStopUSec ?? '');
  if (unit.endsWith('.service') && patience !== undefined && patience < drainSeconds) {
    return {
      verdict: 'warning',
      value: `${value}; systemd ends it by force after ${formatDuration(patience)} (TimeoutStopSec)`,
      next: `Raise TimeoutStopSec of ${unit} to its drain of ${formatDuration(drainSeconds)}, or lower the drain.`,
    };
  }
  if (!mayManage) {
    return {
      verdict: 'warning',
      value: `${value}; our user is not root`,
      next: `Give \`sudo: true\`, unless polkit on ${host} lets this user manage ${unit}.`,
    };
  }
  return state.kind === 'failed'
    ? { verdict: 'warning', value, next: `Mend ${unit} first, or take it out of the services.` }
    : { verdict: 'passed', value };
}

/** What will be done to a service that is found so. */
export function describePrior(state: ServiceState): string {
  return state.kind === 'running' || state.kind === 'changing'
    ? `${state.detail}; it is stopped while the site is closed`
    : `${state.detail}; it is left so`;
}

async function userId(host: Host): Promise<string> {
  return (await ask(host, { argv: ['id', '-u'] }, 'tell our user')).stdout.trim();
}

/** Where a user's own manager listens (pam_systemd(8)); a shell without login does not have it. */
async function userEnvironment(host: Host): Promise<Record<string, string>> {
  return { XDG_RUNTIME_DIR: `/run/user/${await userId(host)}` };
}
