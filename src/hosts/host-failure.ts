import { FailureError, type Failure } from '../ports/failure.ts';

/** Why a system call failed, in the words of the failure codes. */
const codes: Readonly<Record<string, string>> = {
  EACCES: 'host-permission',
  EPERM: 'host-permission',
  EROFS: 'host-permission',
  ENOSPC: 'host-disk-full',
  EDQUOT: 'host-disk-full',
  // The limit of a file's size (RLIMIT_FSIZE) is met like a quota: this much may not be written here.
  EFBIG: 'host-disk-full',
  ENOENT: 'host-missing',
  ENOTDIR: 'host-missing',
};

const nextSteps: Readonly<Record<string, string>> = {
  'host-permission':
    'Give the user that runs the window access to it (see `ls -ld` of the path and of its folders), then run the step again.',
  'host-disk-full': 'Free space or raise the quota on that file system, then run the step again.',
  'host-missing': 'Check the path in the plan, create what is missing, then run the step again.',
  'host-error': 'Look at the named path on the host, then run the step again.',
};

/** The `errno` name of a thrown system error (`ENOENT`, …); `undefined` when it is something else. */
export function errnoOf(error: unknown): string | undefined {
  // By its shape and not by instanceof: an error may come from another realm (a vm context).
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

function messageOf(error: unknown): string {
  const { message } = Object(error) as { message?: unknown };
  return typeof message === 'string' ? message : String(error);
}

/**
 * Turns a thrown system error into a {@link FailureError} with a `host-…` code.
 * @param doing what was attempted, to follow "Could not": `write /srv/site.conf`
 * @param state one sentence: what is true of the host now
 */
export function hostFailure(error: unknown, doing: string, state: string): FailureError {
  if (error instanceof FailureError) return error;
  const errno = errnoOf(error);
  const code = (errno === undefined ? undefined : codes[errno]) ?? 'host-error';
  const failure: Failure = {
    code,
    message: `Could not ${doing}: ${messageOf(error)}.`,
    state,
    next: nextSteps[code] ?? 'Look at the host, then run the step again.',
  };
  return new FailureError(failure, { cause: error });
}
