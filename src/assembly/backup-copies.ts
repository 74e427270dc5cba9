import { artifactDestination } from '../destinations/artifact.ts';
import { folderDestination } from '../destinations/folder.ts';
import { s3Destination } from '../destinations/s3.ts';
import { sshDestination } from '../destinations/ssh.ts';
import { ageEncryption } from '../encryption/age.ts';
import { githubRunArtifacts } from '../github/run-artifacts.ts';
import { resolveCopySecrets, type CopySecrets } from '../plan/copy-secrets.ts';
import type { Plan } from '../plan/plan.ts';
import type { BackupCopySettings } from '../plan/settings/backup-copies.ts';
import type { PhaseContext } from '../phases/phase.ts';
import type { BackupDestination } from '../ports/backup-destination.ts';
import type { Surroundings } from './surroundings.ts';
import type { World } from './world.ts';

/** Takes the secrets of the copies from the environment and masks them, before anything uses them. */
export function copySecretsOf(plan: Plan, surroundings: Surroundings, only?: string): CopySecrets {
  const secrets = resolveCopySecrets(plan, surroundings.environment, only);
  for (const secret of secrets.values()) surroundings.mask(secret);
  return secrets;
}

/**
 * Encryption and places for copies of backups. Secrets are looked up when something asks for them: most actions
 * never do, and need not have them.
 */
export function copiesOf(
  plan: Plan,
  surroundings: Surroundings,
  world: World,
): Pick<PhaseContext, 'encryption' | 'copyDestination'> {
  const { recipients, identity } = plan.backupDb;
  const secret = (reference: string | undefined): string | undefined => {
    const variable = reference?.slice(1);
    return variable === undefined
      ? undefined
      : copySecretsOf(plan, surroundings, variable).get(variable);
  };
  return {
    copyDestination: (settings) => destinationOf(settings, { surroundings, world, secret }),
    ...(recipients.length === 0
      ? {}
      : { encryption: () => ageEncryption(recipients, () => secret(identity)) }),
  };
}

async function destinationOf(
  settings: BackupCopySettings,
  {
    surroundings,
    world,
    secret,
  }: {
    readonly surroundings: Surroundings;
    readonly world: World;
    readonly secret: (reference: string | undefined) => string | undefined;
  },
): Promise<BackupDestination> {
  switch (settings.to) {
    case 'folder': {
      const host = world.fleet.backups ?? world.fleet.database;
      const label = `folder ${settings.path} on ${host.name}`;
      return folderDestination({ host, folder: settings.path, label });
    }
    case 'ssh': {
      const host = await world.loginTo({
        url: settings.host,
        ...(settings.privateKey === undefined ? {} : { privateKey: secret(settings.privateKey) }),
        ...(settings.knownHosts === undefined ? {} : { knownHosts: settings.knownHosts }),
      });
      return sshDestination(host, settings.path);
    }
    case 's3': {
      const keys = {
        accessKeyId: secret(settings.accessKeyId) ?? '',
        secretAccessKey: secret(settings.secretAccessKey) ?? '',
        sessionToken: secret(settings.sessionToken),
      };
      const { signal, progress } = surroundings;
      return s3Destination(settings, keys, {
        signal,
        note: (message) => {
          progress.warning(message);
        },
      });
    }
    case 'artifact': {
      const { environment } = surroundings;
      return artifactDestination({
        artifacts: githubRunArtifacts(environment),
        temporaryFolder: environment.RUNNER_TEMP ?? environment.TMPDIR ?? '/tmp',
        days: settings.days,
      });
    }
  }
}
