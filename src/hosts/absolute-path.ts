import { isAbsolute } from 'node:path';
import { fail } from '../ports/failure.ts';

/**
 * The path itself.
 * @throws FailureError when it is relative or contains a NUL
 */
export function absolutePath(path: string): string {
  if (isAbsolute(path) && !path.includes('\0')) return path;
  return fail({
    code: 'host-error',
    message: `The path ${JSON.stringify(path)} is not absolute.`,
    state: 'Nothing was touched.',
    next: 'Give a path that begins with /.',
  });
}
