import type { CommandResult } from './host.ts';
import type { PackageManager } from './package-manager.ts';

/** A file system as the host lists it. */
export interface Mount {
  readonly folder: string;
  /** Whether the host is told to mount it by itself when it starts. */
  readonly atStart: boolean;
}

/** Why a host should be started anew, if it should. */
export interface RebootNeed {
  readonly needed: boolean;
  /** What says so, or that nothing does. */
  readonly reason: string;
}

/** Old files of one folder. */
export interface OldFiles {
  /** Absolute path without symbolic links; the folder's own. */
  readonly folder: string;
  /** Seconds since the last change. */
  readonly olderThanSeconds: number;
  /** Pattern of file names, as in a shell. */
  readonly name: string;
  /** How many of the newest files that match the pattern are kept. */
  readonly keepNewest: number;
}

/** Files that were found, or removed. */
export interface FoundFiles {
  readonly paths: readonly string[];
  /** Bytes that their removal frees: a file with further hard links frees none. */
  readonly bytes: number;
}

/** What of Docker can be pruned. */
export type DockerPart = 'images' | 'containers' | 'build-cache' | 'volumes';

/** A certificate as it lies on the host, or as it is served. */
export type CertificatePlace =
  { readonly file: string } | { readonly address: string; readonly name: string };

export interface Certificate {
  /** Its end. */
  readonly notAfter: Date;
  /** Hexadecimal; tells a new one from the old one. */
  readonly fingerprint: string;
}

/** What logrotate's own memory says. */
export type RotationTimes = ReadonlyMap<string, string>;

/**
 * What server maintenance asks of a machine's operating system. Errors: methods throw FailureError with a
 * `server-…` or `host-…` code when the machine cannot do what was asked.
 */
export interface Server {
  readonly packages: PackageManager;
  /** Differs after each start of the kernel. */
  bootId(): Promise<string>;
  /** Seconds since the start of the kernel. */
  uptimeSeconds(): Promise<number>;
  rebootNeed(): Promise<RebootNeed>;
  mounts(): Promise<readonly Mount[]>;
  /** Has the host run the command in a moment, when nobody waits for it any more. */
  runSoon(command: readonly [string, ...string[]]): Promise<void>;
  /** Whether the host has finished starting: `undefined`, or what it still says. */
  unready(): Promise<string | undefined>;
  /** Files that {@link removeOldFiles} would remove. Stays on one file system and follows no link. */
  findOldFiles(what: OldFiles): Promise<FoundFiles>;
  /** Removes them, and looks again that they are gone. */
  removeOldFiles(what: OldFiles): Promise<FoundFiles>;
  /** The data folder of a database server within a folder, if there is one. */
  databaseWithin(folder: string): Promise<string | undefined>;
  /** Bytes that systemd's journal takes up. */
  journalBytes(): Promise<number>;
  vacuumJournal(keep: {
    readonly seconds: number | undefined;
    readonly bytes: number | undefined;
  }): Promise<void>;
  /** Why this part of Docker cannot be pruned here safely; `undefined` when it can. */
  dockerObstacle(part: DockerPart): Promise<string | undefined>;
  /** Prunes; gives what Docker says that it freed. */
  pruneDocker(part: DockerPart): Promise<string>;
  rotateLogs(how: {
    readonly config: string;
    readonly state: string;
    readonly force: boolean;
    /** Tells what would be rotated, and touches nothing. */
    readonly dryRun: boolean;
  }): Promise<{ readonly considered: readonly string[]; readonly rotated: readonly string[] }>;
  rotationTimes(state: string): Promise<RotationTimes>;
  certificate(place: CertificatePlace): Promise<Certificate>;
  /** Runs a command of the plan, its output shown line by line. */
  run(command: {
    readonly argv: readonly string[];
    readonly workingDirectory?: string | undefined;
    readonly env?: Readonly<Record<string, string>> | undefined;
    readonly timeoutSeconds: number;
    readonly onLine?: ((line: string) => void) | undefined;
  }): Promise<CommandResult>;
}
