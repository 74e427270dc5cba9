/** docs/benchmarks.md around the results of one run. */
export function renderPage(results: string): string {
  return `# Benchmarks

Ratios within one run are what the suite promises, not seconds: seconds are the machine's. This page is written by

    script/bench --write

on a machine with the packages that \`script/bootstrap\` installs (it runs that first). It takes three quarters of an hour and 25 GB of disk for a while; \`script/bench --sizes 100MB,1GB\` leaves out the largest database. Without \`--write\` it only prints, and \`script/bench --quick\`, which the tests run, only shows that it still works. It fails when a request failed between closing and opening, when a request was let through that was sent after the site was closed, and when a window lost an acknowledged write. The numbers below are one run's, as it was.

${results}

## Where the limits are

- **A copy is as quick as the disk.** Most of the time that the public is refused with a clone is the copying of files, which the floor shows; a replica copies nothing, and its time is the same at every size. PostgreSQL 18 can have the file system share the blocks (\`file_copy_method\`), which the clone uses where it finds it.
- **A server writes in one go when a database is copied or dropped.** Both order a checkpoint that does not take its time ([CREATE DATABASE](https://www.postgresql.org/docs/current/sql-createdatabase.html) by files; of DROP DATABASE the server's log tells it), and commits stand in line behind its writes; a large file that is removed holds them up once more where the file system discards blocks. Sessions of ours hand on what they write, which keeps the line short; the pages of the application that are in memory are not ours to hand on. So the restore test's end and the checkpoint before closing are where the public waits longest. \`backup-db.scratch-url\` takes the restore test to another server. What was tried besides is in [ADR 21](adr/0021-online-tasks-harm-nobody.md).
- **One processor for the public, one for the work.** This machine has two, and a parallel dump, a restore and the clients share them; \`backup-db.jobs: auto\` takes half.

## How it is measured

- **The comparison.** [bench/comparison](../bench/comparison) fills the example shop's database once a size, with indexes as shops in production have them; the audit log \`events\` is most of the bytes, as such a table often is. Each run starts PostgreSQL, as the package configures it, on a copy of those files, with the shop and nginx in front of it. [runbook.ts](../bench/comparison/runbook.ts) is the runbook, [window.ts](../bench/comparison/window.ts) calls the command line with the shop's plan: \`clone\` is what \`auto\` chooses, \`standby\` has a streaming replica on the same disk, which the others do not have to feed, and the role gets what [the documents](getting-started.md) ask for with one (\`REPLICATION\`, \`pg_checkpoint\`). Which of them begins changes from round to round. The public is a process of its own. The runs whose rollback is measured only change the schema, and the window verifies its backup by checksum: the other tasks and the trial restore have no part in a rollback. It counts from the moment when the migration failed to the first answer to a request sent after it; afterwards the data must be as before, and the orders that were acknowledged are looked for. Processor time and disk are the kernel's sums for each process and its children (\`/proc/PID/stat\`, \`/proc/PID/io\`), memory is \`VmHWM\`. The schema change alters the catalogue and few rows; one that rewrites a large table would take the same time on both sides. Autovacuum is off, so that it does not come to some runs and not to others.
- **Closing and opening.** [bench/toggle.ts](../bench/toggle.ts) starts the example shop (PostgreSQL, the shop, nginx with two workers) and puts the real hook in. Clients in a process of their own note when each request was sent and when its answer was complete, by the machine's monotonic clock; nothing is sent twice. The next toggle comes when the latest answer of every client is the new one. Half of the clients ask for a page that the shop makes from its database, half for a file that nginx serves.
- **Start of each action.** [bench/action-start.ts](../bench/action-start.ts) starts the files of \`dist/\` by turns, in another order each round. The ratio is the median of the rounds' ratios.

## What makes a start short

- What few actions need is not loaded at the start: GitHub's client, the artifact client, the command line ([ADR 4](adr/0004-one-shared-bundle.md)).
- The bundle has only those parts of \`@actions/core\` that are used; its client for OIDC tokens would bring a whole HTTP library with it, a quarter of the start.
- Node keeps the compiled bundle in \`RUNNER_TEMP\`, which is the job's own folder and ends with it, never in the folder of the action. So the steps that start while the site is closed are those that start fastest.
- Minifying the bundle was tried and gains nothing.
`;
}
