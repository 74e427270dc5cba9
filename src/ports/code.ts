import type { Check } from './maintenance-mode.ts';

/** Where a checkout stands. */
export interface Head {
  /** Hexadecimal id of the commit. */
  readonly commit: string;
  /** `undefined` when it is detached. */
  readonly branch: string | undefined;
  /** Tracked files that differ from the commit. */
  readonly modified: number;
  readonly untracked: number;
}

/**
 * The application's code on one host, under version control. Nothing here runs the repository's hooks, overwrites
 * local changes or forces a push.
 * Errors: methods throw FailureError (`code-…`, `host-…`).
 */
export interface Checkout {
  /** The host, as the plan names it. */
  readonly host: string;
  readonly directory: string;
  /** Whether it is there and can be tagged (and the tag pushed to `remote`); touches nothing. */
  check(remote: string | undefined): Promise<Pick<Check, 'verdict' | 'value' | 'next'>>;
  head(): Promise<Head>;
  /** The commit that a tag stands for; `undefined` when there is no such tag. */
  taggedCommit(tag: string): Promise<string | undefined>;
  /** Makes an annotated tag. */
  createTag(tag: string, commit: string, message: string): Promise<void>;
  /** The commit that a tag stands for in the remote repository. */
  remoteTaggedCommit(remote: string, tag: string): Promise<string | undefined>;
  push(remote: string, tag: string): Promise<void>;
  /**
   * Puts the work tree back to a commit: on the branch when it still stands there, else detached at the tag.
   * @returns where it is now, for people
   */
  putBack(to: { tag: string; commit: string; branch: string | undefined }): Promise<string>;
  /** Runs a command of the user's in the folder. */
  run(argv: readonly [string, ...string[]], env: Readonly<Record<string, string>>): Promise<void>;
}
