import * as z from 'zod';
import type { CheckOf } from '../../plan/settings/smoke-test.ts';
import { fail } from '../../ports/failure.ts';
import type { Host } from '../../ports/host.ts';
import { failed, passed, type CheckKind, type Verdict } from './check-kind.ts';
import { demandAnswer, lookOnHosts } from './on-hosts.ts';

type ComposeCheck = CheckOf<'compose'>;

/** A container as `docker compose ps --format json` tells of it. */
const container = z.object({
  Service: z.string(),
  State: z.string(),
  /** Empty when the service has no health check. */
  Health: z.string().default(''),
  ExitCode: z.number().default(0),
});
export type Container = z.output<typeof container>;

/** Services of a project of Docker Compose. */
export const composeKind: CheckKind<'compose'> = {
  turn: 'then',
  timeoutSeconds: ({ timeout }) => timeout ?? 30,
  expectation: describeDemand,
  look: (context, check, timeoutSeconds) =>
    lookOnHosts(context, check.on, describeDemand(check), async (host) => {
      const asked = { check, host, timeoutSeconds };
      const services =
        check.services.length > 0
          ? check.services
          : (await ask(asked, ['config', '--services'])).split('\n').filter((name) => name !== '');
      const found = readContainers(await ask(asked, ['ps', '--all', '--format', 'json']));
      return judgeCompose(services, found, describeDemand(check));
    }),
};

async function ask(
  { check, host, timeoutSeconds }: { check: ComposeCheck; host: Host; timeoutSeconds: number },
  args: readonly string[],
): Promise<string> {
  const [program = 'docker', ...options] = check.command;
  const result = await host.run({
    argv: [program, ...options, ...args],
    workingDirectory: check.directory,
    timeoutSeconds,
  });
  return demandAnswer([program, ...options, args[0] ?? ''].join(' '), result);
}

/**
 * Reads the list: one object a line since Compose 2.21, one array before.
 * @throws FailureError `compose-answer-unexpected`
 */
export function readContainers(text: string): readonly Container[] {
  try {
    const lines = text.split('\n').filter((line) => line.trim() !== '');
    const values = lines.flatMap((line): unknown => JSON.parse(line));
    return z.array(container).parse(values);
  } catch (error) {
    return fail(
      {
        code: 'compose-answer-unexpected',
        message: 'Compose answered with something other than its list of containers as JSON',
        state: 'It was only asked; nothing was changed.',
        next: 'Use Docker Compose 2; version 1 cannot list as JSON.',
      },
      error,
    );
  }
}

/** Every service must have containers, all of them running, and healthy where they have a health check. */
export function judgeCompose(
  services: readonly string[],
  containers: readonly Container[],
  expected: string,
): Verdict {
  if (services.length === 0) return failed('the project has no services', expected);
  const states = services.map((service) => {
    const own = containers.filter(({ Service }) => Service === service);
    const isGood =
      own.length > 0 &&
      own.every(({ State, Health }) => State === 'running' && ['', 'healthy'].includes(Health));
    const words = own.length === 0 ? 'no container' : own.map(wordsOf).join(' and ');
    return { isGood, text: `${service} ${words}` };
  });
  const bad = states.filter(({ isGood }) => !isGood);
  const told = (bad.length === 0 ? states : bad).map(({ text }) => text).join(', ');
  return bad.length === 0 ? passed(told) : failed(told, expected);
}

function wordsOf({ State, Health, ExitCode }: Container): string {
  if (State === 'exited') return `exited with ${ExitCode}`;
  return Health === '' ? State : `${State} (${Health})`;
}

function describeDemand({ services }: Pick<ComposeCheck, 'services'>): string {
  const which = services.length === 0 ? 'every service of the project' : services.join(', ');
  return `${which} running, and healthy where there is a health check`;
}
