import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  approvalsAnswer,
  environmentAnswer,
  jobsAnswer,
  type ApprovalFixture,
  type EnvironmentFixture,
  type JobFixture,
} from './github-api-answers.ts';
import { OpenApiContract, type KnownRequest } from './openapi-contract.ts';

export type { ApprovalFixture, EnvironmentFixture, JobFixture } from './github-api-answers.ts';

/** A request as it came in. */
export interface ApiRequest {
  readonly method: string;
  /** Still URL-encoded, with the query. */
  readonly url: string;
  readonly authorization: string | undefined;
}

export interface ApiAnswer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: object;
}

export interface GitHubApiOptions {
  /** By name; read anew for each request, so a test may change it meanwhile. */
  readonly environments?: Readonly<Record<string, EnvironmentFixture>>;
  readonly approvals?: readonly ApprovalFixture[];
  readonly jobs?: readonly JobFixture[];
  /** The one token that is let in; any when not given. */
  readonly token?: string;
  /** Trouble: an answer in place of the usual one; `hang-up` closes the connection. */
  readonly instead?: (request: ApiRequest) => ApiAnswer | 'hang-up' | undefined;
}

/** GitHub on loopback. */
export interface GitHubApi {
  /** For GITHUB_API_URL. */
  readonly url: string;
  readonly requests: readonly ApiRequest[];
  /** Requests and answers that GitHub's description does not allow; a test that ends with any is wrong. */
  readonly violations: readonly string[];
  close(): Promise<void>;
}

const notFound: ApiAnswer = { status: 404, body: { message: 'Not Found', status: '404' } };

function answerTo(request: KnownRequest, options: GitHubApiOptions): ApiAnswer {
  if (request.template.endsWith('/environments/{environment_name}')) {
    const name = String(request.path.environment_name);
    const fixture = Object.entries(options.environments ?? {}).find(([known]) => known === name);
    if (fixture === undefined) return notFound;
    return { status: 200, body: environmentAnswer(...fixture) };
  }
  if (request.template.endsWith('/approvals')) {
    return { status: 200, body: approvalsAnswer(options.approvals ?? []) };
  }
  const { page, per_page: perPage } = request.query;
  const body = jobsAnswer(
    options.jobs ?? [],
    Number(request.path.run_id),
    Number(page),
    Math.min(100, Number(perPage)),
  );
  return { status: 200, body };
}

/**
 * Serves the few paths of GitHub's REST API that we use, on a free loopback port. Every request and every answer is
 * checked against GitHub's OpenAPI description; one that it does not allow is answered 400 and noted.
 */
export async function startGitHubApi(options: GitHubApiOptions = {}): Promise<GitHubApi> {
  const contract = new OpenApiContract();
  const requests: ApiRequest[] = [];
  const violations: string[] = [];

  const refuse = (reason: string): ApiAnswer => {
    violations.push(reason);
    return { status: 400, body: { message: `outside the description: ${reason}` } };
  };
  const handle = (incoming: IncomingMessage): ApiAnswer | 'hang-up' => {
    const { method = '', url = '' } = incoming;
    const request: ApiRequest = { method, url, authorization: incoming.headers.authorization };
    requests.push(request);
    const instead = options.instead?.(request);
    if (instead !== undefined) return instead;
    const given = /^(?:token|bearer) (.+)$/i.exec(request.authorization ?? '')?.[1];
    if (given === undefined || (options.token !== undefined && given !== options.token)) {
      return { status: 401, body: { message: 'Bad credentials', status: '401' } };
    }
    const { search, searchParams } = new URL(url, 'http://localhost');
    const rawPath = url.slice(0, url.length - search.length);
    const known = contract.request(method, rawPath, searchParams);
    if (known.kind === 'violation') return refuse(known.reason);
    const answer = answerTo(known.value, options);
    if (answer.status !== 200) return answer;
    const judged = contract.answer(known.value.template, answer.body);
    return judged.kind === 'violation' ? refuse(judged.reason) : answer;
  };

  const server = createServer((incoming, response) => {
    const answer = handle(incoming);
    if (answer === 'hang-up') {
      incoming.socket.destroy();
      return;
    }
    response.writeHead(answer.status, {
      'content-type': 'application/json; charset=utf-8',
      ...answer.headers,
    });
    response.end(JSON.stringify(answer.body));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    violations,
    close: async () => {
      if (!server.listening) return;
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}
