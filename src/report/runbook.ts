import type { ActionId } from '../plan/action-ids.ts';

/** A step of the runbook by hand, and what takes its place. */
export interface RunbookStep {
  readonly title: string;
  /** What is typed by hand today. */
  readonly byHand: string;
  /** The actions that do it; none where a person does and the plan or the report keeps it. */
  readonly actions: readonly ActionId[];
  /** Keys of the plan that say how, for instance `backup-db.jobs`. */
  readonly settings: readonly string[];
  /** What is done instead, and what proves it. */
  readonly instead: string;
}

export interface RunbookPart {
  readonly title: string;
  readonly steps: readonly RunbookStep[];
}

/**
 * The runbook that the suite replaces, in its order. The documents are generated from it; a test holds the keys
 * against the plan's schema.
 */
export const runbook: readonly RunbookPart[] = [
  {
    title: 'Prerequisites',
    steps: [
      {
        title: 'Maintenance window scheduled',
        byHand: 'a date in a calendar',
        actions: ['preflight'],
        settings: ['window.start', 'window.days', 'window.time-zone', 'window.duration'],
        instead:
          'The plan has the time; a run outside of it, or later than `start-tolerance`, ends with nothing touched.',
      },
      {
        title: 'Stakeholders notified',
        byHand: 'status page, mail, social media',
        actions: ['report'],
        settings: ['report.attestations', 'contacts.lead', 'contacts.business'],
        instead:
          'A person does it and is named: an attestation for line 1.3 of the checklist. Nothing is sent by the suite.',
      },
      {
        title: 'Backup created',
        byHand: '`ls -l backup.sql`',
        actions: ['backup-db'],
        settings: ['backup-db.directory', 'backup-db.jobs'],
        instead: 'See step 1; the receipt is in the record.',
      },
      {
        title: 'Maintenance tasks documented',
        byHand: 'a wiki page',
        actions: ['preflight'],
        settings: ['run-db-maintenance.tasks', 'update-server.tasks'],
        instead:
          'The plan is the document: reviewed as code, shown to the approver, and what runs.',
      },
      {
        title: 'Rollback plan ready',
        byHand: 'a wiki page',
        actions: ['preflight', 'rollback'],
        settings: ['rollback.on-failure', 'run-db-maintenance.restore-point', 'standby.url'],
        instead:
          'What follows a failure is looked up in a table; preflight checks that owner, grants and settings could be given back.',
      },
    ],
  },
  {
    title: 'Step 1: Prepare',
    steps: [
      {
        title: 'Database backup',
        byHand: '`pg_dump mydb > backup_maintenance_….sql`',
        actions: ['backup-db'],
        settings: ['backup-db.directory', 'backup-db.jobs'],
        instead:
          'Dumped while the site is up, restored into a scratch database, every table’s rows compared on the dump’s own snapshot.',
      },
      {
        title: 'Code backup',
        byHand: '`git tag maintenance-…`, `git push --tags`',
        actions: ['backup-db'],
        settings: ['code.directory', 'code.push'],
        instead:
          'An annotated tag in each checkout, pushed when asked; the tag and the commit are read back, on the remote too.',
      },
      {
        title: 'Notify users',
        byHand: 'status page, mail, social media',
        actions: ['report'],
        settings: ['report.attestations'],
        instead: 'A person does it and is named.',
      },
    ],
  },
  {
    title: 'Step 2: Enable maintenance mode',
    steps: [
      {
        title: 'Option A: nginx maintenance page',
        byHand: '`nano /etc/nginx/sites-available/myapp`, `nginx -t`, reload',
        actions: ['enable-maintenance'],
        settings: ['enable-maintenance.site-files', 'enable-maintenance.page'],
        instead:
          'One include line ahead of time, then a flag: no reload and no lost request while closing. The public URL, and each web host, is asked until it answers 503 with our header.',
      },
      {
        title: 'Option B: application maintenance mode',
        byHand: '`MAINTENANCE_MODE = True`, restart',
        actions: ['enable-maintenance'],
        settings: [
          'enable-maintenance.mode',
          'enable-maintenance.app-file',
          'enable-maintenance.app-key',
          'enable-maintenance.close-command',
        ],
        instead:
          '`mode: app` sets the one key, everything else byte for byte, and reloads; `mode: command` runs your pair. The public URL is asked until it answers 503.',
      },
    ],
  },
  {
    title: 'Step 3: Perform maintenance',
    steps: [
      {
        title: 'Stop application',
        byHand: '`systemctl stop myapp`',
        actions: ['enable-maintenance'],
        settings: ['enable-maintenance.services', 'enable-maintenance.drain-timeout'],
        instead:
          'After requests under way have ended; units, compose services, cron and commands in order, each seen to have stopped.',
      },
      {
        title: 'Vacuum database, update statistics',
        byHand: '`VACUUM ANALYZE;`',
        actions: ['run-db-maintenance'],
        settings: ['run-db-maintenance.tasks'],
        instead: 'Tasks `vacuum` and `analyze`, while the public is served.',
      },
      {
        title: 'Rebuild indexes',
        byHand: '`REINDEX DATABASE mydb;`',
        actions: ['run-db-maintenance'],
        settings: ['run-db-maintenance.tasks'],
        instead:
          'Task `reindex`, concurrently while the public is served; afterwards no index is invalid.',
      },
      {
        title: 'Apply schema changes',
        byHand: '`psql mydb < migration.sql`',
        actions: ['run-db-maintenance'],
        settings: ['run-db-maintenance.tasks', 'run-db-maintenance.restore-point', 'standby.url'],
        instead:
          'Task `migrate`, closed, after a restore point was taken; by your SQL files or your own tool.',
      },
      {
        title: 'Server updates',
        byHand: '`apt update && apt upgrade -y`',
        actions: ['update-server'],
        settings: ['update-server.tasks'],
        instead:
          'Task `packages`: all or security only, held ones respected; versions before and after are in the report.',
      },
      {
        title: 'Reboot if needed',
        byHand: '`reboot`, then wait',
        actions: ['update-server'],
        settings: ['update-server.tasks'],
        instead: 'Task `reboot`: waits until the host is back with another boot id.',
      },
    ],
  },
  {
    title: 'Step 4: Test before enabling',
    steps: [
      {
        title: 'Start application in test mode',
        byHand: '… start app …',
        actions: ['smoke-test'],
        settings: ['enable-maintenance.services'],
        instead: 'What was stopped is started again, behind the closed door, and stays up.',
      },
      {
        title: 'Run smoke tests',
        byHand: '`curl -I http://localhost:8000/healthz`',
        actions: ['smoke-test'],
        settings: ['smoke-test.checks'],
        instead:
          'All checks, through the bypass, at the public URL, until they pass or time is up.',
      },
      {
        title: 'Test critical functionality',
        byHand: 'somebody clicks',
        actions: ['smoke-test'],
        settings: ['smoke-test.checks', 'enable-maintenance.bypass-token'],
        instead:
          'Checks of kind `browser`, `write-canary` and others; and the sign-off gate, for a person with the bypass.',
      },
    ],
  },
  {
    title: 'Step 5: Disable maintenance mode',
    steps: [
      {
        title: 'nginx',
        byHand: '`nano` again, `nginx -t`, reload',
        actions: ['disable-maintenance'],
        settings: ['disable-maintenance.hook'],
        instead:
          'The flag goes, which is proved at the public URL; then the files are byte for byte as before.',
      },
      {
        title: 'Application',
        byHand: '`MAINTENANCE_MODE = False`, restart',
        actions: ['disable-maintenance'],
        settings: ['enable-maintenance.mode'],
        instead: 'The value that was there before comes back, whatever it was.',
      },
    ],
  },
  {
    title: 'Step 6: Verify',
    steps: [
      {
        title: 'Application accessible',
        byHand: '`curl -I https://myapp.com`',
        actions: ['disable-maintenance'],
        settings: ['public-url', 'disable-maintenance.open-timeout'],
        instead:
          'The public URL, and each web host, answers from the application three times in a row.',
      },
      {
        title: 'All services running',
        byHand: '`systemctl status myapp`, `docker-compose ps`',
        actions: ['smoke-test'],
        settings: ['enable-maintenance.services', 'smoke-test.checks'],
        instead: 'Each started service is seen to stay up; checks of kind `unit` and `compose`.',
      },
      {
        title: 'No errors in logs',
        byHand: '`journalctl -u myapp -n 50 | grep -i error`',
        actions: ['smoke-test'],
        settings: ['smoke-test.checks'],
        instead: 'Checks of kind `log`, on what was written since the window began.',
      },
    ],
  },
  {
    title: 'Step 7: Monitor',
    steps: [
      {
        title: 'Watch logs and metrics for 15 to 20 minutes',
        byHand: '`journalctl -u myapp -f`',
        actions: [],
        settings: ['report.attestations'],
        instead:
          'Not done by the suite yet: a person watches and is named. The report says how to attest it.',
      },
    ],
  },
  {
    title: 'Rollback plan',
    steps: [
      {
        title: 'Re-enable maintenance mode',
        byHand: 'edit nginx again, or set the key again',
        actions: ['rollback'],
        settings: [],
        instead: 'Closes by the same steps, unless the site is closed still.',
      },
      {
        title: 'Restore from backup',
        byHand: '`psql mydb < backup.sql`',
        actions: ['rollback'],
        settings: ['rollback.on-failure', 'rollback.session-timeout'],
        instead:
          'The restore point, taken after closing, is swapped in by rename; owner, grants and settings come back; the failed database is kept.',
      },
      {
        title: 'Rollback code',
        byHand: '`git checkout <previous-tag>`',
        actions: ['rollback'],
        settings: ['code.directory', 'code.deploy-command'],
        instead: 'The tagged commit, or your deploy command, where a checkout is no longer on it.',
      },
      {
        title: 'Restart services, verify',
        byHand: '`systemctl restart myapp`, `curl -I …/healthz`',
        actions: ['rollback'],
        settings: ['enable-maintenance.services', 'code.restart-command', 'smoke-test.checks'],
        instead:
          'What was stopped runs again, in reverse order; the same smoke tests, then reopening; where they fail the window is held.',
      },
    ],
  },
  {
    title: 'Post-maintenance',
    steps: [
      {
        title: 'Notify users',
        byHand: 'status page, mail, social media',
        actions: ['report'],
        settings: ['report.attestations'],
        instead: 'A person does it and is named.',
      },
      {
        title: 'Create maintenance report',
        byHand: 'a document that nobody finishes',
        actions: ['report'],
        settings: ['report.next-window'],
        instead:
          'What was done, issues, duration, next window: from the record, as Markdown, JSON and HTML; the smoke tests as JUnit XML.',
      },
    ],
  },
  {
    title: 'Common maintenance tasks',
    steps: [
      {
        title: 'Archive old data',
        byHand: '`INSERT … SELECT`, `DELETE`',
        actions: ['run-db-maintenance'],
        settings: ['run-db-maintenance.tasks'],
        instead: 'Task `archive`, in batches, counted on both sides.',
      },
      {
        title: 'Optimize queries',
        byHand: '`EXPLAIN ANALYZE` and experience',
        actions: ['run-db-maintenance'],
        settings: ['run-db-maintenance.tasks'],
        instead:
          'Task `optimize-queries` reports what to do, statement by statement, and changes nothing.',
      },
      {
        title: 'Disk clean-up, log rotation, certificate renewal',
        byHand: '`find -delete`, `logrotate -f`, `certbot renew`',
        actions: ['update-server'],
        settings: ['update-server.tasks'],
        instead:
          'Tasks `clean-up`, `rotate-logs` and `renew-certificates`, with the effect observed.',
      },
      {
        title: 'Dependency updates, cache clearing, session clean-up, data migration',
        byHand: 'commands of the application',
        actions: ['update-server'],
        settings: ['update-server.tasks'],
        instead: 'Tasks `command`, each with a post-condition.',
      },
    ],
  },
];
