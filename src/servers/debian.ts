import type { Clock } from '../ports/clock.ts';
import type { Host } from '../ports/host.ts';
import type { Server } from '../ports/server.ts';
import { apt } from './apt.ts';
import { bootId, mounts, rebootNeed, runSoon, unready, uptimeSeconds } from './linux/boot.ts';
import { readCertificate } from './linux/certificate.ts';
import { dockerObstacle, pruneDocker } from './linux/docker.ts';
import { journalBytes, vacuumJournal } from './linux/journal.ts';
import { rotateLogs, rotationTimes } from './linux/logrotate.ts';
import { databaseWithin, findOldFiles, removeOldFiles } from './linux/old-files.ts';

/** A machine with Debian or Ubuntu, over whatever leads to it. All but the packages fits other Linux systems, too. */
export function debianServer(host: Host, clock: Clock): Server {
  return {
    packages: apt(host, clock),
    bootId: () => bootId(host),
    uptimeSeconds: () => uptimeSeconds(host),
    rebootNeed: () => rebootNeed(host),
    mounts: () => mounts(host),
    runSoon: (command) => runSoon(host, command),
    unready: () => unready(host),
    findOldFiles: (what) => findOldFiles(host, what),
    removeOldFiles: (what) => removeOldFiles(host, what),
    databaseWithin: (folder) => databaseWithin(host, folder),
    journalBytes: () => journalBytes(host),
    vacuumJournal: (keep) => vacuumJournal(host, keep),
    dockerObstacle: (part) => dockerObstacle(host, part),
    pruneDocker: (part) => pruneDocker(host, part),
    rotateLogs: (how) => rotateLogs(host, how),
    rotationTimes: (state) => rotationTimes(host, state),
    certificate: (place) => readCertificate(host, place),
    run: async ({ argv, workingDirectory, env, timeoutSeconds, onLine }) => {
      const [program = '', ...rest] = argv;
      return host.run({
        argv: [program, ...rest],
        timeoutSeconds,
        ...(workingDirectory === undefined ? {} : { workingDirectory }),
        ...(env === undefined ? {} : { env }),
        ...(onLine === undefined ? {} : { onStdoutLine: onLine, onStderrLine: onLine }),
      });
    },
  };
}
