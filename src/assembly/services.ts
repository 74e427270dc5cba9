import { posix } from 'node:path';
import { selectedHosts } from '../phases/selected-hosts.ts';
import type { Plan } from '../plan/plan.ts';
import type { PredictableStep } from '../plan/prediction.ts';
import type { ServiceSettings } from '../plan/settings/services.ts';
import type { Host } from '../ports/host.ts';
import type { ManagedService, ResumeMoment, Service } from '../ports/services.ts';
import { placeOf } from '../record/window-record.ts';
import { commandService } from '../services/command.ts';
import { composeService } from '../services/compose.ts';
import { cronFile } from '../services/cron-file.ts';
import { userCrontab } from '../services/crontab.ts';
import { systemdUnit } from '../services/systemd.ts';
import type { World } from './world.ts';

/**
 * The services of the plan with their adapters, in the order of their stop.
 * @throws FailureError `host-not-in-plan`
 */
export function servicesOf(
  plan: Plan,
  world: Pick<World, 'fleet'>,
  windowId: string,
): readonly ManagedService[] {
  const folder = posix.join(placeOf(plan.stateDir, plan.name ?? '').folder, 'services');
  return plan.enableMaintenance.services.map((settings) => ({
    id: settings.id,
    kind: settings.kind,
    drainSeconds: settings.drain,
    startSeconds: settings.startTimeout,
    settleSeconds: settings.settle,
    mayKill: 'kill' in settings && settings.kill,
    beforeDrain: settings.beforeDrain ?? isByClock(settings),
    resume: settings.resume ?? defaultResume(settings),
    on: selectedHosts(world.fleet, settings.on).map((host) =>
      serviceOn(host, settings, { windowId, folder }),
    ),
  }));
}

/** What the services add to the time for which the site is closed. */
export function predictableServiceSteps(
  plan: Plan,
  what: 'stop' | 'start',
): readonly PredictableStep[] {
  const step = (phase: string, id: string): PredictableStep => ({
    phase,
    step: id,
    closed: true,
    work: 'moment',
  });
  const { services } = plan.enableMaintenance;
  if (what === 'stop') return services.map(({ id }) => step('enable-maintenance', `stop-${id}`));
  const behindTheDoor = services
    .filter((settings) => (settings.resume ?? defaultResume(settings)) === 'before-tests')
    .toReversed();
  if (behindTheDoor.length === 0) return [];
  // Whoever comes first starts them.
  const phase = plan.smokeTest.checks.length > 0 ? 'smoke-test' : 'disable-maintenance';
  return [
    ...behindTheDoor.map(({ id }) => step(phase, `start-${id}`)),
    step(phase, 'services-up-before-tests'),
  ];
}

function defaultResume(settings: ServiceSettings): ResumeMoment {
  return isByClock(settings) ? 'when-open' : 'before-tests';
}

/** Whether it begins work by the clock: such work ends first and begins last, when people are served again. */
function isByClock(settings: ServiceSettings): boolean {
  return settings.kind === 'cron' || (settings.kind === 'unit' && settings.unit.endsWith('.timer'));
}

function serviceOn(
  host: Host,
  settings: ServiceSettings,
  window: { readonly windowId: string; readonly folder: string },
): Service {
  switch (settings.kind) {
    case 'unit':
      return systemdUnit(host, { ...settings, drainSeconds: settings.drain });
    case 'compose':
      return composeService(host, settings);
    case 'command':
      return commandService(host, settings);
    case 'cron':
      return settings.file === undefined
        ? userCrontab(host, { user: settings.user ?? '', ...window })
        : cronFile(host, { file: settings.file, windowId: window.windowId });
  }
}
