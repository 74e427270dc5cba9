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
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
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
  const reason = error instanceof Error ? error.message : String(error);
  const failure: Failure = {
    code,
    message: `Could not ${doing}: ${reason}.`,
    state,
    next: nextSteps[code] ?? 'Look at the host, then run the step again.',
  };
  return new FailureError(failure, { cause: error });
}
