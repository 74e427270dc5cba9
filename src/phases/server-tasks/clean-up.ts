import { posix } from 'node:path';
import { formatBytes } from '../../plan/bytes.ts';
import { formatDuration } from '../../plan/duration.ts';
import type { Plan } from '../../plan/plan.ts';
import type { ServerTaskOf } from '../../plan/settings/update-server.ts';
import { fail } from '../../ports/failure.ts';
import type { Host } from '../../ports/host.ts';
import type { OldFiles } from '../../ports/server.ts';
import type { RecordedServerTask } from '../../record/status.ts';
import type { PhaseContext } from '../phase.ts';
import { cleanUpObstacle } from './clean-up-folders.ts';
import {
  nothingToDo,
  type LookContext,
  type Preview,
  type ServerTaskResult,
  type TaskPlace,
} from './server-task.ts';

type CleanUp = ServerTaskOf<'clean-up'>;

/** Files of a folder that are shown before they go; there may be many thousands. */
const shownFiles = 20;
const packageWork = { lockTimeoutSeconds: 300, timeoutSeconds: 900 };

export async function previewCleanUp(
  context: LookContext,
  { host, server }: TaskPlace,
  task: CleanUp,
): Promise<Preview> {
  const lines: string[] = [];
  let bytes = 0;
  for (const files of await allowedFolders(context, { host, server }, task)) {
    const found = await server.findOldFiles(files);
    bytes += found.bytes;
    lines.push(`${filesText(found.paths.length, found.bytes)} below ${files.folder}`);
    lines.push(...found.paths.slice(0, shownFiles));
    if (found.paths.length > shownFiles) {
      lines.push(`… and ${found.paths.length - shownFiles} more`);
    }
  }
  if (task.oldKernels) {
    const kernels = await server.packages.removable('old-kernels');
    lines.push(`packages of old kernels: ${kernels.length === 0 ? 'none' : kernels.join(', ')}`);
  }
  if (task.journal !== undefined) {
    lines.push(
      `systemd's journal, ${formatBytes(await server.journalBytes())}, is shortened to ${keptJournal(task.journal)}`,
    );
  }
  if (task.packageCache) {
    const cached = await server.packages.cacheBytes();
    bytes += cached;
    lines.push(`downloaded packages: ${formatBytes(cached)}`);
  }
  if (task.docker.length > 0) {
    await refuseDocker({ host, server }, task);
    lines.push(`Docker prunes ${task.docker.join(', ')}`);
  }
  return { summary: `frees at least ${formatBytes(bytes)}`, lines };
}

/** Frees disk space; each part is proved by looking again. */
export async function cleanUp(
  context: PhaseContext,
  { host, server }: TaskPlace,
  task: CleanUp,
): Promise<ServerTaskResult> {
  const items: RecordedServerTask['items'] = [];
  const did: string[] = [];
  let freed = 0;
  let removed = 0;
  const folders = await allowedFolders(context, { host, server }, task);
  if (task.docker.length > 0) await refuseDocker({ host, server }, task);
  for (const files of folders) {
    const { paths, bytes } = await server.removeOldFiles(files);
    freed += bytes;
    removed += paths.length;
    const text = filesText(paths.length, bytes);
    items.push({ name: files.folder, before: text, after: '0 files' });
    if (paths.length > 0) did.push(`${text} below ${files.folder}`);
  }
  if (task.oldKernels) {
    const names = await server.packages.removable('old-kernels');
    if (names.length > 0) await server.packages.remove(names, packageWork);
    items.push(...names.map((name) => ({ name, before: 'installed', after: null })));
    if (names.length > 0) did.push(`${names.length} packages of old kernels`);
  }
  if (task.journal !== undefined) {
    const before = await server.journalBytes();
    await server.vacuumJournal({ seconds: task.journal.keepTime, bytes: task.journal.keepSize });
    const after = await server.journalBytes();
    freed += Math.max(0, before - after);
    items.push({ name: 'journal', before: formatBytes(before), after: formatBytes(after) });
    if (after < before) did.push(`${formatBytes(before - after)} of systemd's journal`);
  }
  if (task.packageCache) {
    const before = await server.packages.cacheBytes();
    await server.packages.cleanCache(packageWork);
    const after = await server.packages.cacheBytes();
    freed += Math.max(0, before - after);
    items.push({ name: 'package cache', before: formatBytes(before), after: formatBytes(after) });
    if (after < before) did.push(`${formatBytes(before - after)} of downloaded packages`);
  }
  for (const part of task.docker) {
    const said = await server.pruneDocker(part);
    items.push({ name: `Docker ${part}`, before: `${said} unused`, after: 'pruned' });
    did.push(`${said} of Docker's ${part}, as Docker says`);
  }
  const figures = { 'freed-bytes': freed, 'removed-files': removed };
  if (did.length === 0) return { ...nothingToDo('nothing was old enough'), figures, items };
  return {
    outcome: 'done',
    summary: `removed ${did.join('; ')}`,
    proof: 'looked again: none of it is left',
    figures,
    items,
  };
}

