import { fail } from '../ports/failure.ts';

/** What the API said to a request, after retries. */
export type ApiReply =
  | { readonly kind: 'ok'; readonly data: unknown }
  /** 404; also what GitHub says of a repository that the token cannot see. */
  | { readonly kind: 'missing' }
  /** 401 or 403: the reason, and the permission that is lacking. */
  | { readonly kind: 'denied'; readonly reason: string }
  /** No usable answer, also after retries. */
  | { readonly kind: 'failed'; readonly reason: string };

/** Reads a path of the API, `GET /repos/{owner}/{repo}/…`; owner and repo are filled in, values are URL-encoded. */
export type ApiGet = (
  route: string,
  parameters?: Readonly<Record<string, string | number>>,
) => Promise<ApiReply>;

/** A refused or failed request, as far as decisions need it. */
export interface ApiProblem {
  /** HTTP status; `undefined` when there was no answer at all. */
  readonly status: number | undefined;
  readonly message: string;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
}

/** Requests that are made at most, the first one included. */
export const attemptLimit = 3;
/** Seconds that are waited at most before one of them; who is told to wait longer gives up. */
const longestWaitSeconds = 60;

function isRateLimit(problem: ApiProblem): boolean {
  if (problem.status !== 403 && problem.status !== 429) return false;
  return (
    problem.status === 429 ||
    problem.headers['retry-after'] !== undefined ||
    problem.headers['x-ratelimit-remaining'] === '0' ||
    /rate limit/i.test(problem.message)
  );
}

/**
 * Seconds to wait before the request is made again; `undefined` when it is not worth it. Pure.
 * "Best practices for using the REST API": `retry-after` first, then `x-ratelimit-reset`, otherwise a minute.
 * @param attempt how often the request was made, from 1
 */
export function retryDelaySeconds(
  problem: ApiProblem,
  attempt: number,
  now: Date,
): number | undefined {
  if (attempt >= attemptLimit) return undefined;
  if (problem.status === undefined || problem.status >= 500) return 2 ** (attempt - 1);
  if (!isRateLimit(problem)) return undefined;
  const { 'retry-after': after, 'x-ratelimit-reset': reset } = problem.headers;
  let delay = longestWaitSeconds;
  if (after !== undefined && /^\d+$/.test(after)) delay = Number(after);
  else if (problem.headers['x-ratelimit-remaining'] === '0' && reset !== undefined) {
    delay = Math.max(1, Math.ceil(Number(reset) - now.getTime() / 1000));
  }
  return delay <= longestWaitSeconds ? delay : undefined;
}

/** `actions=read; contents=read` of the header `x-accepted-github-permissions`, in the words of a workflow. */
function permissionOf(problem: ApiProblem): string {
  const accepted = problem.headers['x-accepted-github-permissions'] ?? 'actions=read';
  return `permissions: ${accepted.replaceAll('=', ': ')}`;
}

/** What a request that is not made again comes to. Pure. */
export function replyOf(problem: ApiProblem): ApiReply {
  const { status, message } = problem;
  if (status === undefined) return { kind: 'failed', reason: `no answer: ${message}` };
  if (status === 404) return { kind: 'missing' };
  if (status === 401) return { kind: 'denied', reason: `the token was refused (401: ${message})` };
  if (isRateLimit(problem)) {
    return { kind: 'failed', reason: `the rate limit is used up (${status}: ${message})` };
  }
  if (status === 403) {
    const lacking = `give the job \`${permissionOf(problem)}\``;
    return { kind: 'denied', reason: `the token may not read it (403: ${message}); ${lacking}` };
  }
  return { kind: 'failed', reason: `status ${status}: ${message}` };
}

/**
 * The data of a reply, for those who cannot go on without it.
 * @param what what was read: `the approvals of run 7`
 * @throws FailureError with code `github-permission`, `github-missing` or `github-error`
 */
export function dataOf(reply: ApiReply, what: string): unknown {
  const state = 'Nothing was changed; what GitHub knows of it is unknown here.';
  switch (reply.kind) {
    case 'ok':
      return reply.data;
    case 'missing':
      return fail({
        code: 'github-missing',
        message: `GitHub knows nothing of ${what}, or the token may not see the repository.`,
        state,
        next: 'Check the repository, the run and the token (`permissions: actions: read`).',
      });
    case 'denied':
      return fail({
        code: 'github-permission',
        message: `Could not read ${what}: ${reply.reason}.`,
        state,
        next: 'Give the job the permission, then run it again.',
      });
    case 'failed':
      return fail({
        code: 'github-error',
        message: `Could not read ${what}: ${reply.reason}.`,
        state,
        next: 'See githubstatus.com, then run the job again.',
      });
  }
}

/** The answer does not have the fields that we read. */
export function unknownShape(what: string, detail: string): never {
  return fail({
    code: 'github-error',
    message: `GitHub's answer about ${what} has an unknown shape: ${detail}.`,
    state: 'Nothing was changed; what GitHub knows of it is unknown here.',
    next: 'Look for a newer version of this action, or report the answer as a bug.',
  });
}
