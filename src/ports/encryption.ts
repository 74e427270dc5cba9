import type { Host, PipeStage } from './host.ts';

/** Whether a host can encrypt. */
export type EncryptionCheck =
  | { readonly kind: 'ready'; readonly detail: string }
  | { readonly kind: 'unready'; readonly reason: string; readonly next: string };

/** What makes copies of backups unreadable for whoever has no private key, on the host that holds the bytes. */
export interface Encryption {
  /** Program of a pipeline: plain bytes in, encrypted ones out. Needs public keys only. */
  readonly encrypt: PipeStage;
  /**
   * The other way round; `undefined` without a private key. That travels by environment and descriptor alone.
   * @throws FailureError `secret-missing`, for who has not been given the key; ask only where it is needed
   */
  readonly decrypt: PipeStage | undefined;
  /**
   * Tries it out on the host with some bytes.
   * @param way `both`, the default: there and back, where there is a private key; `encrypt`: the host does not see it
   */
  check(host: Host, way?: 'encrypt' | 'both'): Promise<EncryptionCheck>;
}
