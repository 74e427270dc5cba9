/**
 * What act cannot run of our workflows is replaced by what it can, and nothing else: tests that run such a copy
 * say something about the workflow itself.
 */

/** act knows neither `uses: $/path` (this repository at this commit) nor `queue` of a concurrency group. */
export function actSafe(workflow: string): string {
  return workflow
    .split('\n')
    .filter((line) => line !== '  queue: max')
    .map((line) => line.replace(/^( +uses: )\$\//, '$1./'))
    .join('\n');
}

/** A caller of the published workflow as a caller of the one in its own repository. */
export function localCaller(caller: string): string {
  return caller.replace(
    /^( +uses: )OWNER\/maintenance-window\/(\.github\/workflows\/window\.yml)@v1\b.*$/m,
    '$1./$2',
  );
}
