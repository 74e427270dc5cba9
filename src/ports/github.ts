/** What GitHub says of a gate environment. */
export type GateEnvironment =
  | { readonly kind: 'missing' }
  | { readonly kind: 'unreadable'; readonly reason: string }
  | {
      readonly kind: 'found';
      /** Logins of users and `team:slug` of teams that may approve; empty: no protection. */
      readonly reviewers: readonly string[];
      readonly preventsSelfReview: boolean;
      /** Minutes of the wait timer, 0 when none. */
      readonly waitMinutes: number;
    };

/** A review of a gate; GitHub gives no time for it. */
export interface Approval {
  readonly state: 'approved' | 'rejected' | 'pending';
  readonly user: string;
  readonly comment: string;
  readonly environments: readonly string[];
}

/** How a job of this run went. */
export interface JobResult {
  readonly name: string;
  /** `success`, `failure`, `cancelled`, `skipped`, … or `in_progress`. */
  readonly conclusion: string;
  readonly startedAt?: string;
  readonly completedAt?: string;
}

/** The few things the window asks GitHub; absent (undefined) on the command line. */
export interface GitHub {
  environment(name: string): Promise<GateEnvironment>;
  approvals(): Promise<readonly Approval[]>;
  jobs(): Promise<readonly JobResult[]>;
}

/** Keeps files with the run. */
export interface Artifacts {
  /**
   * Uploads the files (absolute paths under `root`) as one artifact.
   * @returns the artifact's id, or `undefined` where there is no artifact service
   */
  upload(name: string, root: string, files: readonly string[]): Promise<string | undefined>;
}
