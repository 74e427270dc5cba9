import type { PhaseContext } from './phase.ts';

/** The variables that a tool of the user gets: only what the plan names, so no secrets that it does not need. */
export function variablesNamed(
  { variable }: Pick<PhaseContext, 'variable'>,
  names: readonly string[],
): Record<string, string> {
  return Object.fromEntries(
    names.flatMap((name) => {
      const value = variable(name);
      return value === undefined ? [] : [[name, value]];
    }),
  );
}

/** Where a tool of the user runs: on the runner's own host in the repository; elsewhere there is none. */
export function folderFor(
  { workspace }: Pick<PhaseContext, 'workspace'>,
  host: string,
  task: { readonly workingDirectory?: string | undefined },
): string | undefined {
  return task.workingDirectory ?? (host === 'local' ? workspace : undefined);
}
