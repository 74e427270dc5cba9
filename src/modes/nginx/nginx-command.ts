import { fail } from '../../ports/failure.ts';
import type { CommandResult, Host } from '../../ports/host.ts';
import { readEffectiveConfig, type EffectiveConfig } from './effective-config.ts';
import type { NginxModeSettings } from './settings.ts';

const timeoutSeconds = 60;
const byteOrderMark = '\uFEFF';

/** How a run of nginx's own program went; the message has our secrets masked. */
export interface NginxVerdict {
  readonly passed: boolean;
  readonly message: string;
}

/** nginx's program on the host. */
export interface Nginx {
  /** `nginx -v`; `undefined` when the program is not there. */
  version(): Promise<string | undefined>;
  /** `nginx -t`. */
  test(): Promise<NginxVerdict>;
  /** Asks the master process to reload. That it was asked proves nothing about the workers. */
  reload(): Promise<NginxVerdict>;
  /**
   * `nginx -T`, read.
   * @throws FailureError `nginx-already-broken`, `nginx-unreadable`
   */
  effectiveConfig(): Promise<EffectiveConfig>;
}

/** nginx as the settings say it is run. */
export function nginxOn(host: Host, settings: NginxModeSettings): Nginx {
  const [program = 'nginx', ...first] = settings.nginxCommand;
  const run = (...args: string[]) =>
    host.run({ argv: [program, ...first, ...args], timeoutSeconds });
  const verdict = (result: CommandResult): NginxVerdict => ({
    passed: result.exitCode === 0 && !result.timedOut,
    message: masked(outcome(result), settings),
  });
  return {
    version: async () => {
      const result = await run('-v');
      return result.exitCode === 0
        ? /nginx version: (\S+)/.exec(result.stderr + result.stdout)?.[1]
        : undefined;
    },
    test: async () => verdict(await run('-t')),
    reload: async () => {
      const [reloadProgram, ...rest] = settings.reloadCommand ?? [];
      if (reloadProgram === undefined) return verdict(await run('-s', 'reload'));
      return verdict(await host.run({ argv: [reloadProgram, ...rest], timeoutSeconds }));
    },
    effectiveConfig: async () => {
      // Taken line by line: a configuration with large lists is longer than what is kept of an output.
      const lines: string[] = [];
      const result = await host.run({
        argv: [program, ...first, '-T'],
        timeoutSeconds,
        onStdoutLine: (line) => lines.push(line),
      });
      if (!verdict(result).passed) failAlreadyBroken(verdict(result));
      return readEffectiveConfig(lines.join('\n'));
    },
  };
}

/** nginx refuses its configuration though we have not touched it. */
export function failAlreadyBroken(verdict: NginxVerdict): never {
  return fail({
    code: 'nginx-already-broken',
    message: `nginx refuses its configuration as it is, before any change of ours: ${verdict.message}`,
    state: 'Nothing was touched; nginx goes on with the configuration that it loaded last.',
    next: 'Repair what `nginx -t` names, then run the step again.',
  });
}

function outcome(result: CommandResult): string {
  const said = (result.stderr.trim() || result.stdout.trim()).split('\n');
  const problems = said.filter((line) => /\[(?:emerg|alert|crit|error)\]/.test(line));
  const told = (problems.length > 0 ? problems : said).join('; ').slice(0, 1500);
  if (result.timedOut) return `it did not end within ${timeoutSeconds} seconds; ${told}`;
  if (told.includes(byteOrderMark)) {
    return `${told.replaceAll(byteOrderMark, '')} (with a byte order mark before it, which nobody sees: save the file without)`;
  }
  return told === '' ? `exit code ${String(result.exitCode)}` : told;
}

function masked(message: string, settings: NginxModeSettings): string {
  return [settings.bypassHeader, settings.bypassCookie]
    .filter((bypass) => bypass !== undefined)
    .reduce((text, { token }) => text.replaceAll(token, '***'), message);
}
