import { Buffer } from 'node:buffer';

/** A gate environment: who may approve, and how. Nothing given: no protection. */
export interface EnvironmentFixture {
  readonly users?: readonly string[];
  readonly teams?: readonly string[];
  readonly preventsSelfReview?: boolean;
  readonly waitMinutes?: number;
}

/** A review of one or more gates. */
export interface ApprovalFixture {
  readonly state: 'approved' | 'rejected' | 'pending';
  readonly user: string;
  readonly comment?: string;
  readonly environments: readonly string[];
}

/** A job of the run; without a conclusion it is in progress. */
export interface JobFixture {
  readonly name: string;
  readonly conclusion?: string;
  readonly status?: string;
  readonly startedAt?: string;
  readonly completedAt?: string;
}

const web = 'https://github.example';
const api = 'https://api.github.example';
const created = '2026-11-01T08:00:00Z';

/** A number that is always the same for the same name. */
function idOf(name: string): number {
  return Buffer.from(name).reduce((sum, byte) => (sum * 31 + byte) % 1_000_003, 7);
}

function nodeIdOf(name: string): string {
  return Buffer.from(name).toString('base64url');
}

function user(login: string): object {
  const url = `${api}/users/${login}`;
  return {
    login,
    id: idOf(login),
    node_id: nodeIdOf(login),
    avatar_url: `${web}/${login}.png`,
    gravatar_id: '',
    url,
    html_url: `${web}/${login}`,
    followers_url: `${url}/followers`,
    following_url: `${url}/following{/other_user}`,
    gists_url: `${url}/gists{/gist_id}`,
    starred_url: `${url}/starred{/owner}{/repo}`,
    subscriptions_url: `${url}/subscriptions`,
    organizations_url: `${url}/orgs`,
    repos_url: `${url}/repos`,
    events_url: `${url}/events{/privacy}`,
    received_events_url: `${url}/received_events`,
    type: 'User',
    site_admin: false,
  };
}

function team(slug: string): object {
  const url = `${api}/teams/${idOf(slug)}`;
  return {
    id: idOf(slug),
    node_id: nodeIdOf(slug),
    name: slug,
    slug,
    description: null,
    privacy: 'closed',
    permission: 'pull',
    type: 'organization',
    url,
    html_url: `${web}/orgs/octo-org/teams/${slug}`,
    members_url: `${url}/members{/member}`,
    repositories_url: `${url}/repos`,
    parent: null,
  };
}

/** "Get an environment". */
export function environmentAnswer(name: string, fixture: EnvironmentFixture): object {
  const { users = [], teams = [], preventsSelfReview = false, waitMinutes = 0 } = fixture;
  const rule = (type: string, fields: object): object => ({
    id: idOf(name + type),
    node_id: nodeIdOf(name + type),
    type,
    ...fields,
  });
  const reviewers = [
    ...users.map((login) => ({ type: 'User', reviewer: user(login) })),
    ...teams.map((slug) => ({ type: 'Team', reviewer: team(slug) })),
  ];
  return {
    id: idOf(name),
    node_id: nodeIdOf(name),
    name,
    url: `${api}/repos/octo-org/shop/environments/${encodeURIComponent(name)}`,
    html_url: `${web}/octo-org/shop/deployments/activity_log`,
    created_at: created,
    updated_at: created,
    protection_rules: [
      ...(waitMinutes > 0 ? [rule('wait_timer', { wait_timer: waitMinutes })] : []),
      ...(reviewers.length > 0
        ? [rule('required_reviewers', { prevent_self_review: preventsSelfReview, reviewers })]
        : []),
      rule('branch_policy', {}),
    ],
    deployment_branch_policy: { protected_branches: true, custom_branch_policies: false },
  };
}

/** "Get the review history for a workflow run". */
export function approvalsAnswer(fixtures: readonly ApprovalFixture[]): object {
  return fixtures.map((fixture) => ({
    state: fixture.state,
    comment: fixture.comment ?? '',
    user: user(fixture.user),
    environments: fixture.environments.map((name) => ({
      id: idOf(name),
      node_id: nodeIdOf(name),
      name,
      url: `${api}/repos/octo-org/shop/environments/${encodeURIComponent(name)}`,
      html_url: `${web}/octo-org/shop/deployments/activity_log`,
      created_at: created,
      updated_at: created,
    })),
  }));
}

function job(fixture: JobFixture, runId: number): object {
  const id = idOf(fixture.name);
  const run = `${api}/repos/octo-org/shop/actions/runs/${runId}`;
  return {
    id,
    run_id: runId,
    run_url: run,
    run_attempt: 1,
    node_id: nodeIdOf(fixture.name),
    head_sha: 'f83a356604ae3c5d03e1b46ef4d1ca77d64a90b0',
    url: `${api}/repos/octo-org/shop/actions/jobs/${id}`,
    html_url: `${web}/octo-org/shop/runs/${id}`,
    status: fixture.status ?? (fixture.conclusion === undefined ? 'in_progress' : 'completed'),
    conclusion: fixture.conclusion ?? null,
    created_at: created,
    started_at: fixture.startedAt ?? created,
    completed_at: fixture.completedAt ?? null,
    name: fixture.name,
    steps: [],
    check_run_url: `${api}/repos/octo-org/shop/check-runs/${id}`,
    labels: ['ubuntu-latest'],
    runner_id: 1,
    runner_name: 'runner-1',
    runner_group_id: 1,
    runner_group_name: 'Default',
    workflow_name: 'Maintenance',
    head_branch: 'main',
  };
}

/** "List jobs for a workflow run": one page of it. */
export function jobsAnswer(
  fixtures: readonly JobFixture[],
  runId: number,
  page: number,
  perPage: number,
): object {
  const jobs = fixtures.slice((page - 1) * perPage, page * perPage).map((one) => job(one, runId));
  return { total_count: fixtures.length, jobs };
}
