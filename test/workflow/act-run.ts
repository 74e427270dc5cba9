import { randomUUID } from 'node:crypto';
import { spawn } from 'node:child_process';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findFreePort } from '../../rehearsal/free-port.ts';
import { guardProcess } from '../../rehearsal/guardian.ts';
import { nodeProgram } from '../../rehearsal/node-program.ts';
import { startArtifactRelay } from './artifact-relay.ts';
import { zipEntries } from './zip-entries.ts';

const act = fileURLToPath(new URL('../../.tools/bin/act', import.meta.url));
const marker = 'MAINTENANCE_WINDOW_ACT_RUN';

export type ActCall = {
  /** Folder of the git repository. */
  readonly repository: string;
  /** An empty folder for what act keeps: its cache, artifacts, secrets. */
  readonly workFolder: string;
  readonly runId: string;
  /** Inputs of the dispatch. */
  readonly inputs: Readonly<Record<string, string>>;
  readonly secrets: Readonly<Record<string, string>>;
  /** Where the GitHub API is served. */
  readonly apiUrl: string;
  /** After which it is ended. */
  readonly timeoutSeconds: number;
};

export type ActRun = {
  readonly exitCode: number | null;
  /** Results as act reports them, by job of the called workflow; a job that did not run has none. */
  readonly jobs: Readonly<Record<string, string>>;
  /** All that the steps and act said, secrets masked as the runner does. */
  readonly log: string;
  /** Processes of this run that outlived it, by command; they were killed. */
  readonly survivors: readonly string[];
  /** The files of the one artifact whose name begins so, by name; empty when it was not uploaded. */
  artifact(prefix: string): Promise<Readonly<Record<string, string>>>;
};

/** Runs `.github/workflows/caller.yml` of a repository by act, with this machine as the runner. */
export async function runAct(call: ActCall): Promise<ActRun> {
  const home = join(call.workFolder, 'home');
  const artifacts = join(call.workFolder, 'artifacts');
  const secretFile = join(call.workFolder, 'secrets');
  await mkdir(home);
  await mkdir(artifacts);
  // Not on the command line, where everybody could read them.
  const secrets = Object.entries(call.secrets).map(([name, value]) => `${name}=${value}\n`);
  await writeFile(secretFile, secrets.join(''), { mode: 0o600 });
  const id = randomUUID();
  const environment = {
    [marker]: id,
    GITHUB_API_URL: call.apiUrl,
    GITHUB_REPOSITORY: 'shop/shop',
    GITHUB_RUN_ID: call.runId,
  };
  const artifactPort = await findFreePort();
  const relay = await startArtifactRelay(artifactPort);
  const child = spawn(
    act,
    [
      ...['workflow_dispatch', '--json', '--actor', 'ada', '--directory', call.repository],
      ...['--workflows', '.github/workflows/caller.yml', '--secret-file', secretFile],
      ...['--platform', 'self-hosted=-self-hosted', '--platform', 'ubuntu-latest=-self-hosted'],
      ...['--artifact-server-path', artifacts, '--artifact-server-addr', '127.0.0.1'],
      ...['--artifact-server-port', String(artifactPort), '--no-cache-server'],
      ...Object.entries(environment).flatMap(([name, value]) => ['--env', `${name}=${value}`]),
      ...Object.entries(call.inputs).flatMap(([name, value]) => ['--input', `${name}=${value}`]),
    ],
    {
      env: {
        PATH: `${dirname(nodeProgram())}:${process.env.PATH ?? ''}`,
        HOME: home,
        XDG_CACHE_HOME: join(call.workFolder, 'cache'),
        ACTIONS_RUNTIME_URL: relay.url,
        [marker]: id,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8');
    stream.on('data', (text: string) => (output += text));
  }
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  const withdraw = guardProcess(child.pid ?? 0, 'SIGTERM');
  const limit = setTimeout(() => void endProcesses(id), call.timeoutSeconds * 1000);
  let exitCode: number | null;
  try {
    exitCode = await ended;
  } finally {
    clearTimeout(limit);
    withdraw();
    await relay.close();
  }
  const survivors = await endProcesses(id);
  const lines = output.split('\n').map(readLine);
  return {
    exitCode,
    jobs: Object.fromEntries(
      lines.flatMap(({ jobID, jobResult }) =>
        jobID === undefined || jobResult === undefined ? [] : [[jobID, jobResult]],
      ),
    ),
    log: lines.map(({ jobID = '', msg = '' }) => `${jobID}| ${msg.trimEnd()}`).join('\n'),
    survivors,
    artifact: async (prefix) => {
      const folder = join(artifacts, call.runId);
      const names = await readdir(folder).catch(() => []);
      const [name, ...others] = names.filter((found) => found.startsWith(prefix));
      if (others.length > 0) throw new Error(`several artifacts begin with ${prefix}`);
      return name === undefined
        ? {}
        : zipEntries(await readFile(join(folder, name, `${name}.zip`)));
    },
  };
}

type LogLine = { readonly jobID?: string; readonly jobResult?: string; readonly msg?: string };

/** A line of act's log: JSON, or what act says before its log begins. */
function readLine(line: string): LogLine {
  return line.startsWith('{') ? (JSON.parse(line) as LogLine) : { msg: line };
}

/** Kills what carries the mark of a run in its environment, and tells what that was. */
async function endProcesses(id: string): Promise<string[]> {
  const found: string[] = [];
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const environment = await readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '');
    if (!environment.split('\0').includes(`${marker}=${id}`)) continue;
    const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    try {
      process.kill(Number(pid), 'SIGKILL');
    } catch {
      // It ended meanwhile.
      continue;
    }
    found.push(command.replaceAll('\0', ' ').trim());
  }
  return found;
}
