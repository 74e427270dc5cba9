import { execFile } from 'node:child_process';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { Site } from '../../rehearsal/site.ts';
import { wallClock, type ClosedStep, type Side, type SideRun } from './side.ts';
import { migrationsOf, newIndex } from './tasks.ts';

const run = promisify(execFile);

/** Old workers of nginx go on for about 0.1 s after a reload; what breaks in this time is the reload's doing. */
const reloadSettlesMilliseconds = 1000;

/**
 * What had to be changed in the runbook for it to work at all, in the order of its steps. Everything else is done
 * as it says; docs/benchmarks.md lists these.
 */
export const repairs: readonly string[] = [
  "Step 2: the snippet is a second `location /`, which nginx refuses as a duplicate. Its two lines go into the site's own `location /`.",
  'Step 2: the redirect to `/maintenance.html` comes back to `location /` and meets `return 503` again, so that the page is never shown. It gets a location of its own.',
  'Step 2, for the measurement: the page is sent with a header by which the clients tell it from an error.',
  'Steps 3 and 4: there is no systemd here. `systemctl stop` is SIGTERM and the wait for the end, `systemctl start` the start and the wait until the shop listens; `systemctl reload nginx` is `nginx -s reload`.',
  "Rollback, step 2: `psql < backup.sql` into the database that is there restores nothing (and exits 0), so it is dropped (`--force`, for whoever is still connected) and created before. What the dump does not hold (the database's grants, settings, comment) is lost.",
  'Rollback, step 5: the health check by the public address would get 503, as maintenance mode is still on. It goes to the application, as in step 4.',
  'Rollback, after step 5: nothing takes maintenance mode off again. Step 5 of the runbook proper does.',
];

/** The name of its step that changes the schema. */
export const schemaChanges = 'schema changes';

/** What the runbook takes time for and we give it none: these flatter it. */
export const givenForFree: readonly string[] = [
  'Nobody types, reads or decides: each command follows the one before at once, the editor takes no time, and the error of the failing migration is seen at the moment when psql ends (psql itself goes on after it and exits 0).',
  'Manual tests, the status page, mails, the code tag, and 15 to 20 minutes of monitoring take no time.',
];

const page = `<!DOCTYPE html>
<html>
<head>
    <title>Maintenance</title>
</head>
<body>
    <h1>Scheduled Maintenance</h1>
    <p>We'll be back soon!</p>
    <p>Expected completion: [TIME]</p>
</body>
</html>
`;

/** The runbook, done by hand: option A of its step 2, the database part of its step 3, its rollback plan. */
export const runbook: Side = async ({ site }, kind, signal): Promise<SideRun> => {
  const closedSteps: ClosedStep[] = [];
  const step = async (name: string, action: () => Promise<unknown>) => {
    signal.throwIfAborted();
    const begin = wallClock();
    await action();
    closedSteps.push({ name, milliseconds: wallClock() - begin });
  };
  const shell = shellOn(site);
  const door = await doorOf(site);
  const database = site.databaseName;
  const backup = join(site.workFolder, 'backup_maintenance.sql');
  const migrations = migrationsOf(site, kind);

  const beganAt = wallClock();
  // Step 1, while the public is served.
  await shell('pg_dump "$1" > "$2"', database, backup);

  const closingAt = wallClock();
  // Step 2.
  await step('maintenance page, nginx -t, reload', () => door.close());
  // Step 3.
  await step('stop the application', () => site.application.halt());
  if (kind === 'maintenance') {
    await step('VACUUM ANALYZE; REINDEX DATABASE', () =>
      shell('psql "$1" << EOF\nVACUUM ANALYZE;\nREINDEX DATABASE $1;\nEOF', database),
    );
    await step('CREATE INDEX', () =>
      shell('psql "$1" -c "$2"', database, `CREATE INDEX ${newIndex.name} ON ${newIndex.on}`),
    );
  }
  let said = '';
  await step(schemaChanges, async () => {
    for (const file of (await readdir(migrations)).sort()) {
      said += await shell('psql "$1" < "$2"', database, join(migrations, file));
    }
  });
  const failedAt = wallClock();
  const hasFailed = said.includes('ERROR:');
  if (hasFailed !== (kind === 'rollback')) throw new Error(`The migrations said:\n${said}`);
  if (hasFailed) {
    // The rollback plan. Its step 1, maintenance mode, is on already; its step 3, code, was not changed.
    await step('dropdb, createdb', () => shell('dropdb --force "$1" && createdb "$1"', database));
    await step('psql < backup.sql', () => shell('psql "$1" < "$2" > /dev/null', database, backup));
  }
  // Step 4; in the rollback plan steps 4 and 5.
  await step('start the application', () => site.application.resume());
  await step('curl -I /healthz', () => expectWell(shell, `${site.applicationUrl}/healthz`));
  // Step 5.
  await step('nginx as it was, nginx -t, reload', () => door.open());
  const openAt = wallClock() + reloadSettlesMilliseconds;
  // Step 6.
  await pause(reloadSettlesMilliseconds);
  await expectWell(shell, site.publicUrl);
  return {
    beganAt,
    closingAt,
    openAt,
    endedAt: wallClock(),
    ...(hasFailed ? { failedAt } : {}),
    closedSteps,
  };
};

type Shell = (script: string, ...args: string[]) => Promise<string>;

/** Runs a line of the runbook as its reader would; what it printed to stderr, whatever its exit code means. */
function shellOn(site: Site): Shell {
  const login = {
    user: site.databaseUser,
    password: site.databasePassword,
    database: site.databaseName,
  };
  const environment = { LC_ALL: 'C.UTF-8', ...site.cluster.psqlEnvironment(login) };
  return async (script, ...args) => {
    const { stderr } = await run('bash', ['--norc', '-c', script, 'bash', ...args], {
      cwd: site.workFolder,
      env: environment,
      maxBuffer: 2 ** 26,
    });
    return stderr;
  };
}

async function expectWell(shell: Shell, url: string): Promise<void> {
  await shell('curl -sSI "$1" | head -1 | grep -q " 200 "', url);
}

/** The edits of steps 2 and 5, with the reloads. */
async function doorOf(site: Site): Promise<{ close(): Promise<void>; open(): Promise<void> }> {
  const { siteFile, command } = site.webServer;
  const [program, ...args] = command;
  const folder = join(site.folder, 'www');
  const before = await readFile(siteFile, 'utf8');
  const closed = before.replace(
    /^( *)location \/ \{$/m,
    `$1location = /maintenance.html {
$1    root ${folder};
$1    internal;
$1    add_header X-Maintenance runbook always;
$1}
$1location / {
$1    return 503;
$1    error_page 503 /maintenance.html;`,
  );
  if (closed === before) throw new Error(`There is no "location /" in ${siteFile}.`);
  const write = async (text: string) => {
    await writeFile(siteFile, text);
    await run(program, [...args, '-t']);
    await run(program, [...args, '-s', 'reload']);
  };
  return {
    close: async () => {
      await mkdir(folder);
      await writeFile(join(folder, 'maintenance.html'), page);
      await write(closed);
    },
    open: () => write(before),
  };
}
