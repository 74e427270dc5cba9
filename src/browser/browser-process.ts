import { spawn, type ChildProcess } from 'node:child_process';
import { constants } from 'node:fs';
import { access, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { protocolPipe, type ProtocolPipe } from './protocol-pipe.ts';

const names = ['chromium', 'chromium-browser', 'google-chrome-stable', 'google-chrome', 'chrome'];
const usualPath = '/usr/local/bin:/usr/bin:/bin:/snap/bin';
const endMilliseconds = 2000;

/** The browser's program: the given one, or the first of the usual names on the PATH. */
export async function findBrowser(
  executable: string | undefined,
  path: string | undefined,
): Promise<string | undefined> {
  const folders = (path ?? usualPath).split(delimiter).filter((folder) => folder !== '');
  const candidates =
    executable === undefined
      ? names.flatMap((name) => folders.map((folder) => join(folder, name)))
      : [executable];
  for (const candidate of candidates) {
    const isThere = await access(candidate, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (isThere) return candidate;
  }
  return undefined;
}

/** A running browser with a profile of its own. */
export interface BrowserProcess {
  readonly pipe: ProtocolPipe;
  /** What it wrote to standard error, the end of it. */
  complaint(): string;
  /** Ends it with all of its processes, and removes the profile. */
  end(): Promise<void>;
}

/**
 * Starts the browser without a window, listening on two pipes and on no port, with an environment that holds
 * nothing of the run's: no token, no password.
 */
export async function startBrowser(
  executable: string,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<BrowserProcess> {
  const profile = await mkdtemp(join(tmpdir(), 'maintenance-window-browser-'));
  const child = spawn(
    executable,
    [
      '--headless=new',
      '--remote-debugging-pipe',
      `--user-data-dir=${profile}`,
      '--no-first-run',
      '--no-default-browser-check',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-default-apps',
      '--disable-extensions',
      '--disable-gpu',
      '--disable-sync',
      '--metrics-recording-only',
      '--mute-audio',
      '--password-store=basic',
      // Containers give little shared memory.
      '--disable-dev-shm-usage',
      '--window-size=1280,800',
      // Chromium refuses to run its sandbox as root.
      ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
      'about:blank',
    ],
    {
      // A group of its own: its processes are ended together.
      detached: true,
      stdio: ['ignore', 'ignore', 'pipe', 'pipe', 'pipe'],
      env: {
        PATH: environment.PATH ?? usualPath,
        HOME: profile,
        TMPDIR: tmpdir(),
        LANG: 'C.UTF-8',
      },
    },
  );
  let complaint = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    complaint = `${complaint}${chunk.toString('utf8')}`.slice(-2000);
  });
  child.on('error', (error) => {
    complaint = error.message;
  });
  const [, , , toBrowser, fromBrowser] = child.stdio;
  return {
    pipe: protocolPipe(toBrowser as Writable, fromBrowser as Readable),
    complaint: () => complaint,
    end: async () => {
      await endGroup(child);
      await rm(profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
    },
  };
}

async function endGroup(child: ChildProcess): Promise<void> {
  const { pid } = child;
  const isOver = (): boolean => child.exitCode !== null || child.signalCode !== null;
  if (pid === undefined) return;
  const ended = new Promise<void>((resolve) => {
    if (isOver()) resolve();
    else
      child.once('exit', () => {
        resolve();
      });
  });
  signal(pid, 'SIGTERM');
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, endMilliseconds);
  });
  await Promise.race([ended, late]);
  clearTimeout(timer);
  // What its helpers left, too.
  signal(pid, 'SIGKILL');
  await ended;
}

function signal(pid: number, name: 'SIGTERM' | 'SIGKILL'): void {
  try {
    process.kill(-pid, name);
  } catch {
    // The group is gone.
  }
}
