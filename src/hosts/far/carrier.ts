import type { FailureError } from '../../ports/failure.ts';
import type { ChildEnd } from '../relay.ts';

/**
 * What a channel is for: a command that ends by itself, a session that stays open as long as somebody holds it,
 * or a word to the machine while its other channels are taken.
 */
export type ChannelKind = 'command' | 'session' | 'control';

/** One way to a shell: a child of ours whose standard streams are those of the loader on the other side. */
export interface Channel {
  readonly argv: readonly [string, ...string[]];
  /** Added to the child's environment; nothing of it reaches the other side. */
  readonly env: Readonly<Record<string, string>>;
  /**
   * Why the shell never answered. `again`: nothing can have begun there, and another channel may do better.
   * @param said what the child printed
   */
  silence(end: ChildEnd, said: string): Promise<FailureError | 'again'>;
  /**
   * Why the answers stopped before the command had ended; `undefined` when the other side can still be
   * reached, so that somebody there must have ended the shell along with the command.
   */
  broken(program: string): Promise<FailureError | undefined>;
  /** Gives the channel back. */
  close(): void;
}

/** How shells are reached on one machine as one user. */
export interface Carrier {
  /** The host's name, for messages. */
  readonly name: string;
  /**
   * Waits for a free channel.
   * @throws FailureError when the machine cannot be reached; `cancelled` when the signal fires meanwhile
   */
  open(kind: ChannelKind, program: string, signal: AbortSignal | undefined): Promise<Channel>;
}
