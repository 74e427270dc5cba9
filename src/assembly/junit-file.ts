import { mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { fail } from '../ports/failure.ts';
import type { WindowStatus } from '../record/status.ts';
import { renderJunit } from '../report/junit.ts';
import type { Surroundings } from './surroundings.ts';

/**
 * Writes results of smoke tests as JUnit XML on the runner: where `junit-file` says, or in the runner's own
 * temporary folder.
 * @returns its path; `undefined` when neither says where
 * @throws FailureError `junit-not-written`
 */
export async function writeJunit(
  { workspace, environment }: Pick<Surroundings, 'workspace' | 'environment'>,
  wanted: unknown,
  status: Pick<WindowStatus, 'name' | 'windowId'>,
  runs: NonNullable<WindowStatus['smokeTests']>,
): Promise<string | undefined> {
  const { RUNNER_TEMP: temporary = '' } = environment;
  let file: string | undefined;
  try {
    if (typeof wanted === 'string' && wanted !== '') {
      file = resolve(workspace, wanted);
      await mkdir(dirname(file), { recursive: true });
    } else if (temporary !== '') {
      file = join(await mkdtemp(join(temporary, 'maintenance-smoke-test-')), 'junit.xml');
    } else {
      return undefined;
    }
    const { name, windowId } = status;
    await writeFile(file, renderJunit({ name, windowId, runs }));
    return file;
  } catch (error) {
    return fail(
      {
        code: 'junit-not-written',
        message: `The results could not be written to ${file ?? temporary}: ${error instanceof Error ? error.message : String(error)}.`,
        state: 'The smoke tests ran, and the record has their results.',
        next: 'Give `junit-file` a path on the runner that can be written.',
      },
      error,
    );
  }
}
