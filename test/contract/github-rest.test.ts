import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from '@jest/globals';
import { githubRest } from '../../src/github/rest.ts';
import type { GitHub } from '../../src/ports/github.ts';
import {
  startGitHubApi,
  type ApiAnswer,
  type ApiRequest,
  type GitHubApi,
  type GitHubApiOptions,
  type JobFixture,
} from './github-api.ts';
import { OpenApiContract } from './openapi-contract.ts';

const apis: GitHubApi[] = [];
let waits: number[] = [];

afterEach(async () => {
  const violations = apis.flatMap((api) => api.violations);
  await Promise.all(apis.splice(0).map((api) => api.close()));
  waits = [];
  expect(violations).toEqual([]);
});

/** The client, on a fake GitHub; it waits in no time. */
async function connect(
  options: GitHubApiOptions = {},
  token = 'the-token',
): Promise<{ github: GitHub; api: GitHubApi }> {
  const api = await startGitHubApi(options);
  apis.push(api);
  const github = await githubRest({
    token,
    repository: 'octo-org/shop',
    runId: '4711',
    apiUrl: api.url,
    clock: {
      now: () => new Date('2026-11-05T02:00:00Z'),
      wait: async (seconds) => {
        waits.push(seconds);
      },
    },
  });
  return { github, api };
}

/** Answers the first requests with trouble, then lets them through. */
function firstThen(
  ...troubles: (ApiAnswer | 'hang-up')[]
): () => ApiAnswer | 'hang-up' | undefined {
  return () => troubles.shift();
}

const forbidden: ApiAnswer = {
  status: 403,
  headers: { 'x-accepted-github-permissions': 'actions=read' },
  body: { message: 'Resource not accessible by integration', status: '403' },
};

test('the committed extract is what the installed package says', () => {
  const script = join(import.meta.dirname, '../../script/extract-openapi.ts');
  const { status, stderr } = spawnSync(process.execPath, [script, '--check'], { encoding: 'utf8' });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
});

describe('a gate environment', () => {
  test('with reviewers', async () => {
    const { github, api } = await connect({
      token: 'the-token',
      environments: {
        'maintenance-approval': {
          users: ['ada', 'grace'],
          teams: ['dba'],
          preventsSelfReview: true,
          waitMinutes: 30,
        },
      },
    });
    expect(await github.environment('maintenance-approval')).toEqual({
      kind: 'found',
      reviewers: ['ada', 'grace', 'team:dba'],
      preventsSelfReview: true,
      waitMinutes: 30,
    });
    expect(api.requests).toEqual([
      {
        method: 'GET',
        url: '/repos/octo-org/shop/environments/maintenance-approval',
        authorization: 'token the-token',
      },
    ]);
  });

  test('without protection: nobody has to approve', async () => {
    const { github } = await connect({ environments: { open: {}, timed: { waitMinutes: 5 } } });
    expect(await github.environment('open')).toEqual({
      kind: 'found',
      reviewers: [],
      preventsSelfReview: false,
      waitMinutes: 0,
    });
    expect(await github.environment('timed')).toMatchObject({ reviewers: [], waitMinutes: 5 });
  });

  test('that is missing', async () => {
    const { github, api } = await connect({ environments: { approval: { users: ['ada'] } } });
    expect(await github.environment('aproval')).toEqual({ kind: 'missing' });
    expect(api.requests).toHaveLength(1);
  });

  test.each(['prod/eu west', 'größe', '...', 'a?b=c#d', '%2F'])('named %s', async (name) => {
    const { github } = await connect({ environments: { [name]: { users: ['ada'] } } });
    expect(await github.environment(name)).toMatchObject({ kind: 'found', reviewers: ['ada'] });
  });

  test.each(['', '.', '..'])('that no URL can name: %j', async (name) => {
    const { github, api } = await connect();
    expect(await github.environment(name)).toMatchObject({ kind: 'unreadable' });
    expect(api.requests).toEqual([]);
  });

  test('that the token may not read: the reason names the permission', async () => {
    const { github, api } = await connect({ instead: () => forbidden });
    expect(await github.environment('approval')).toEqual({
      kind: 'unreadable',
      reason:
        'the token may not read it (403: Resource not accessible by integration); give the job `permissions: actions: read`',
    });
    expect(api.requests).toHaveLength(1);
  });

  test('asked with a token that GitHub refuses', async () => {
    const { github } = await connect({ token: 'another' });
    expect(await github.environment('approval')).toEqual({
      kind: 'unreadable',
      reason: 'the token was refused (401: Bad credentials)',
    });
  });

  test('with an answer of an unknown shape', async () => {
    const { github } = await connect({
      instead: () => ({ status: 200, body: { protection_rules: 'none' } }),
    });
    expect(await github.environment('approval')).toMatchObject({
      kind: 'unreadable',
      reason: expect.stringContaining('protection_rules'),
    });
  });
});

