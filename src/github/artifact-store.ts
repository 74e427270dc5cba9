import { FailureError } from '../ports/failure.ts';
import type { Artifacts } from '../ports/github.ts';

/** Where the runner says that files can be kept with the run. */
function hasService(environment: Readonly<Record<string, string | undefined>>): boolean {
  return Boolean(environment.ACTIONS_RUNTIME_TOKEN) && Boolean(environment.ACTIONS_RESULTS_URL);
}

/** The artifact client's own word for GitHub Enterprise Server, whose artifact service is another one. */
function isUnsupported(error: unknown): boolean {
  return (Object(error) as { name?: unknown }).name === 'GHESNotSupportedError';
}

/**
 * Artifacts of the run.
 * @param environment the environment of the run; the client itself takes its token from the process
 */
export function githubArtifacts(
  environment: Readonly<Record<string, string | undefined>>,
): Artifacts {
  return {
    upload: async (name, root, files) => {
      if (!hasService(environment)) return undefined;
      // Loaded here only: it makes the start of every action several times slower.
      const { DefaultArtifactClient } = await import('@actions/artifact');
      try {
        const { id } = await new DefaultArtifactClient().uploadArtifact(name, [...files], root);
        return id === undefined ? undefined : String(id);
      } catch (error) {
        if (isUnsupported(error)) return undefined;
        const { message } = Object(error) as { message?: unknown };
        const reason = typeof message === 'string' ? message : String(error);
        throw new FailureError(
          {
            code: 'github-artifact',
            message: `Could not upload the artifact ${name}: ${reason.replace(/\.$/, '')}.`,
            state: `The files are where they were, under ${root}; the run does not keep them.`,
            next: 'Run the job again; an artifact of that name, once there, cannot be written twice in a run.',
          },
          { cause: error },
        );
      }
    },
  };
}
