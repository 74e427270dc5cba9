import { postgresqlStandby } from '../databases/postgresql/standby.ts';
import type { Plan } from '../plan/plan.ts';
import type { Secrets } from '../plan/secrets.ts';
import type { Standby } from '../ports/standby.ts';
import type { World } from './world.ts';

/** The replica that the plan names as a possible restore point; `undefined` when it names none. */
export function standbyOf(
  plan: Plan,
  secrets: Secrets,
  world: Pick<World, 'fleet' | 'clock'>,
): Standby | undefined {
  const { fleet, clock } = world;
  const { databaseUrl, standbyUrl } = secrets;
  if (databaseUrl === undefined || standbyUrl === undefined || fleet.standby === undefined) {
    return undefined;
  }
  const { standby } = plan;
  const lead = argvOf(standby.switchCommand);
  return postgresqlStandby({
    clock,
    database: fleet.database,
    hosts: { primary: fleet.standby.primary, replica: fleet.standby.replica },
    applicationUrl: databaseUrl,
    replicaUrl: standbyUrl,
    clientDirectory: plan.database.clientDirectory,
    dataDirectories: {
      primary: standby.primaryDataDirectory,
      replica: standby.dataDirectory,
    },
    commands: {
      primary: { stop: argvOf(standby.primaryStopCommand), start: undefined },
      replica: { stop: argvOf(standby.stopCommand), start: argvOf(standby.startCommand) },
    },
    lead: lead === undefined ? undefined : { host: fleet.standby.switch, argv: lead },
  });
}

function argvOf([program, ...args]: readonly string[]): [string, ...string[]] | undefined {
  return program === undefined ? undefined : [program, ...args];
}
