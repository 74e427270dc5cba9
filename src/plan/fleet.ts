import type { Plan } from './plan.ts';

/** The machines of a plan by name (`local`, `ssh://…`); every default filled in. */
export interface FleetNames {
  /** Keeps the record. */
  readonly control: string;
  readonly web: readonly { readonly host: string; readonly address: string | undefined }[];
  readonly database: string;
  readonly workers: readonly string[];
}

/** Which host does what. */
export function fleetOf(plan: Pick<Plan, 'host' | 'hosts'>): FleetNames {
  const { web, database, workers } = plan.hosts;
  const control = plan.host ?? web[0]?.host ?? 'local';
  return {
    control,
    web:
      web.length === 0
        ? [{ host: control, address: undefined }]
        : web.map(({ host, address }) => ({ host, address })),
    database: database ?? control,
    workers,
  };
}

/** Every machine once, the control host first. */
export function allHosts(fleet: FleetNames): readonly string[] {
  const { control, web, database, workers } = fleet;
  return [...new Set([control, ...web.map(({ host }) => host), database, ...workers])];
}
