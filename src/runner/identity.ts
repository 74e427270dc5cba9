import type { WindowStatus } from '../record/status.ts';

/** Who runs us, from the runner's default environment variables. */
export function identityOf(env: Readonly<Record<string, string | undefined>>): WindowStatus['run'] {
  const id = env.GITHUB_RUN_ID;
  const server = env.GITHUB_SERVER_URL;
  const repository = env.GITHUB_REPOSITORY;
  const actor = env.GITHUB_TRIGGERING_ACTOR ?? env.GITHUB_ACTOR;
  return {
    id: id ?? 'unknown',
    attempt: Number(env.GITHUB_RUN_ATTEMPT ?? '1'),
    ...(id === undefined || server === undefined || repository === undefined
      ? {}
      : { url: `${server}/${repository}/actions/runs/${id}` }),
    ...(actor === undefined ? {} : { actor }),
  };
}
