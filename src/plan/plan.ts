import type * as z from 'zod';
import { group } from './setting-types.ts';
import { backupDbGroup } from './settings/backup-db.ts';
import { codeGroup } from './settings/code.ts';
import { disableMaintenanceGroup } from './settings/disable-maintenance.ts';
import { enableMaintenanceGroup } from './settings/enable-maintenance.ts';
import { preflightGroup } from './settings/preflight.ts';
import { reportGroup } from './settings/report.ts';
import { rollbackGroup } from './settings/rollback.ts';
import { runDbMaintenanceGroup } from './settings/run-db-maintenance.ts';
import {
  contactsGroup,
  databaseGroup,
  hostsGroup,
  loadBalancerGroup,
  rootShape,
  sshGroup,
  windowGroup,
} from './settings/shared.ts';
import { standbyGroup } from './settings/standby.ts';
import { smokeTestGroup } from './settings/smoke-test.ts';
import { updateServerGroup } from './settings/update-server.ts';

/** The plan file `.github/maintenance.yml`: one section per action, and what they share. */
export const planSchema = group({
  ...rootShape,
  window: windowGroup.prefault({}).describe('When, and for how long.'),
  contacts: contactsGroup.prefault({}).describe('People, as the report names them.'),
  hosts: hostsGroup.prefault({}).describe('The machines, where there are several.'),
  ssh: sshGroup.prefault({}).describe('How hosts are reached by SSH.'),
  'load-balancer': loadBalancerGroup.prefault({}).describe('What stands before several web hosts.'),
  database: databaseGroup.prefault({}).describe("The application's database."),
  standby: standbyGroup
    .prefault({})
    .describe('A streaming replica of the database, as a restore point.'),
  code: codeGroup.prefault({}).describe("The application's code."),
  preflight: preflightGroup.prefault({}).describe('Checks before anything is touched.'),
  'backup-db': backupDbGroup.prefault({}).describe('The verified backup.'),
  'enable-maintenance': enableMaintenanceGroup.prefault({}).describe('How the site is closed.'),
  'run-db-maintenance': runDbMaintenanceGroup
    .prefault({})
    .describe('What is done to the database.'),
  'update-server': updateServerGroup.prefault({}).describe('What is done to the servers.'),
  'smoke-test': smokeTestGroup.prefault({}).describe('What proves that the application works.'),
  'disable-maintenance': disableMaintenanceGroup.prefault({}).describe('How the site is reopened.'),
  rollback: rollbackGroup.prefault({}).describe('What a failure leads to.'),
  report: reportGroup.prefault({}).describe('What the report says beyond the record.'),
});

/** A checked plan: durations in seconds, sizes in bytes, secrets still as references. */
export type Plan = z.output<typeof planSchema>;
