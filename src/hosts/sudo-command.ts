import { FailureError } from '../ports/failure.ts';

/** Asks for nothing (`-n`), with the home folder of the user that it turns to (`-H`). See sudo(8). */
export const sudoArguments = ['sudo', '-n', '-H', '--'] as const;

/** sudo did not let us. @param said what it, or the login shell, printed */
export function sudoRefused(host: string, said: string): FailureError {
  const reason = said.trim().replace(/\s+/g, ' ').replace(/\.$/, '');
  return new FailureError({
    code: 'host-sudo-refused',
    message: `sudo did not run a shell on ${host}: ${reason === '' ? 'it said nothing' : reason}.`,
    state: 'Nothing was done by it.',
    next: 'Allow that user `NOPASSWD: ALL` for the window in sudoers (see `sudo -n -l` there), or turn `sudo` off, then run the step again.',
  });
}