describe('approvals', () => {
  test('approved, rejected and by the one who asked', async () => {
    const { github, api } = await connect({
      approvals: [
        { state: 'approved', user: 'ada', comment: 'go', environments: ['maintenance-approval'] },
        { state: 'rejected', user: 'grace', environments: ['maintenance-sign-off', 'other'] },
      ],
    });
    expect(await github.approvals()).toEqual([
      { state: 'approved', user: 'ada', comment: 'go', environments: ['maintenance-approval'] },
      {
        state: 'rejected',
        user: 'grace',
        comment: '',
        environments: ['maintenance-sign-off', 'other'],
      },
    ]);
    expect(api.requests.map(({ url }) => url)).toEqual([
      '/repos/octo-org/shop/actions/runs/4711/approvals',
    ]);
  });

  test('none', async () => {
    const { github } = await connect();
    expect(await github.approvals()).toEqual([]);
  });

  test.each<[string, ApiAnswer, string, string]>([
    ['not to be read', forbidden, 'github-permission', 'actions: read'],
    ['of no run', { status: 404, body: { message: 'Not Found' } }, 'github-missing', 'run 4711'],
    [
      'of another shape',
      { status: 200, body: [{ state: 'maybe' }] },
      'github-error',
      'unknown shape',
    ],
    ['while GitHub is down', { status: 503, body: {} }, 'github-error', 'status 503'],
  ])('%s', async (_, answer, code, words) => {
    const { github } = await connect({ instead: () => answer });
    await expect(github.approvals()).rejects.toMatchObject({
      failure: { code, message: expect.stringContaining(words) },
    });
  });
});

describe('jobs', () => {
  test('that succeeded, failed, were skipped, and run', async () => {
    const { github } = await connect({
      jobs: [
        {
          name: 'window / maintain',
          conclusion: 'failure',
          startedAt: '2026-11-05T01:00:00Z',
          completedAt: '2026-11-05T01:10:00Z',
        },
        { name: 'window / reopen', conclusion: 'skipped', startedAt: '2026-11-05T01:10:01Z' },
        { name: 'window / report', startedAt: '2026-11-05T01:10:02Z' },
        { name: 'window / sign-off', status: 'waiting', startedAt: '2026-11-05T01:10:02Z' },
      ],
    });
    expect(await github.jobs()).toEqual([
      {
        name: 'window / maintain',
        conclusion: 'failure',
        startedAt: '2026-11-05T01:00:00Z',
        completedAt: '2026-11-05T01:10:00Z',
      },
      { name: 'window / reopen', conclusion: 'skipped', startedAt: '2026-11-05T01:10:01Z' },
      { name: 'window / report', conclusion: 'in_progress', startedAt: '2026-11-05T01:10:02Z' },
      { name: 'window / sign-off', conclusion: 'waiting', startedAt: '2026-11-05T01:10:02Z' },
    ]);
  });

  test.each([0, 1, 100, 101, 250])('%i of them, over as many pages as it takes', async (count) => {
    const jobs: JobFixture[] = Array.from({ length: count }, (_, index) => ({
      name: `job ${index}`,
      conclusion: 'success',
    }));
    const { github, api } = await connect({ jobs });
    expect((await github.jobs()).map(({ name }) => name)).toEqual(jobs.map(({ name }) => name));
    expect(api.requests).toHaveLength(Math.max(1, Math.ceil(count / 100)));
  });
});

