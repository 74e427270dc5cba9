/** docs/benchmarks.md around the results of one run. */
export function renderPage(results: string): string {
  return `# Benchmarks

Ratios within one run are what the suite promises, not seconds: seconds are the machine's. This page is written by

    script/bench --write

on a machine with the packages that \`script/bootstrap\` installs (it runs that first). It takes less than three minutes; on a busy machine it measures fewer rounds. \`script/bench\` without \`--write\` only prints, and \`script/bench --quick\`, which the tests run, only shows that it still works. It fails when closing or opening by flag lost a single request, answered one by anything but the application or our 503, or let one through that was sent after the site was closed. The numbers below are one run's, as it was.

${results}

## How it is measured

- **Closing and opening.** [bench/toggle.ts](../bench/toggle.ts) starts the example shop (PostgreSQL, the shop, nginx with two workers) and puts the real hook in. Clients in a process of their own note when each request was sent and when its answer was complete, by the machine's monotonic clock; nothing is sent twice. The next toggle comes when the latest answer of every client is the new one. Half of the clients ask for a page that the shop makes from its database, half for a file that nginx serves.
- **A whole window.** [bench/window.ts](../bench/window.ts) runs the command line over the shop's plan on a new site each time. Downtime is what the clients saw: from the first 503 with our header to the last. The steps' times are those of the window's journal.
- **Start of each action.** [bench/action-start.ts](../bench/action-start.ts) starts the files of \`dist/\` by turns, in another order each round. The ratio is the median of the rounds' ratios.

## What makes a start short

- What few actions need is not loaded at the start: GitHub's client, the artifact client, the command line ([ADR 4](adr/0004-one-shared-bundle.md)).
- The bundle has only those parts of \`@actions/core\` that are used; its client for OIDC tokens would bring a whole HTTP library with it, a quarter of the start.
- Node keeps the compiled bundle in \`RUNNER_TEMP\`, which is the job's own folder and ends with it, never in the folder of the action. So the steps that start while the site is closed are those that start fastest.
- Minifying the bundle was tried and gains nothing.
`;
}
