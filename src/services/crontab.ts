import { createHash } from 'node:crypto';
import { posix } from 'node:path';
import { fail } from '../ports/failure.ts';
import type { Command, Host } from '../ports/host.ts';
import type { Service, ServiceState } from '../ports/services.ts';
import { ask, toolFailed } from './tool.ts';

export interface CrontabOptions {
  readonly user: string;
  readonly windowId: string;
  /** Where the jobs are kept meanwhile, readable by us alone: they may hold secrets. */
  readonly folder: string;
}

/**
 * The crontab of a user. Paused by putting a comment in its place, after its text was saved; only the text's
 * SHA-256 goes into the record. Jobs that cron has begun go on.
 */
export function userCrontab(host: Host, options: CrontabOptions): Service {
  const { user, windowId, folder } = options;
  const saved = posix.join(folder, `crontab-${user}-${windowId}`);
  const comment = `# Paused by maintenance window ${windowId}; the jobs come back at its end.\n# Until then they are kept in ${saved}.\n`;

  const crontab = async (last: string): Promise<Command> => {
    const self = (await ask(host, { argv: ['id', '-un'] }, 'tell our user')).stdout.trim();
    // Only root may name a user, even oneself.
    return { argv: ['crontab', ...(self === user ? [] : ['-u', user]), last] };
  };
  const read = async (): Promise<string> => {
    const command = await crontab('-l');
    const result = await host.run({ ...command, timeoutSeconds: 30 });
    if (result.exitCode === 0) return result.stdout;
    if (/^no crontab for /m.test(result.stderr)) return '';
    return toolFailed(host, command, result, `read the crontab of ${user}`);
  };
  const write = async (text: string): Promise<void> => {
    await ask(host, { ...(await crontab('-')), stdin: text }, `write the crontab of ${user}`);
  };
  const readSaved = async (): Promise<string | undefined> => {
    const bytes = await host.readFile(saved);
    return bytes === undefined ? undefined : new TextDecoder().decode(bytes);
  };
  const isOurs = (text: string): boolean => text.trim() === comment.trim();

  const state = async (): Promise<ServiceState> => {
    const text = await read();
    const kept = await readSaved();
    if (isOurs(text)) {
      return kept === undefined
        ? { kind: 'failed', detail: `it is paused, but ${saved} with its jobs is gone` }
        : { kind: 'stopped', detail: `its jobs are kept in ${saved}` };
    }
    if (kept !== undefined && kept !== text) {
      return {
        kind: 'replaced',
        detail: `the crontab of ${user} was changed while it was paused; the one of before is kept in ${saved}`,
      };
    }
    const jobs = countJobs(text);
    if (jobs === 0) return { kind: 'stopped', detail: `${user} has no cron jobs` };
    // Killed before it was paused, or after its jobs were put back: the copy may hold secrets.
    const leftover = kept === undefined ? {} : { leftover: true };
    return {
      kind: 'running',
      detail: `${jobs} cron jobs of ${user}`,
      mark: sha256(text),
      ...leftover,
    };
  };
  return {
    host: host.name,
    title: `crontab of ${user}`,
    check: async () => {
      const found = await state();
      return {
        verdict: 'passed',
        value:
          found.kind === 'running'
            ? `${found.detail}; they are set aside while the site is closed`
            : found.detail,
      };
    },
    state,
    stop: async () => {
      const text = await read();
      if (isOurs(text)) return;
      await host.makeDirectory(folder, 0o700);
      await host.writeFile(saved, text, { mode: 0o600 });
      await write(comment);
    },
    start: async (mark) => {
      const kept = await readSaved();
      const text = await read();
      if (kept !== undefined && kept === text) return host.remove(saved);
      if (!isOurs(text)) {
        return fail({
          code: 'service-replaced',
          message: `The crontab of ${user} was changed while it was paused.`,
          state: `The new one stands; the one of before is kept in ${saved}.`,
          next: `Compare the two with \`crontab -u ${user} -l\`, put together what is right, and remove ${saved}.`,
        });
      }
      if (kept === undefined || (mark !== undefined && sha256(kept) !== mark)) {
        return fail({
          code: 'service-not-started',
          message: `The saved crontab of ${user} in ${saved} is ${kept === undefined ? 'gone' : 'not the one that was saved'}.`,
          state: `The crontab of ${user} holds only our comment; its jobs do not run.`,
          next: `Put the jobs back by hand with \`crontab -u ${user} -e\`.`,
        });
      }
      await write(kept);
      if ((await read()) === kept) await host.remove(saved);
    },
    log: async () => [],
  };
}

/** Lines that cron would run: neither comments nor settings of the environment (crontab(5)). */
export function countJobs(text: string): number {
  return text
    .split('\n')
    .filter((line) => !/^\s*(?:#|$)/.test(line) && !/^\s*["']?[A-Za-z_]\w*["']?\s*=/.test(line))
    .length;
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
