import { FailureError } from '../../ports/failure.ts';
import { LocalProcess } from '../local-process.ts';
import { readPrivateKey, type PrivateKey } from './private-key.ts';

/** Seconds that the agent keeps a key; it is given anew before each login. */
const keyLifeSeconds = 120;

/** An ssh-agent of our own with one private key, which so is never on a disk. */
export interface KeyAgent {
  readonly socket: string;
  /**
   * Gives the key to the agent, for the next login.
   * @throws FailureError `host-auth-failed` when it is no key that we can use
   */
  unlock(): Promise<void>;
  close(): Promise<void>;
}

function unusable(problem: string, next: string): FailureError {
  return new FailureError({
    code: 'host-auth-failed',
    message: `The private key for SSH ${problem}.`,
    state: 'No host was contacted with it.',
    next,
  });
}

function usableText(key: PrivateKey): string {
  const again = 'then run the step again.';
  switch (key.kind) {
    case 'usable':
      return key.text;
    case 'encrypted':
      throw unusable(
        'is protected by a passphrase, which nobody is there to type',
        `Make a key without one for the window (\`ssh-keygen -t ed25519 -N ''\`), put it into the secret, ${again}`,
      );
    case 'public':
      throw unusable(
        'is a public key',
        `Put the other half, the file without \`.pub\`, into the secret, ${again}`,
      );
    case 'malformed':
      throw unusable(
        'is not a private key in a format of OpenSSH or PEM',
        `Put the whole file into the secret, from its BEGIN line to its END line, ${again}`,
      );
  }
}

/**
 * Starts the agent around a child of ours that waits for the end of its input: however we end, SIGKILL
 * included, that input ends, so does the child, and ssh-agent(1) exits with the command that it was given.
 * @throws FailureError `host-auth-failed` when the text is no usable key
 */
export async function startKeyAgent(
  secret: string,
  socket: string,
  environment: Readonly<Record<string, string>>,
): Promise<KeyAgent> {
  const text = usableText(readPrivateKey(secret));
  const holder = new LocalProcess(
    {
      argv: [
        ...(['ssh-agent', '-a', socket, 'sh', '-c'] as const),
        'echo "$SSH_AGENT_PID"; exec cat > /dev/null',
      ],
    },
    { environment },
    true,
  );
  const pid = Number(await holder.nextLine());
  if (!Number.isInteger(pid) || pid <= 1) {
    const { stderr } = await holder.end();
    throw new FailureError({
      code: 'host-error',
      message: `ssh-agent could not be started: ${stderr.trim()}.`,
      state: 'No host was contacted.',
      next: 'Install the OpenSSH client where the window runs, then run the step again.',
    });
  }
  const add = async (): Promise<void> => {
    const { exitCode, stderr } = await new LocalProcess(
      {
        argv: ['ssh-add', '-q', '-t', String(keyLifeSeconds), '-'],
        env: { SSH_AUTH_SOCK: socket, SSH_ASKPASS_REQUIRE: 'never' },
        stdin: text,
        timeoutSeconds: 20,
      },
      { environment },
      false,
    ).result;
    if (exitCode === 0) return;
    throw unusable(
      `was refused by ssh-add: ${stderr.trim().replace(/\s+/g, ' ')}`,
      'Check the key with `ssh-keygen -y -f FILE`, put the whole file into the secret, then run the step again.',
    );
  };
  return {
    socket,
    unlock: add,
    close: async () => {
      try {
        // Its parent, our child, has not ended, so that the number is still that of the agent.
        process.kill(pid, 'SIGTERM');
      } catch {
        // It is gone already.
      }
      await holder.kill();
    },
  };
}
