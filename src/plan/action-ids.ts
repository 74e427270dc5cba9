/** Ids of the public actions: folder, bundle entry, `src/actions`, `src/phases` and plan section share them. */
export const actionIds = [
  'preflight',
  'backup-db',
  'enable-maintenance',
  'run-db-maintenance',
  'update-server',
  'smoke-test',
  'disable-maintenance',
  'rollback',
  'report',
  'maintenance-window',
] as const;

export type ActionId = (typeof actionIds)[number];
