import type { DatabaseContents, RowHash } from './database-contents.ts';
import type { DatabaseIdentity } from './database.ts';
import type { DatabaseProperties } from './database-properties.ts';
import type { Encryption } from './encryption.ts';
import type { Host } from './host.ts';

/** A finished dump, and how it is read. */
export interface DumpPlace {
  readonly directory: string;
  /** Has the dump; default: the host with the client programs. */
  readonly keeper?: Host | undefined;
  /** With a private key, for an encrypted dump. */
  readonly encryption?: Encryption | undefined;
}

/** What reading a dump again showed. */
export interface DumpCheck {
  readonly files: number;
  readonly bytes: number;
  /** Entries of its table of contents. */
  readonly entries: number;
  /** Tables whose rows it holds. */
  readonly tables: number;
}

/** A role, as far as a restore depends on it. */
export interface RoleDescription {
  readonly name: string;
  readonly superuser: boolean;
  readonly bypassRowSecurity: boolean;
  /** Those of the other roles whose rights it has. */
  readonly memberOf: readonly string[];
}

/** What a restore of the application's database asks of a server. */
export interface RestoreNeeds {
  /** Of the source, for instance `15.18`. */
  readonly serverVersion: string;
  readonly serverMajor: number;
  readonly cluster: ClusterIdentity;
  readonly extensions: readonly { readonly name: string; readonly version: string }[];
  /** Tablespaces besides the database's own in which something lies. */
  readonly tablespaces: readonly string[];
  readonly roles: readonly RoleDescription[];
}

/** Two of these are equal for one and the same running server; a copy of a server has the same number. */
export interface ClusterIdentity {
  readonly systemIdentifier: string;
  readonly startedAt: string;
}

/** Whether a server could restore a database of another. */
export interface ScratchFitness {
  readonly serverVersion: string;
  /** Why it cannot; each the end of a sentence. */
  readonly obstacles: readonly string[];
  /** What people should know. */
  readonly told: readonly string[];
  /** Roles that it lacks, for which stand-ins are made. */
  readonly missingRoles: readonly RoleDescription[];
}

/** What pg_amcheck saw. */
export interface AmcheckResult {
  readonly seconds: number;
  /** Each damaged object with what was said of it; bounded in number. */
  readonly damaged: readonly string[];
  /** How many objects are damaged. */
  readonly damagedObjects: number;
}

/** What a database can do to prove a backup. */
export interface BackupProofs {
  /** Everything that a database of this server holds; two are compared by `compareContents`. */
  contents(
    database: string,
    options: { readonly jobs: number; readonly rowHash?: RowHash },
  ): Promise<DatabaseContents>;
  /**
   * What the database held when a dump was taken of it with its contents.
   * @throws FailureError `database-dump-without-contents`
   */
  dumpContents(place: DumpPlace): Promise<DatabaseContents>;
  /**
   * Reads a dump again from the disk: every checksum, the table of contents, and all data through the client, without
   * a database.
   * @throws FailureError `database-dump-damaged`
   */
  checkDump(place: DumpPlace): Promise<DumpCheck>;
  /** Why pg_amcheck cannot be run, as the end of a sentence; `own`: on a database of ours, where it may be installed. */
  amcheckObstacle(where: 'own' | 'application'): Promise<string | undefined>;
  /** Looks for damage in tables and indexes; in a database of ours more thoroughly, with locks against writers. */
  amcheck(
    database: string,
    options: { readonly jobs: number; readonly own: boolean },
  ): Promise<AmcheckResult>;

  // A restore test
  /** What the application's database needs to be restored elsewhere. */
  restoreNeeds(): Promise<RestoreNeeds>;
  /** Whether this server could restore such a database; changes nothing. */
  scratchFitness(needs: RestoreNeeds): Promise<ScratchFitness>;
  /** Makes an empty scratch database, marked as ours, and stand-ins for roles that the server lacks. */
  createScratch(
    database: string,
    options: {
      readonly like: DatabaseProperties;
      /** Whose scratch database it is: others are never dropped as leftovers. */
      readonly mark: string;
      /** On another server than the application's; its fitness was looked at. */
      readonly elsewhere?: ScratchFitness;
    },
  ): Promise<DatabaseIdentity>;
  /**
   * Drops a scratch database and the stand-ins made for it; besides, what runs with the same mark left that were killed.
   * @returns names of what others had left
   */
  dropScratch(database: string, mark: string): Promise<readonly string[]>;
}
