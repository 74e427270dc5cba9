import { dirname, basename } from 'node:path';
import { FailureError } from '../ports/failure.ts';
import type { RunArtifacts } from '../ports/github.ts';

/**
 * Artifacts of the run that hold one file each.
 * @param environment the environment of the run; the client itself takes its token from the process
 */
export function githubRunArtifacts(
  environment: Readonly<Record<string, string | undefined>>,
): RunArtifacts {
  const { ACTIONS_RUNTIME_TOKEN = '', ACTIONS_RESULTS_URL = '' } = environment;
  const client = async () => {
    // Loaded here only: it makes the start of every action several times slower.
    const { DefaultArtifactClient } = await import('@actions/artifact');
    return new DefaultArtifactClient();
  };
  const idOf = async (name: string): Promise<number | undefined> => {
    const { artifacts } = await (await client()).listArtifacts({ latest: true });
    return artifacts.find((artifact) => artifact.name === name)?.id;
  };
  return {
    isAvailable: ACTIONS_RUNTIME_TOKEN !== '' && ACTIONS_RESULTS_URL !== '',
    keep: (path, days) =>
      told(`keep ${basename(path)} as an artifact`, async () => {
        // What is encrypted does not become smaller.
        const options = {
          compressionLevel: 0,
          ...(days === undefined ? {} : { retentionDays: days }),
        };
        await (await client()).uploadArtifact(basename(path), [path], dirname(path), options);
      }),
    list: () =>
      told('list the artifacts of the run', async () => {
        const { artifacts } = await (await client()).listArtifacts({ latest: true });
        return artifacts.map(({ name, size }) => ({ name, bytes: size }));
      }),
    fetch: (name, folder) =>
      told(`fetch the artifact ${name}`, async () => {
        const id = await idOf(name);
        if (id === undefined) return false;
        await (await client()).downloadArtifact(id, { path: folder });
        return true;
      }),
    remove: (name) =>
      told(`remove the artifact ${name}`, async () => {
        if ((await idOf(name)) !== undefined) await (await client()).deleteArtifact(name);
      }),
  };
}

async function told<T>(what: string, body: () => Promise<T>): Promise<T> {
  try {
    return await body();
  } catch (error) {
    const { message } = Object(error) as { message?: unknown };
    const reason = (typeof message === 'string' ? message : String(error)).replace(/\.$/, '');
    throw new FailureError(
      {
        code: 'copy-artifact',
        message: `Could not ${what}: ${reason}.`,
        state: 'An artifact that was not written to its end does not count and is not listed.',
        next: 'Run the job again; where GitHub refuses for lack of storage, remove old artifacts or name another place for the copy.',
      },
      { cause: error },
    );
  }
}
