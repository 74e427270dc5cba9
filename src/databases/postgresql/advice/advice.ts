import type { Finding } from '../../../ports/database-tasks.ts';

/** What one look found. */
export interface Advice {
  /** Kind of all its findings. */
  readonly kind: string;
  /** The worst first. */
  readonly findings: readonly Finding[];
  /** How it was looked, when not in the best way; why it was not. */
  readonly note?: string;
}

/** For instance `12.3 MB`. */
export function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toLocaleString('en-US', { maximumFractionDigits: 1 })} MB`;
}

export function percent(share: number): string {
  return `${(share * 100).toFixed(0)} %`;
}

/** How every look is spoken of when it fails. */
export function looking(what: string): { readonly what: string; readonly state: string } {
  return {
    what: `Looking for ${what}`,
    state: 'Nothing was changed; optimize-queries only reads.',
  };
}
