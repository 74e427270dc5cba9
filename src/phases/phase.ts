import type { Plan } from '../plan/plan.ts';
import type { BackupCopySettings } from '../plan/settings/backup-copies.ts';
import type { BackupDestination } from '../ports/backup-destination.ts';
import type { Browser } from '../ports/browser.ts';
import type { Database } from '../ports/database.ts';
import type { Encryption } from '../ports/encryption.ts';
import { failureOf, type Failure } from '../ports/failure.ts';
import type { Fleet } from '../ports/fleet.ts';
import type { Host } from '../ports/host.ts';
import type { Http } from '../ports/http.ts';
import type { MaintenanceMode } from '../ports/maintenance-mode.ts';
import type { Network } from '../ports/network.ts';
import type { Server } from '../ports/server.ts';
import type { Checkout } from '../ports/code.ts';
import type { ManagedService } from '../ports/services.ts';
import type { Standby } from '../ports/standby.ts';
import type { StepContext } from '../record/step.ts';

/** What every phase works with: the record, the plan, and the ports to the world. */
export interface PhaseContext extends StepContext {
  readonly plan: Plan;
  /** Folder that relative paths of the plan start from. */
  readonly workspace: string;
  /** A variable of the run's environment, for what a plan passes on by name. */
  readonly variable: (name: string) => string | undefined;
  /** Keeps the record. */
  readonly host: Host;
  /** The one that the run is on: it has the checked-out repository, where relative paths of the plan lead. */
  readonly runner: Host;
  readonly fleet: Fleet;
  /** The operating system of a machine. */
  readonly server: (host: Host) => Server;
  readonly http: Http;
  /** For the smoke tests that look below HTTP. */
  readonly network?: Network;
  /** For the smoke tests that open pages. */
  readonly browser?: Browser;
  /** `undefined` when the plan has no database. */
  readonly database: Database | undefined;
  /** The server that restore tests run on, where it is another one than the application's. */
  readonly scratch?: Database | undefined;
  /** A replica of the database that can be a restore point, where the plan names one. */
  readonly standby?: Standby | undefined;
  /** `undefined` when the plan has no maintenance mode (no site files). */
  readonly mode: MaintenanceMode | undefined;
  /** What is stopped while the site is closed, in the order of the stops. */
  readonly services: readonly ManagedService[];
  /** What encrypts copies of backups, where the plan has recipients. */
  readonly encryption?: () => Encryption;
  /** Opens a place for copies of backups, where the plan has some. */
  readonly copyDestination?: (settings: BackupCopySettings) => Promise<BackupDestination>;
  /** The application's code, where the plan names it. */
  readonly checkouts: readonly Checkout[];
}

/** How a phase ended; outcomes are data, nothing is thrown past a phase. */
export type PhaseOutcome =
  | {
      readonly kind: 'done';
      readonly detail: string;
      readonly outputs: Readonly<Record<string, string>>;
    }
  | {
      readonly kind: 'skipped';
      readonly reason: string;
      readonly outputs: Readonly<Record<string, string>>;
    }
  | {
      readonly kind: 'failed';
      readonly failure: Failure;
      readonly outputs: Readonly<Record<string, string>>;
    };

export function done(detail: string, outputs: Readonly<Record<string, string>> = {}): PhaseOutcome {
  return { kind: 'done', detail, outputs };
}

export function skipped(
  reason: string,
  outputs: Readonly<Record<string, string>> = {},
): PhaseOutcome {
  return { kind: 'skipped', reason, outputs };
}

/** Runs a phase's body and turns whatever it throws into an outcome. */
export async function conclude(body: () => Promise<PhaseOutcome>): Promise<PhaseOutcome> {
  try {
    return await body();
  } catch (error) {
    return { kind: 'failed', failure: failureOf(error), outputs: {} };
  }
}
