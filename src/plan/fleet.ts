import type { Plan } from './plan.ts';

/** The machines of a plan by name (`local`, `ssh://…`); every default filled in. */
export interface FleetNames {
  /** Keeps the record. */
  readonly control: string;
  readonly web: readonly { readonly host: string; readonly address: string | undefined }[];
  readonly database: string;
  /** Keeps backups that are streamed to it. */
  readonly backups: string | undefined;
  readonly workers: readonly string[];
  /** Where replica and primary run, when the plan names a replica. */
  readonly standby: StandbyHosts | undefined;
}

export interface StandbyHosts {
  readonly replica: string;
  readonly primary: string;
  /** Leads the application to the promoted replica. */
  readonly switch: string;
}

/** Which host does what. */
export function fleetOf(plan: Pick<Plan, 'host' | 'hosts' | 'standby' | 'backupDb'>): FleetNames {
  const { web, database, workers } = plan.hosts;
  const control = plan.host ?? web[0]?.host ?? 'local';
  return {
    control,
    web:
      web.length === 0
        ? [{ host: control, address: undefined }]
        : web.map(({ host, address }) => ({ host, address })),
    database: database ?? control,
    backups: plan.backupDb.streamTo,
    workers,
    standby: standbyHosts(plan, database ?? control),
  };
}

function standbyHosts(
  { standby }: Pick<Plan, 'standby'>,
  database: string,
): StandbyHosts | undefined {
  if (standby.url === undefined) return undefined;
  const replica = standby.host ?? database;
  return {
    replica,
    primary: standby.primaryHost ?? database,
    switch: standby.switchOn ?? replica,
  };
}

/** Every machine once, the control host first. */
export function allHosts(fleet: FleetNames): readonly string[] {
  const { control, web, database, workers, standby } = fleet;
  const backups = fleet.backups === undefined ? [] : [fleet.backups];
  const servers = standby === undefined ? [] : [standby.primary, standby.replica, standby.switch];
  return [
    ...new Set([
      control,
      ...web.map(({ host }) => host),
      database,
      ...backups,
      ...workers,
      ...servers,
    ]),
  ];
}
