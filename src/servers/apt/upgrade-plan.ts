import { fail } from '../../ports/failure.ts';
import type {
  KeptPackage,
  PlannedChange,
  UpgradePlan,
  UpgradeRequest,
} from '../../ports/package-manager.ts';
import { parsePolicies, securitySources, securityUpdate } from './policy.ts';
import { downloadBytesOf, parseSimulation } from './simulation.ts';

/** Runs a program that changes nothing, and gives its standard output. */
type Look = (...argv: [string, ...string[]]) => Promise<string>;

/** Chooses versions, then has apt simulate exactly them: what it would do besides is part of the plan. */
export async function planUpgrade(look: Look, request: UpgradeRequest): Promise<UpgradePlan> {
  const all = parseSimulation(await look('apt-get', '--simulate', '--with-new-pkgs', 'upgrade'));
  const held = (await look('apt-mark', 'showhold')).split('\n').filter((name) => name !== '');
  const names = [...new Set([...all.installs.map(({ name }) => name), ...all.keptBack, ...held])];
  if (names.length === 0) return { changes: [], kept: [], downloadBytes: 0 };
  const security = securitySources(await look('apt-cache', 'policy'));
  const policies = parsePolicies(await look('apt-cache', 'policy', ...names), security);
  const wanted = (name: string): string | undefined => {
    const policy = policies.get(name);
    if (policy?.installed === undefined || policy.candidate === policy.installed) return undefined;
    return request.upgrade === 'security' ? securityUpdate(policy) : policy.candidate;
  };
  const selected: { name: string; from: string; to: string }[] = [];
  const kept: KeptPackage[] = [];
  for (const name of names) {
    const [from, to] = [policies.get(name)?.installed, wanted(name)];
    if (from === undefined || to === undefined) continue;
    const why = whyKept(name, { held, exclude: request.exclude, keptBack: all.keptBack });
    if (why === undefined) selected.push({ name, from, to });
    else {
      const policy = policies.get(name);
      const security = policy !== undefined && securityUpdate(policy) !== undefined;
      kept.push({ name, from, to, security, why });
    }
  }
  if (selected.length === 0) return { changes: [], kept, downloadBytes: 0 };
  const argv = installArguments(selected);
  const { installs } = parseSimulation(await look('apt-get', '--simulate', ...argv));
  const others = installs.filter(({ name }) => request.exclude.includes(name.split(':')[0] ?? ''));
  if (others.length > 0) {
    fail({
      code: 'packages-need-excluded',
      message: `The updates need ${others.map(({ name, to }) => `${name} ${to}`).join(', ')}, which the plan excludes.`,
      state: 'No package was changed.',
      next: 'Take it out of `exclude`, or exclude what needs it, too.',
    });
  }
  const missing = installs.map(({ name }) => name).filter((name) => !policies.has(name));
  const more =
    missing.length === 0
      ? new Map<string, never>()
      : parsePolicies(await look('apt-cache', 'policy', ...missing), security);
  const changes = installs.map((change): PlannedChange => {
    const policy = policies.get(change.name) ?? more.get(change.name);
    const version = policy?.versions.find(({ version: known }) => known === change.to);
    return { ...change, security: version?.security ?? false };
  });
  const uris = await look('apt-get', '--print-uris', '--yes', ...argv);
  return { changes, kept, downloadBytes: downloadBytesOf(uris) };
}

function whyKept(
  name: string,
  by: {
    readonly held: readonly string[];
    readonly exclude: readonly string[];
    readonly keptBack: readonly string[];
  },
): KeptPackage['why'] | undefined {
  const [base = ''] = name.split(':');
  if (by.exclude.includes(base) || by.exclude.includes(name)) return 'excluded by the plan';
  if (by.held.includes(name)) return 'on hold';
  return by.keptBack.includes(name) ? 'kept back by the package manager' : undefined;
}

/** Exactly these versions; what is new comes as a dependency and stays marked as one. */
export function installArguments(
  changes: readonly {
    readonly name: string;
    readonly from: string | null;
    readonly to: string | null;
  }[],
): string[] {
  return [
    '--no-remove',
    '--only-upgrade',
    'install',
    ...changes.filter(({ from }) => from !== null).map(({ name, to }) => `${name}=${to ?? ''}`),
  ];
}
