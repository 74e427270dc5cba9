import type { Host } from '../../ports/host.ts';
import type { DockerPart } from '../../ports/server.ts';
import { failCommand, lastWords } from '../command-failure.ts';

const nouns: Readonly<Record<DockerPart, string>> = {
  images: 'image',
  containers: 'container',
  'build-cache': 'builder',
  volumes: 'volume',
};

/** Before version 23 `docker volume prune` also removes named volumes that no container uses at the moment. */
const firstWithAnonymousOnly = 23;

/** Why this part cannot be pruned here safely; `undefined` when it can. */
export async function dockerObstacle(host: Host, part: DockerPart): Promise<string | undefined> {
  const result = await host.run({
    argv: ['docker', 'version', '--format', '{{.Server.Version}}'],
    timeoutSeconds: 30,
  });
  if (result.exitCode === 127) return 'docker is not there';
  if (result.exitCode !== 0) return `Docker does not answer: ${lastWords(result)}`;
  const version = result.stdout.trim();
  const major = Number(/^(\d+)\./.exec(version)?.[1] ?? 0);
  return part === 'volumes' && major < firstWithAnonymousOnly
    ? `Docker ${version} would remove named volumes as well; from ${firstWithAnonymousOnly} on it removes anonymous ones only`
    : undefined;
}

/** Prunes; gives what Docker says that it freed. */
export async function pruneDocker(host: Host, part: DockerPart): Promise<string> {
  const result = await host.run({
    argv: ['docker', nouns[part], 'prune', '--force'],
    timeoutSeconds: 900,
  });
  if (result.exitCode !== 0) {
    failCommand(`Pruning Docker's ${part}`, `docker ${nouns[part]} prune`, result);
  }
  return /^Total(?: reclaimed space)?:\s*(.+)$/m.exec(result.stdout)?.[1]?.trim() ?? '0B';
}
