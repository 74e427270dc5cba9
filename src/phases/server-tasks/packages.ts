import { formatBytes } from '../../plan/bytes.ts';
import type { ServerTaskOf } from '../../plan/settings/update-server.ts';
import { fail, failureOf } from '../../ports/failure.ts';
import type {
  InstalledPackage,
  KeptPackage,
  PackageChange,
  PackageManager,
  PackageWork,
  UpgradePlan,
} from '../../ports/package-manager.ts';
import type { RecordedServerTask } from '../../record/status.ts';
import type { PhaseContext } from '../phase.ts';
import {
  nothingToDo,
  PartlyDoneError,
  type LookContext,
  type Preview,
  type ServerTaskResult,
  type TaskPlace,
} from './server-task.ts';

type Packages = ServerTaskOf<'packages'>;

/** Room for unpacking: packages hold about this many times what was downloaded. */
const unpackedTimes = 4;
const reserveBytes = 256 * 1024 * 1024;

/** What would be updated, by the lists at hand. */
export async function previewPackages(
  _context: LookContext,
  { host, server: { packages } }: TaskPlace,
  task: Packages,
): Promise<Preview> {
  const holder = await packages.holder();
  // What is at work now will be waited for; it is not left half-way.
  const { listsFrom } = await ready(
    packages,
    host.name,
    task.finishInterrupted || holder !== undefined,
  );
  const plan = await packages.plan(task);
  const needed = plan.downloadBytes * (1 + unpackedTimes) + reserveBytes;
  const free = await host.freeBytes('/var/cache');
  if (plan.changes.length > 0 && free < needed) {
    fail({
      code: 'packages-no-space',
      message: `${formatBytes(free)} are free on ${host.name} for updates that need about ${formatBytes(needed)}.`,
      state: 'No package was changed.',
      next: 'Free space there (task clean-up), or leave packages out with `exclude`.',
    });
  }
  const lists =
    listsFrom === undefined
      ? 'by no lists: they were never fetched'
      : `by the lists of ${listsFrom}`;
  const warnings = [
    ...(plan.kept.length === 0 ? [] : [keptSummary(plan.kept)]),
    ...(holder === undefined ? [] : [`${holder} works on packages at this moment`]),
  ];
  const nothing = `no ${task.upgrade === 'security' ? 'security update' : 'update'} is known`;
  return {
    summary: `${plan.changes.length === 0 ? nothing : `${countOf(plan)}, ${formatBytes(plan.downloadBytes)} to download`}, ${lists}; the task fetches them anew`,
    lines: [...plan.changes.map(changeText), ...plan.kept.map(keptText)],
    ...(warnings.length === 0 ? {} : { warning: warnings.join('; ') }),
  };
}

/** Updates, and proves by the list of installed packages that what was planned is there and nothing is half-way. */
export async function updatePackages(
  context: PhaseContext,
  { host, server: { packages } }: TaskPlace,
  task: Packages,
  isOurs: boolean,
): Promise<ServerTaskResult> {
  const { progress } = context;
  const work: PackageWork = {
    lockTimeoutSeconds: task.lockTimeout,
    timeoutSeconds: task.timeout,
    onLine: (line) => {
      progress.info(line);
    },
  };
  // What a killed run of this very window left half-way is ours to finish.
  const mayFinish = task.finishInterrupted || isOurs;
  await packages.settle(work);
  const { unfinished } = await ready(packages, host.name, mayFinish);
  const before = await packages.installed();
  if (unfinished.length > 0) {
    progress.info(`finishing what was left half-way: ${unfinished.join(', ')}`);
    await packages.finish(work);
  }
  await packages.refresh(work);
  const plan = await packages.plan(task);
  try {
    if (plan.changes.length > 0) await packages.upgrade(plan, work);
    if (task.autoremove) await autoremove(packages, work);
    await prove(packages, plan);
  } catch (error) {
    throw await half(packages, before, error);
  }
  const changes = changesBetween(before, await packages.installed());
  const keptWords = plan.kept.length === 0 ? '' : `; ${keptSummary(plan.kept)}`;
  if (changes.length === 0) {
    return {
      ...nothingToDo(
        `no ${task.upgrade === 'security' ? 'security update' : 'update'} to install${keptWords}`,
        'the lists of packages were fetched and hold none',
      ),
      figures: { packages: 0, ...keptFigures(plan) },
      items: plan.kept.map(keptItem),
    };
  }
  const outdated = await packages.outdatedServices();
  if (outdated.length > 0) {
    progress.warning(`${host.name}: still on replaced files: ${outdated.join(', ')}`);
  }
  const securityNames = new Set(
    plan.changes.filter(({ security }) => security).map(({ name }) => name),
  );
  const removed = changes.filter(({ to }) => to === null).length;
  const removedWords = removed === 0 ? '' : `; ${removed} removed that nothing needs any more`;
  const still = outdated.length === 0 ? '' : `; restart to take effect: ${outdated.join(', ')}`;
  return {
    outcome: 'done',
    summary: `${countOf(plan)}${removedWords}${keptWords}${still}`,
    proof: `dpkg lists every planned version, and nothing half-way`,
    figures: {
      packages: changes.length - removed,
      ...(removed === 0 ? {} : { 'removed-packages': removed }),
      'security-packages': changes.filter(({ name }) => securityNames.has(name)).length,
      'download-bytes': plan.downloadBytes,
      ...keptFigures(plan),
    },
    items: [...changes.map(itemOf), ...plan.kept.map(keptItem)],
  };
}

