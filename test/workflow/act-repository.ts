import { execFile } from 'node:child_process';
import { cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { actionIds } from '../../src/plan/action-ids.ts';
import { actSafe } from './act-safe.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** What stands in the repository besides the actions and `window.yml`. */
export type RepositoryContent = {
  /** Text of the plan, for `.github/maintenance.yml`. */
  readonly plan: string;
  /** Text of the calling workflow, for `.github/workflows/caller.yml`. */
  readonly caller: string;
};

/** Makes a git repository of a user who calls the workflow: his plan and caller, and our actions beside them. */
export async function makeRepository(folder: string, content: RepositoryContent): Promise<void> {
  const workflows = join(folder, '.github', 'workflows');
  await mkdir(workflows, { recursive: true });
  await cp(join(root, 'dist'), join(folder, 'dist'), { recursive: true });
  for (const id of actionIds.filter((known) => known !== 'maintenance-window')) {
    await mkdir(join(folder, id));
    await cp(join(root, id, 'action.yml'), join(folder, id, 'action.yml'));
  }
  const window = await readFile(join(root, '.github/workflows/window.yml'), 'utf8');
  await writeFile(join(workflows, 'window.yml'), actSafe(window));
  await writeFile(join(workflows, 'caller.yml'), content.caller);
  await writeFile(join(folder, '.github', 'maintenance.yml'), content.plan);
  const git = (...args: string[]) =>
    promisify(execFile)(
      'git',
      ['-c', 'user.name=ada', '-c', 'user.email=ada@shop.example', ...args],
      {
        cwd: folder,
        env: { PATH: process.env.PATH, HOME: folder, GIT_CONFIG_NOSYSTEM: '1' },
      },
    );
  await git('init', '--quiet', '--initial-branch=main');
  await git('add', '--all');
  await git('commit', '--quiet', '--message=A plan and its caller');
}
