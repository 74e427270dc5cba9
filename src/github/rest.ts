import { systemClock } from '../clock/system-clock.ts';
import type { Clock } from '../ports/clock.ts';
import { fail } from '../ports/failure.ts';
import type { GitHub } from '../ports/github.ts';
import { replyOf, retryDelaySeconds, type ApiGet, type ApiProblem } from './api-reply.ts';
import { readApprovals } from './approvals.ts';
import { readEnvironment } from './environments.ts';
import { readJobs } from './jobs.ts';

/** Seconds for one request. */
const requestTimeoutSeconds = 15;

export interface GitHubRestOptions {
  readonly token: string;
  /** `owner/name`, as in GITHUB_REPOSITORY. */
  readonly repository: string;
  /** As in GITHUB_RUN_ID. */
  readonly runId: string;
  /** As in GITHUB_API_URL: `https://api.github.com`. */
  readonly apiUrl: string;
  /** For the waits between retries. */
  readonly clock?: Pick<Clock, 'now' | 'wait'>;
}

function refuse(input: string, value: string, accepted: string): never {
  return fail({
    code: 'github-input',
    message: `The ${input} ${JSON.stringify(value)} is not ${accepted}.`,
    state: 'Nothing was asked of GitHub.',
    next: `Set the ${input} to ${accepted}.`,
  });
}

/** A thrown request error, by its shape. Octokit gives status 500 to a request that never got an answer. */
function problemOf(error: unknown): ApiProblem {
  const { status, message, response } = Object(error) as {
    status?: unknown;
    message?: unknown;
    response?: { headers?: Record<string, unknown>; data?: { message?: unknown } };
  };
  const said = response?.data?.message ?? message;
  return {
    status: response !== undefined && typeof status === 'number' ? status : undefined,
    message: typeof said === 'string' ? said : String(error),
    headers: Object.fromEntries(
      Object.entries(response?.headers ?? {}).map(([name, value]) => [name, String(value)]),
    ),
  };
}

/**
 * GitHub over its REST API, read only. 5xx, lost connections and rate limits are tried again, three times in all.
 * @throws FailureError `github-input` when the repository, run or URL cannot be one
 */
export async function githubRest(options: GitHubRestOptions): Promise<GitHub> {
  const [owner = '', repo = '', ...more] = options.repository.split('/');
  if (owner === '' || repo === '' || more.length > 0) {
    return refuse('repository', options.repository, 'a name like owner/name');
  }
  if (!/^[1-9]\d{0,15}$/.test(options.runId)) {
    return refuse('run id', options.runId, 'a positive number like GITHUB_RUN_ID');
  }
  if (!/^https?:$/.test(URL.canParse(options.apiUrl) ? new URL(options.apiUrl).protocol : '')) {
    return refuse('API URL', options.apiUrl, 'a URL like https://api.github.com');
  }
  if (options.token === '') return refuse('token', '', 'a token like GITHUB_TOKEN');
  // Loaded here only: it makes the start of every action several times slower.
  const { getOctokit } = await import('@actions/github');
  const octokit = getOctokit(options.token, { baseUrl: options.apiUrl.replace(/\/+$/, '') });
  const clock = options.clock ?? systemClock();

  const get: ApiGet = async (route, parameters) => {
    for (let attempt = 1; ; attempt += 1) {
      try {
        const response = await octokit.request(route, {
          owner,
          repo,
          ...parameters,
          headers: { 'x-github-api-version': '2022-11-28' },
          request: { signal: AbortSignal.timeout(requestTimeoutSeconds * 1000) },
        });
        return { kind: 'ok', data: response.data as unknown };
      } catch (error) {
        const problem = problemOf(error);
        const delay = retryDelaySeconds(problem, attempt, clock.now());
        if (delay === undefined) return replyOf(problem);
        await clock.wait(delay);
      }
    }
  };

  const runId = Number(options.runId);
  return {
    environment: (name) => readEnvironment(get, name),
    approvals: () => readApprovals(get, runId),
    jobs: () => readJobs(get, runId),
  };
}
