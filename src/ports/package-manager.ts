/** An installed package. */
export interface InstalledPackage {
  /** With its architecture where the host has several: `libc6:amd64`. */
  readonly name: string;
  readonly version: string;
}

/** A package whose version changes. */
export interface PackageChange {
  readonly name: string;
  /** `null`: it was not installed. */
  readonly from: string | null;
  /** `null`: it is not installed any more. */
  readonly to: string | null;
}

/** An update, and where it comes from. */
export interface PlannedChange extends PackageChange {
  readonly security: boolean;
}

/** An update that is not made. */
export interface KeptPackage {
  readonly name: string;
  readonly from: string;
  readonly to: string;
  /** Whether a security archive has an update. */
  readonly security: boolean;
  readonly why: 'on hold' | 'excluded by the plan' | 'kept back by the package manager';
}

/** What an upgrade would do. */
export interface UpgradePlan {
  readonly changes: readonly PlannedChange[];
  readonly kept: readonly KeptPackage[];
  readonly downloadBytes: number;
}

export interface UpgradeRequest {
  readonly upgrade: 'security' | 'all';
  /** Names of packages that stay. */
  readonly exclude: readonly string[];
}

export interface PackageWork {
  /** Seconds that other package work on the host is waited for. */
  readonly lockTimeoutSeconds: number;
  /** Seconds after which the work is ended. */
  readonly timeoutSeconds: number;
  readonly onLine?: ((line: string) => void) | undefined;
}

/** Where package work stands on the host. */
export interface PackageState {
  /** `undefined`, or why packages cannot be managed here. */
  readonly obstacle: string | undefined;
  /** Packages that are not wholly installed, and other work left half-way. */
  readonly unfinished: readonly string[];
  /** When the lists of available packages were last fetched, ISO 8601; `undefined` when never. */
  readonly listsFrom: string | undefined;
}

/**
 * Installs packages; today apt. Nothing here ever asks a question, changes a package on hold, or downgrades one.
 * Errors: FailureError `packages-…`.
 */
export interface PackageManager {
  readonly kind: string;
  state(): Promise<PackageState>;
  /** Who works on packages at this moment; `undefined` when nobody does. */
  holder(): Promise<string | undefined>;
  /** Waits for other package work to end: what it has not finished is not left half-way yet. */
  settle(work: PackageWork): Promise<void>;
  installed(): Promise<readonly InstalledPackage[]>;
  /** Fetches the lists of available packages. */
  refresh(work: PackageWork): Promise<void>;
  /** By the lists at hand; touches nothing. */
  plan(request: UpgradeRequest): Promise<UpgradePlan>;
  /** Carries out a plan, no more and no less. */
  upgrade(plan: UpgradePlan, work: PackageWork): Promise<void>;
  /** Finishes what is left half-way. */
  finish(work: PackageWork): Promise<void>;
  /** Packages that nothing needs any more, or the kernels among them; never the running kernel and the newest. */
  removable(what: 'all' | 'old-kernels'): Promise<readonly string[]>;
  remove(names: readonly string[], work: PackageWork): Promise<void>;
  /** Bytes of downloaded packages. */
  cacheBytes(): Promise<number>;
  cleanCache(work: PackageWork): Promise<void>;
  /** Services that still run on replaced files, where the host can tell. */
  outdatedServices(): Promise<readonly string[]>;
}
