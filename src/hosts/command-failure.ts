import { FailureError } from '../ports/failure.ts';
import { captureLimitBytes } from './captured-output.ts';

/** The failure of everything that is asked of a host after the run was cancelled. */
export function cancelled(program: string): FailureError {
  return new FailureError({
    code: 'cancelled',
    message: `The run was cancelled; \`${program}\` was ended or not started.`,
    state: 'The command and its children are gone; its effects up to then may have happened.',
    next: 'Run the phase again, or `rollback`; both look at what is there.',
  });
}

/** We could not end a command, so its failure must not say that it is gone. */
export function stillRunning(program: string, groupId: number): FailureError {
  return new FailureError({
    code: 'host-error',
    message: `\`${program}\` was to be ended (timeout or cancelled run), but its process group ${groupId} did not go.`,
    state: 'Some of its processes are still running and may still have effects.',
    next: `Look at them with \`ps -o pid,user,args -g ${groupId}\`, end them, then run the phase again or \`rollback\`.`,
  });
}

export function tooMuchOutput(program: string): FailureError {
  return new FailureError({
    code: 'host-error',
    message: `\`${program}\` printed more than ${captureLimitBytes} bytes on its standard output.`,
    state: 'The command was ended; its effects up to then may have happened.',
    next: 'Let the command write to a file, or print less, then run the step again.',
  });
}

export function tooSlow(program: string, seconds: number): FailureError {
  return new FailureError({
    code: 'host-timeout',
    message: `\`${program}\` took longer than the ${seconds} s that it was given.`,
    state: 'It was ended and is gone; its effects up to then may have happened.',
    next: 'Look at what holds it up on that host, or give it more time, then run the step again.',
  });
}

/** A command whose bytes matter has ended, but their end was not seen. */
export function outputHeld(program: string): FailureError {
  return new FailureError({
    code: 'host-error',
    message: `\`${program}\` has ended, but something that it started still holds its output.`,
    state: 'What it printed cannot be trusted to be whole.',
    next: 'Look at what it leaves running on that host, end that, then run the step again.',
  });
}
