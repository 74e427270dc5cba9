import type { BackupProofs } from '../../../ports/backup-proof.ts';
import { readDumpContents } from '../contents/contents-file.ts';
import { readContents } from '../contents/contents.ts';
import type { Server } from '../server.ts';
import { amcheck, amcheckObstacle } from './amcheck.ts';
import { checkDump } from './check-dump.ts';
import { restoreNeeds } from './restore-needs.ts';
import { scratchFitness } from './scratch-fitness.ts';
import { createScratch, dropScratch } from './scratch.ts';

/** The proofs of a backup, by one server. */
export function backupProofs(server: Server): BackupProofs {
  return {
    contents: (database, options) => readContents(server, { database, ...options }),
    dumpContents: (place) => readDumpContents(server.host, place),
    checkDump: (place) => checkDump(server, place),
    amcheckObstacle: (where) => amcheckObstacle(server, where),
    amcheck: (database, options) => amcheck(server, database, options),
    restoreNeeds: () => restoreNeeds(server),
    scratchFitness: (needs) => scratchFitness(server, needs),
    createScratch: (database, options) => createScratch(server, database, options),
    dropScratch: (database, mark) => dropScratch(server, database, mark),
  };
}