async function ready(
  packages: PackageManager,
  host: string,
  mayFinish: boolean,
): Promise<{ readonly unfinished: readonly string[]; readonly listsFrom: string | undefined }> {
  const { obstacle, unfinished, listsFrom } = await packages.state();
  if (obstacle !== undefined) {
    fail({
      code: 'packages-unsupported',
      message: `Packages of ${host} cannot be managed: ${obstacle}.`,
      state: 'No package was changed.',
      next: 'Mend that, take the task away, or name other hosts with `on`.',
    });
  }
  if (unfinished.length > 0 && !mayFinish) {
    fail({
      code: 'packages-interrupted',
      message: `Earlier package work on ${host} was left half-way: ${unfinished.join(', ')}.`,
      state: 'No package was changed by this.',
      next: 'Run `dpkg --configure -a` there and look at what it says, or set finish-interrupted for the task.',
    });
  }
  return { unfinished, listsFrom };
}

async function autoremove(packages: PackageManager, work: PackageWork): Promise<void> {
  const names = await packages.removable('all');
  if (names.length > 0) await packages.remove(names, work);
}

async function prove(packages: PackageManager, plan: UpgradePlan): Promise<void> {
  const { unfinished } = await packages.state();
  if (unfinished.length > 0) {
    fail({
      code: 'packages-half-way',
      message: `After the update ${unfinished.join(', ')} ${unfinished.length === 1 ? 'is' : 'are'} not wholly installed.`,
      state: 'The other updates are installed.',
      next: 'Run `dpkg --configure -a` on the host and mend what it says.',
    });
  }
  const installed = versionsOf(await packages.installed());
  const missing = plan.changes.filter(({ name, to }) => installed.get(name) !== to);
  if (missing.length > 0) {
    fail({
      code: 'packages-not-updated',
      message: `After the update these are not there: ${missing.map(({ name, to }) => `${name} ${to ?? ''} (but ${installed.get(name) ?? 'nothing'})`).join(', ')}.`,
      state: 'What else was planned is installed.',
      next: 'Look at `apt-get --simulate upgrade` on the host.',
    });
  }
}

/** A failed update, with what was changed before it failed. */
async function half(
  packages: PackageManager,
  before: readonly InstalledPackage[],
  error: unknown,
): Promise<PartlyDoneError> {
  const failure = failureOf(error);
  try {
    const changes = changesBetween(before, await packages.installed());
    const { unfinished } = await packages.state();
    const changed =
      changes.length === 0
        ? 'No package was changed'
        : `${changes.length} packages were changed: ${changes.slice(0, 10).map(changeText).join(', ')}`;
    const rest = unfinished.length === 0 ? '' : `; not wholly installed: ${unfinished.join(', ')}`;
    return new PartlyDoneError(
      { ...failure, state: `${changed}${rest}.` },
      { figures: { packages: changes.length }, items: changes.map(itemOf) },
    );
  } catch {
    return new PartlyDoneError(
      { ...failure, state: `${failure.state} What was changed could not be listed.` },
      { figures: {}, items: [] },
    );
  }
}

/** What differs between two lists of installed packages. */
export function changesBetween(
  before: readonly InstalledPackage[],
  after: readonly InstalledPackage[],
): readonly PackageChange[] {
  const [old, now] = [versionsOf(before), versionsOf(after)];
  return [...new Set([...old.keys(), ...now.keys()])]
    .toSorted()
    .map((name) => ({ name, from: old.get(name) ?? null, to: now.get(name) ?? null }))
    .filter(({ from, to }) => from !== to);
}

function versionsOf(packages: readonly InstalledPackage[]): ReadonlyMap<string, string> {
  return new Map(packages.map(({ name, version }) => [name, version]));
}

function countOf({ changes }: UpgradePlan): string {
  const security = changes.filter((change) => change.security).length;
  const updates = `${changes.length} package ${changes.length === 1 ? 'update' : 'updates'}`;
  return `${updates}, ${security} for security`;
}

function changeText({ name, from, to }: PackageChange): string {
  if (from === null) return `${name} ${to ?? ''} (new)`;
  return to === null ? `${name} ${from} (removed)` : `${name} ${from} → ${to}`;
}

function keptText({ name, from, to, why }: KeptPackage): string {
  return `${name} stays at ${from} (${to} is there): ${why}`;
}

function keptFigures({ kept }: UpgradePlan): Record<string, number> {
  return { kept: kept.length, 'kept-security': kept.filter(({ security }) => security).length };
}

function keptSummary(kept: readonly KeptPackage[]): string {
  return `not updated: ${kept.map(({ name, why }) => `${name} (${why})`).join(', ')}`;
}

function itemOf({ name, from, to }: PackageChange): RecordedServerTask['items'][number] {
  return { name, before: from, after: to };
}

function keptItem({ name, from, why }: KeptPackage): RecordedServerTask['items'][number] {
  return { name: `${name} (${why})`, before: from, after: from };
}
