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

/** Files that are kept with the run and can be had back, one an artifact. */
export interface RunArtifacts {
  /** Whether there is an artifact service here at all. */
  readonly isAvailable: boolean;
  /**
   * Keeps a file (absolute path) as the artifact of its own name, as it is.
   * @param days after which it is removed; default: as the repository has it
   */
  keep(path: string, days: number | undefined): Promise<void>;
  /** The run's artifacts; bytes with their packing. */
  list(): Promise<readonly { readonly name: string; readonly bytes: number }[]>;
  /** Puts the file of an artifact into a folder; `false` when there is no such artifact. */
  fetch(name: string, folder: string): Promise<boolean>;
  /** Quiet when there is none. */
  remove(name: string): Promise<void>;
}
