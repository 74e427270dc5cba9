import { FailureError } from '../../ports/failure.ts';

/** The last lines of what ssh printed, as one. */
function lastWords(said: string): string {
  const lines = said
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !/^@+$/.test(line));
  return lines.slice(-3).join(' ').replace(/\.$/, '');
}

const untouched = 'Nothing was done on that host.';

/**
 * Why a login failed, told from ssh's words (it prints them in English only).
 * @param said its standard error and what a login shell printed
 */
export function connectionFailure(host: string, said: string): FailureError {
  const words = lastWords(said);
  const about = (code: string, message: string, next: string): FailureError =>
    new FailureError({ code, message, state: untouched, next });
  if (/host key for .* has changed|HOST IDENTIFICATION HAS CHANGED|REVOKED HOST KEY/i.test(said)) {
    const print = /\b(?:SHA256|MD5):\S+?(?=\.?$)/m.exec(said)?.[0];
    return about(
      'host-key-changed',
      `${host} shows another host key than the one that is known for it${print === undefined ? '' : ` (${print})`}.`,
      'Find out on that machine itself whether it was set up anew (`ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub`). If so, put its new key into the known hosts; if not, somebody stands in between: do not go on.',
    );
  }
  if (/host key is known for|Host key verification failed/i.test(said)) {
    return about(
      'host-key-unknown',
      `The host key of ${host} is not among the known hosts.`,
      'Add its line (as `ssh-keyscan` prints it, compared with the key on the machine itself) to the known hosts of the plan or of the account, then run the step again.',
    );
  }
  if (
    /Permission denied|Too many authentication failures|no mutual signature|Authentication failed/i.test(
      said,
    )
  ) {
    return about(
      'host-auth-failed',
      `${host} did not accept our key: ${words}.`,
      'Put the public half of the key into ~/.ssh/authorized_keys of that user on that host, check the user in the plan, then run the step again.',
    );
  }
  if (
    /Bad configuration option|no argument after keyword|Bad owner or permissions|command-line line|Unable to negotiate|no matching/i.test(
      said,
    )
  ) {
    return about(
      'host-error',
      `ssh could not log in to ${host}: ${words}.`,
      'Correct what ssh names, then run the step again.',
    );
  }
  return about(
    'host-unreachable',
    `${host} could not be reached: ${words === '' ? 'ssh said nothing' : words}.`,
    'Check the name, the port, the network and that the SSH server runs, then run the step again.',
  );
}

/** The login went well, but there is no shell that runs what we ask for. */
export function noShell(host: string, said: string): FailureError {
  const words = lastWords(said);
  return new FailureError({
    code: 'host-error',
    message: `The login on ${host} does not run commands: ${words === '' ? 'it printed nothing' : words}.`,
    state: untouched,
    next: 'Give that user a login shell, without a forced command, then run the step again.',
  });
}

/** The server takes fewer sessions on a connection than we need. */
export function sessionRefused(host: string): FailureError {
  return new FailureError({
    code: 'host-error',
    message: `The SSH server of ${host} refused another session on a connection.`,
    state: 'The command was not started.',
    next: 'Set MaxSessions to 10 (its default) or more in its sshd_config, then run the step again.',
  });
}

/** The connection went while a command ran, or was about to. */
export function cutOff(host: string, program: string, said: string): FailureError {
  const words = lastWords(said);
  return new FailureError({
    code: 'host-unreachable',
    message: `The connection to ${host} was lost while \`${program}\` ran${words === '' ? '' : `: ${words}`}.`,
    state: 'What it did there up to then is unknown, and it may still be running.',
    next: 'When the host can be reached again, look whether it still runs; then run the phase again or `rollback`, which look at what is there.',
  });
}

/** ssh is not where the window runs. */
export function noClient(error: Error): FailureError {
  return new FailureError(
    {
      code: 'host-error',
      message: `ssh could not be started: ${error.message}.`,
      state: untouched,
      next: 'Install the OpenSSH client where the window runs, then run the step again.',
    },
    { cause: error },
  );
}
