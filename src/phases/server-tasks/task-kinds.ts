import type { PhaseContext } from '../phase.ts';
import { cleanUp, previewCleanUp } from './clean-up.ts';
import { previewCommand, runCommand } from './command.ts';
import { previewPackages, updatePackages } from './packages.ts';
import type { PlannedServerTask } from './planned-tasks.ts';
import { needlessReboot, previewReboot, rebootHost, refuseReboot } from './reboot.ts';
import { needlessRenewal, previewCertificates, renewCertificates } from './renew-certificates.ts';
import { previewRotation, rotateLogs } from './rotate-logs.ts';
import {
  nothingToDo,
  type LookContext,
  type Preview,
  type ServerTaskResult,
  type TaskPlace,
} from './server-task.ts';

/** What the task would do on a host; touches nothing. */
export function previewTask(
  context: LookContext,
  place: TaskPlace,
  { settings }: PlannedServerTask,
): Promise<Preview> {
  switch (settings.task) {
    case 'packages':
      return previewPackages(context, place, settings);
    case 'reboot':
      return previewReboot(context, place, settings);
    case 'clean-up':
      return previewCleanUp(context, place, settings);
    case 'rotate-logs':
      return previewRotation(context, place, settings);
    case 'renew-certificates':
      return previewCertificates(context, place, settings);
    case 'command':
      return previewCommand(context, place, settings);
  }
}

/** Refusals that must come before any task of the stage has touched anything. */
export async function refuseTask(
  context: PhaseContext,
  place: TaskPlace,
  { settings }: PlannedServerTask,
): Promise<void> {
  if (settings.task === 'reboot') await refuseReboot(context, place, settings);
}

/** What the task leaves alone because nothing has to be done; `undefined` when it must run to know. */
export async function needlessTask(
  context: PhaseContext,
  place: TaskPlace,
  { settings }: PlannedServerTask,
): Promise<ServerTaskResult | undefined> {
  if (settings.task === 'renew-certificates') return needlessRenewal(context, place, settings);
  if (settings.task !== 'reboot') return undefined;
  // A reboot that was ordered already has made itself needless; it is still to be proved.
  if (context.record.status.rebootsBegun?.[place.step] !== undefined) return undefined;
  const reason = await needlessReboot(place, settings);
  return reason === undefined ? undefined : nothingToDo(reason);
}

/** Does the task on a host, and proves it. */
export function performTask(
  context: PhaseContext,
  place: TaskPlace,
  { settings }: PlannedServerTask,
  wasKilled: boolean,
): Promise<ServerTaskResult> {
  switch (settings.task) {
    case 'packages':
      return updatePackages(context, place, settings, wasKilled);
    case 'reboot':
      return rebootHost(context, place, settings);
    case 'clean-up':
      return cleanUp(context, place, settings);
    case 'rotate-logs':
      return rotateLogs(context, place, settings);
    case 'renew-certificates':
      return renewCertificates(context, place, settings);
    case 'command':
      return runCommand(context, place, settings);
  }
}

/** What the task is called in journal and report. */
export function titleOfTask({ id, settings }: PlannedServerTask, host: string): string {
  switch (settings.task) {
    case 'packages':
      return `Install ${settings.upgrade === 'security' ? 'security updates' : 'all updates'} on ${host}`;
    case 'reboot':
      return `Reboot ${host}`;
    case 'clean-up':
      return `Free disk space on ${host}`;
    case 'rotate-logs':
      return `Rotate logs on ${host}`;
    case 'renew-certificates':
      return `Renew certificates on ${host}`;
    case 'command':
      return `Run ${id} on ${host}`;
  }
}
