/**
 * Ids of steps and families of checks that the report takes as evidence. A phase that renames one must rename
 * it here; otherwise the lines of the checklist that it proves turn open.
 */
export const stepIds = {
  /** Puts the maintenance mode in place without closing. */
  hook: 'hook',
  drain: 'drain',
  /** Gives the site files back. */
  giveBack: 'give-back',
  /** Drops the restore point when it is not needed any more. */
  dropRestorePoint: 'drop-restore-point',
  /** Renames the failed database out of the way. */
  keepFailed: 'keep-failed',
  /** Gives the application's name to what was restored. */
  swapIn: 'swap-in',
} as const;

/** A check belongs to a family when its id is the family's name, alone or with a suffix: `gate-maintenance-approval`. */
export const checkFamilies = {
  time: ['time', 'window'],
  gates: ['gate', 'gates'],
  database: ['database', 'clients'],
  role: ['role'],
  disk: ['disk'],
  replication: ['replication'],
  loadBalancer: ['load-balancer-health'],
  mode: ['nginx', 'app', 'command', 'mode'],
  configuration: ['nginx-config', 'mode'],
  smokeTests: ['smoke-tests'],
} as const satisfies Readonly<Record<string, readonly string[]>>;

export type CheckFamily = keyof typeof checkFamilies;