describe('trouble that passes', () => {
  const environments = { approval: { users: ['ada'] } };

  test.each<[string, ApiAnswer | 'hang-up', number]>([
    ['a server error', { status: 502, body: { message: 'Bad Gateway' } }, 1],
    ['a lost connection', 'hang-up', 1],
    [
      'a secondary limit',
      { status: 403, headers: { 'retry-after': '7' }, body: { message: 'slow down' } },
      7,
    ],
    [
      'a limit that is lifted soon',
      {
        status: 403,
        headers: {
          'x-ratelimit-remaining': '0',
          'x-ratelimit-reset': String(Date.parse('2026-11-05T02:00:42Z') / 1000),
        },
        body: { message: 'API rate limit exceeded' },
      },
      42,
    ],
  ])('%s', async (_, trouble, seconds) => {
    const { github, api } = await connect({ environments, instead: firstThen(trouble) });
    expect(await github.environment('approval')).toMatchObject({ reviewers: ['ada'] });
    expect(waits).toEqual([seconds]);
    expect(api.requests).toHaveLength(2);
  });

  test('that does not pass is given up after three attempts', async () => {
    const { github, api } = await connect({ environments, instead: () => 'hang-up' });
    expect(await github.environment('approval')).toMatchObject({
      kind: 'unreadable',
      reason: expect.stringMatching(/^no answer: /),
    });
    expect(waits).toEqual([1, 2]);
    expect(api.requests).toHaveLength(3);
  });

  test('a limit for longer than a minute is not waited for', async () => {
    const { github } = await connect({
      instead: () => ({
        status: 429,
        headers: { 'retry-after': '600' },
        body: { message: 'Too many requests' },
      }),
    });
    expect(await github.environment('approval')).toEqual({
      kind: 'unreadable',
      reason: 'the rate limit is used up (429: Too many requests)',
    });
    expect(waits).toEqual([]);
  });
});

describe('bad input', () => {
  const good = { token: 't', repository: 'o/r', runId: '1', apiUrl: 'http://127.0.0.1:9' };

  test.each([
    [{ repository: 'shop' }, 'repository "shop"'],
    [{ repository: 'a/b/c' }, 'repository "a/b/c"'],
    [{ runId: '12x' }, 'run id "12x"'],
    [{ apiUrl: 'api.github.com' }, 'API URL "api.github.com"'],
    [{ token: '' }, 'token'],
  ])('%j is refused', async (bad, words) => {
    await expect(githubRest({ ...good, ...bad })).rejects.toMatchObject({
      failure: { code: 'github-input', message: expect.stringContaining(words) },
    });
  });
});

describe('the fake GitHub', () => {
  const ask = async (path: string, options: GitHubApiOptions = {}): Promise<[number, string[]]> => {
    // Not in `apis`: violations are what these tests are about.
    const api = await startGitHubApi(options);
    try {
      const { status } = await fetch(api.url + path, { headers: { authorization: 'Bearer x' } });
      return [status, [...api.violations]];
    } finally {
      await api.close();
    }
  };

  test.each([
    ['/repos/o/r/actions/runs/latest/jobs', 'path/run_id must be integer'],
    ['/repos/o/r/actions/runs/1/jobs?filter=newest', 'query/filter must be equal to one of the'],
    ['/repos/o/r/actions/runs/1/jobs?pages=1', 'query must NOT have additional properties'],
    ['/repos/o/r/actions/runs/1/jobs?per_page=many', 'query/per_page must be integer'],
    ['/repos/o/r/environments/a/b', 'is not in the description'],
    ['/repos/o/r/actions/runs/1', 'is not in the description'],
  ])('refuses the request %s', async (path, reason) => {
    expect(await ask(path)).toEqual([400, [expect.stringContaining(reason)]]);
  });

  test('answers in pages as GitHub does', async () => {
    const jobs = Array.from({ length: 40 }, (_, index) => ({ name: `${index}` }));
    const api = await startGitHubApi({ jobs });
    apis.push(api);
    const page = await fetch(`${api.url}/repos/o/r/actions/runs/1/jobs?page=2`, {
      headers: { authorization: 'Bearer x' },
    });
    const { total_count: total, jobs: listed } = (await page.json()) as {
      total_count: number;
      jobs: unknown[];
    };
    expect([total, listed.length]).toEqual([40, 10]);
  });

  test('cannot give an answer that GitHub would not', async () => {
    const approvals = [{ state: 'maybe' as 'pending', user: 'ada', environments: [] }];
    expect(await ask('/repos/o/r/actions/runs/1/approvals', { approvals })).toEqual([
      400,
      [expect.stringContaining('answer/0/state must be equal to one of the allowed values')],
    ]);
    const contract = new OpenApiContract();
    const template = '/repos/{owner}/{repo}/actions/runs/{run_id}/jobs';
    expect(contract.answer(template, { total_count: 0, jobs: [] }).kind).toBe('fits');
    expect(contract.answer(template, { total_count: 0, jobs: [], more: 1 }).kind).toBe('violation');
    expect(contract.answer(template, { total_count: 0 }).kind).toBe('violation');
  });

  test('lets nobody in without a token', async () => {
    const api = await startGitHubApi();
    apis.push(api);
    const { status } = await fetch(`${api.url}/repos/o/r/environments/x`);
    expect(status).toBe(401);
    const [request]: readonly ApiRequest[] = api.requests;
    expect(request?.authorization).toBeUndefined();
  });
});
