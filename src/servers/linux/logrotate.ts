import type { Host } from '../../ports/host.ts';
import type { RotationTimes } from '../../ports/server.ts';
import { failCommand } from '../command-failure.ts';

/** Runs logrotate and reads what it says (`--verbose`) about each log. */
export async function rotateLogs(
  host: Host,
  how: {
    readonly config: string;
    readonly state: string;
    readonly force: boolean;
    readonly dryRun: boolean;
  },
): Promise<{ readonly considered: readonly string[]; readonly rotated: readonly string[] }> {
  const result = await host.run({
    argv: [
      'logrotate',
      '--verbose',
      `--state=${how.state}`,
      ...(how.force ? ['--force'] : []),
      ...(how.dryRun ? ['--debug'] : []),
      how.config,
    ],
    timeoutSeconds: 600,
  });
  if (result.exitCode !== 0) {
    const stderr = result.stderr
      .split('\n')
      .filter((line) => line.startsWith('error:'))
      .join('\n');
    failCommand('Rotating the logs', `logrotate ${how.config}`, { ...result, stderr });
  }
  return parseRotation(`${result.stdout}\n${result.stderr}`);
}

/** `considering log F`, and below it whether it needs rotating or, rotating, `rotating log F`. */
export function parseRotation(output: string): {
  readonly considered: readonly string[];
  readonly rotated: readonly string[];
} {
  const all = (pattern: RegExp): string[] => [
    ...new Set([...output.matchAll(pattern)].map(([, log = '']) => log)),
  ];
  return {
    considered: all(/^considering log (.+)$/gm),
    rotated: all(/^rotating log (.+), log->rotateCount is \d+$/gm),
  };
}

/** logrotate's memory: `"/var/log/x.log" 2026-11-22-3:0:5` a line (logrotate.status, version 2). */
export async function rotationTimes(host: Host, state: string): Promise<RotationTimes> {
  const text = new TextDecoder().decode((await host.readFile(state)) ?? undefined);
  const times = new Map<string, string>();
  for (const [, log = '', time = ''] of text.matchAll(/^"((?:[^"\\]|\\.)*)" (\S+)$/gm)) {
    times.set(log.replaceAll(/\\(.)/g, '$1'), time);
  }
  return times;
}
