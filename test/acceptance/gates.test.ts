import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { findFreePort } from '../../rehearsal/free-port.ts';
import { startSite, type Site } from '../../rehearsal/site.ts';
import { startGitHubApi, type GitHubApi, type GitHubApiOptions } from '../contract/github-api.ts';
import { failureTold } from '../fixtures/action-failure.ts';
import type { ActionEnd } from '../fixtures/action-process.ts';
import { freshPlan } from '../fixtures/fresh-plan.ts';
import { systemState } from '../fixtures/system-state.ts';
import { readStatus, runStep } from '../fixtures/window-run.ts';

const token = 'ghs-token-of-the-gates-test';

let site: Site;
let github: GitHubApi | undefined;

beforeAll(async () => {
  site = await startSite({ megabytes: 2 });
}, 120_000);

afterAll(async () => {
  await site.stop();
});

afterEach(async () => {
  await closeGitHub();
});

async function closeGitHub(): Promise<void> {
  await github?.close();
  expect(github?.violations ?? []).toEqual([]);
  github = undefined;
}

type Trial = {
  readonly api?: GitHubApiOptions;
  readonly apiUrl?: string;
  readonly inputs?: Readonly<Record<string, string>>;
};

/** Runs preflight against a GitHub with these environments; a refusal must leave the system as it was. */
async function preflight(trial: Trial): Promise<ActionEnd> {
  await closeGitHub();
  github = await startGitHubApi({ token, ...trial.api });
  const plan = await freshPlan(site);
  const before = await systemState(site, plan);
  const end = await runStep(
    plan,
    { entry: 'preflight', inputs: { 'github-token': token, ...trial.inputs } },
    { environment: { GITHUB_API_URL: trial.apiUrl ?? github.url } },
  );
  if (end.code !== 0) expect(await systemState(site, plan)).toEqual(before);
  else expect((await readStatus(plan))?.state).toBe('planned');
  expect(end.log).not.toContain(token);
  return end;
}

test('a gate with reviewers passes, and the approver reads who they are', async () => {
  const end = await preflight({
    api: {
      environments: {
        'maintenance-approval': { users: ['grace'], teams: ['dba'], preventsSelfReview: true },
      },
    },
  });
  expect(end.code).toBe(0);
  expect(end.summary).toContain('reviewers grace, team:dba, no self-review');
});

test('a gate that does not exist is refused: GitHub would make it without protection', async () => {
  const end = await preflight({
    api: { environments: { 'maintenance-aproval': { users: ['grace'] } } },
  });
  const { message, next } = failureTold(end);
  expect(message).toContain('Gate maintenance-approval: there is no environment of that name');
  expect(next).toContain('required reviewers');
});

test('a gate without reviewers is refused', async () => {
  const end = await preflight({
    api: { environments: { 'maintenance-approval': { waitMinutes: 5 } } },
  });
  const { message } = failureTold(end);
  expect(message).toContain('Gate maintenance-approval: has no required reviewers');
});

test('every gate is looked at, and every bad one is named', async () => {
  const end = await preflight({
    api: { environments: { approval: { users: ['grace'] }, 'sign-off': {} } },
    inputs: { gates: 'approval, sign-off, emergency' },
  });
  const { message } = failureTold(end);
  expect(message).not.toContain('Gate approval');
  expect(message).toContain('Gate sign-off: has no required reviewers');
  expect(message).toContain('Gate emergency: there is no environment of that name');
});

test('a gate is accepted without reviewers by its name only, and the approver is told', async () => {
  const api = { environments: { 'maintenance-approval': {} } };
  const end = await preflight({ api, inputs: { 'accept-unprotected': 'maintenance-approval' } });
  expect(end.code).toBe(0);
  expect(end.summary).toContain('has no required reviewers; accepted by name in the plan');
  const other = await preflight({ api, inputs: { 'accept-unprotected': 'maintenance' } });
  expect(failureTold(other).message).toContain('has no required reviewers');
});

test('a gate that the token may not read is refused, with the permission that is lacking', async () => {
  const end = await preflight({
    api: {
      instead: () => ({
        status: 403,
        headers: { 'x-accepted-github-permissions': 'actions=read' },
        body: { message: 'Resource not accessible by integration', status: '403' },
      }),
    },
  });
  const { message, next } = failureTold(end);
  expect(message).toContain('Gate maintenance-approval: cannot be read');
  expect(message).toContain('permissions: actions: read');
  expect(next).toContain('`actions: read`');
});

test('a gate that cannot be asked about is no gate', async () => {
  const end = await preflight({ apiUrl: `http://127.0.0.1:${await findFreePort()}` });
  expect(failureTold(end).message).toContain(
    'Gate maintenance-approval: cannot be read: no answer',
  );
});