/**
 * The folders by their real names; refused all at once, before any file is removed.
 * @throws FailureError `clean-up-refused`
 */
async function allowedFolders(
  { plan }: Pick<LookContext, 'plan'>,
  { host, server }: Pick<TaskPlace, 'host' | 'server'>,
  task: CleanUp,
): Promise<readonly OldFiles[]> {
  const own = await ownPlaces(plan, host);
  const allowed: OldFiles[] = [];
  for (const { path, olderThan, name, keepNewest } of task.folders) {
    const status = await host.status(path);
    if (status === undefined) refuse(host.name, path, 'it is not there');
    if (status.kind !== 'directory') refuse(host.name, path, 'it is no folder');
    const folder = await host.realPath(path);
    const obstacle = cleanUpObstacle(path, { own }) ?? cleanUpObstacle(folder, { own });
    if (obstacle !== undefined) refuse(host.name, path, obstacle);
    const database = await server.databaseWithin(folder);
    if (database !== undefined) refuse(host.name, path, `${database} is a database's data folder`);
    allowed.push({ folder, olderThanSeconds: olderThan, name, keepNewest });
  }
  return allowed;
}

async function ownPlaces(plan: Plan, host: Host): Promise<readonly string[]> {
  const places = [
    plan.stateDir,
    ...(plan.backupDb.directory === undefined ? [] : [plan.backupDb.directory]),
    ...plan.backupDb.copies.flatMap((copy) => ('path' in copy ? [copy.path] : [])),
    ...plan.enableMaintenance.siteFiles.map((file) => posix.dirname(file)),
  ];
  const real: string[] = [];
  for (const place of places) {
    if ((await host.status(place)) !== undefined) real.push(await host.realPath(place));
  }
  return [...new Set([...places, ...real])];
}

async function refuseDocker(
  { host, server }: Pick<TaskPlace, 'host' | 'server'>,
  task: CleanUp,
): Promise<void> {
  for (const part of task.docker) {
    const obstacle = await server.dockerObstacle(part);
    if (obstacle !== undefined) refuse(host.name, `Docker's ${part}`, obstacle);
  }
}

function refuse(host: string, what: string, why: string): never {
  return fail({
    code: 'clean-up-refused',
    message: `${what} of ${host} is not cleaned up: ${why}.`,
    state: 'Nothing was removed.',
    next: 'Correct the task in the plan: name a folder that holds nothing but what may go.',
  });
}

function keptJournal(journal: NonNullable<CleanUp['journal']>): string {
  return [
    journal.keepTime === undefined ? '' : formatDuration(journal.keepTime),
    journal.keepSize === undefined ? '' : formatBytes(journal.keepSize),
  ]
    .filter((part) => part !== '')
    .join(' and ');
}

function filesText(count: number, bytes: number): string {
  return `${count} ${count === 1 ? 'file' : 'files'}, ${formatBytes(bytes)}`;
}
