import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import {
  afterAll,
  afterEach,
  beforeAll,
  beforeEach,
  describe,
  expect,
  jest,
  test,
} from '@jest/globals';
import { githubArtifacts } from '../../src/github/artifact-store.ts';
import { makeTemporaryFolder, type TemporaryFolder } from '../../rehearsal/temporary-folder.ts';

/** What the artifact service was asked: the method of its RPC, or the kind of blob request. */
interface Seen {
  readonly what: string;
  readonly body: Buffer;
}

let folder: TemporaryFolder;
let server: Server;
let url: string;
let seen: Seen[];
let conflict = false;
const before = { ...process.env };

/** The token of a runner names the run and the job in its scope; nobody here checks its signature. */
const token = ['{"alg":"none"}', '{"scp":"Actions.Results:run-1:job-1"}', 'signature']
  .map((part) => Buffer.from(part).toString('base64url'))
  .join('.');

beforeAll(async () => {
  folder = await makeTemporaryFolder('artifact-store');
  await mkdir(join(folder.path, 'report'));
  await writeFile(join(folder.path, 'report', 'report.md'), '# Report');
  await writeFile(join(folder.path, 'report.json'), '{}');
});
afterAll(() => folder.remove());

beforeEach(async () => {
  seen = [];
  conflict = false;
  server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { pathname, searchParams } = new URL(request.url ?? '', 'http://localhost');
      const what = searchParams.get('comp') ?? pathname.split('/').at(-1) ?? '';
      seen.push({ what, body: Buffer.concat(chunks) });
      if (pathname === '/container/blob') {
        response.writeHead(201).end();
        return;
      }
      response.writeHead(conflict ? 409 : 200, { 'content-type': 'application/json' });
      const answers: Record<string, object> = {
        CreateArtifact: { ok: true, signed_upload_url: `${url}/container/blob?sig=x` },
        FinalizeArtifact: { ok: true, artifact_id: '4242' },
      };
      const exists = { msg: 'an artifact with this name already exists on the workflow run' };
      response.end(JSON.stringify(conflict ? exists : answers[what]));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  // The client's own commands to the runner go to standard output; they are no business of the test's.
  jest.spyOn(process.stdout, 'write').mockReturnValue(true);
});
afterEach(async () => {
  jest.restoreAllMocks();
  process.env = { ...before };
  server.close();
  server.closeAllConnections();
  await once(server, 'close');
});

/** Uploads the two files with this environment, which is also the process's, where the client looks. */
function upload(environment: Record<string, string>): Promise<string | undefined> {
  process.env = { ...before, ...environment };
  const files = ['report/report.md', 'report.json'].map((name) => join(folder.path, name));
  return githubArtifacts(environment).upload('maintenance-report', folder.path, files);
}

describe('artifacts', () => {
  test('are uploaded under their names relative to the root', async () => {
    const id = await upload({ ACTIONS_RUNTIME_TOKEN: token, ACTIONS_RESULTS_URL: url });
    expect(id).toBe('4242');
    expect(seen.map(({ what }) => what)).toEqual([
      'CreateArtifact',
      'block',
      'blocklist',
      'FinalizeArtifact',
    ]);
    expect(JSON.parse(String(seen[0]?.body))).toMatchObject({
      name: 'maintenance-report',
      workflow_run_backend_id: 'run-1',
    });
    const zip = seen[1]?.body.toString('latin1') ?? '';
    expect(zip.startsWith('PK')).toBe(true);
    expect(zip).toContain('report/report.md');
    expect(zip).toContain('report.json');
    expect(zip).not.toContain(folder.path);
  });

  test('a name that the run has already is a failure that says so', async () => {
    conflict = true;
    await expect(
      upload({ ACTIONS_RUNTIME_TOKEN: token, ACTIONS_RESULTS_URL: url }),
    ).rejects.toMatchObject({
      failure: {
        code: 'github-artifact',
        message: expect.stringContaining('already exists'),
        state: expect.stringContaining(folder.path),
      },
    });
  });

  test.each<[string, Record<string, string>]>([
    ['no token', { ACTIONS_RESULTS_URL: 'http://127.0.0.1:9' }],
    ['no address', { ACTIONS_RUNTIME_TOKEN: token }],
    [
      'a server whose artifact service is another one',
      {
        ACTIONS_RUNTIME_TOKEN: token,
        ACTIONS_RESULTS_URL: 'http://127.0.0.1:9',
        GITHUB_SERVER_URL: 'https://github.company.example',
      },
    ],
  ])('%s: nothing is uploaded', async (_, environment) => {
    expect(await upload(environment)).toBeUndefined();
    expect(seen).toEqual([]);
  });
});
