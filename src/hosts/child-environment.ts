import { fail } from '../ports/failure.ts';

/**
 * What children see of the caller's environment; all else (tokens, passwords) stays here. So does
 * RUNNER_TRACKING_ID, by which a runner ends what a job left: a service that was started again must outlive the job.
 */
const inherited = ['PATH', 'HOME', 'USER', 'LOGNAME', 'TMPDIR', 'TZ'] as const;
const defaultPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

function refuse(name: string): never {
  return fail({
    code: 'host-error',
    message: `The environment variable ${name} contains a NUL character.`,
    state: 'Nothing was started.',
    next: `Set ${name} to a value without NUL characters, then run the step again.`,
  });
}

/**
 * The environment of a child: a short allow-list, messages in English (`LC_ALL=C`, because they are parsed),
 * and what the command names itself, which wins.
 * @throws FailureError naming the variable (never its value, which may be a secret) when it contains a NUL
 */
export function childEnvironment(
  environment: Readonly<Record<string, string>>,
  own: Readonly<Record<string, string>> = {},
): Record<string, string> {
  const result: Record<string, string> = { PATH: defaultPath };
  for (const name of inherited) {
    const value = environment[name];
    if (value !== undefined && value !== '') result[name] = value;
  }
  Object.assign(result, { LANG: 'C', LC_ALL: 'C' }, own);
  for (const [name, value] of Object.entries(result)) {
    if (value.includes('\0')) refuse(name);
  }
  return result;
}
