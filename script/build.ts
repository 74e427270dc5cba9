/**
 * Builds `dist/` from `src/`: TypeScript to `lib/`, then one bundle that all actions and the
 * command line share, then an entry a few lines long for each of them.
 *
 * One bundle, because nine copies of the same code would be nine times the download of every job
 * and nine places to review. Both folders are emptied first: ncc leaves old chunks behind. The
 * output depends on the sources and the lock file only, not on where the repository lies;
 * `script/check-dist` relies on it.
 */
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { actionIds, type ActionId } from '../src/plan/action-ids.ts';
import { licensesOf } from './licenses.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const lib = join(root, 'lib');
const dist = join(root, 'dist');
const stats = join(lib, 'stats.json');

/** Runs a tool of `node_modules` under this Node; its failure ends the build. */
function run(tool: string, ...args: string[]): void {
  const { status, error } = spawnSync(process.execPath, [join('node_modules', tool), ...args], {
    cwd: root,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  if (error !== undefined) throw error;
  if (status !== 0) {
    console.error(`Build failed: ${tool} ${args.join(' ')} ended with ${String(status)}.`);
    process.exit(1);
  }
}

/**
 * Gives `lib/` a copy of a package which tells the bundler that importing its modules does nothing by
 * itself, so that those of which nothing is used are left out. Without this each action would begin by
 * loading the HTTP client behind @actions/core's OIDC tokens, which none of them asks for: a quarter of
 * its start. A package that does something when it is imported must not be named here.
 */
function withoutSideEffects(name: string): void {
  const copy = join(lib, 'node_modules', name);
  cpSync(join(root, 'node_modules', name), copy, { recursive: true });
  const file = join(copy, 'package.json');
  const description = JSON.parse(readFileSync(file, 'utf8')) as object;
  writeFileSync(file, JSON.stringify({ ...description, sideEffects: false }));
}

function write(name: string, lines: readonly string[]): void {
  writeFileSync(join(dist, name), `${lines.join('\n')}\n`);
}

for (const folder of [lib, dist]) {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder);
}

run('typescript/bin/tsc', '-p', 'tsconfig.build.json');
withoutSideEffects('@actions/core');
run(
  '@vercel/ncc/dist/ncc/cli.js',
  ...['build', join('lib', 'actions', 'entry.js'), '--out', 'dist'],
  ...['--no-cache', '--quiet', '--target', 'es2022', '--stats-out', stats],
);
writeFileSync(join(dist, 'licenses.txt'), licensesOf(readFileSync(stats, 'utf8')));
rmSync(stats);

for (const name of ['runAction', 'runPostAction', 'runCli']) {
  if (
    !new RegExp(`export \\{[^}]*\\b${name}\\b`).test(readFileSync(join(dist, 'index.js'), 'utf8'))
  ) {
    console.error(`Build failed: src/actions/entry.ts does not export ${name}.`);
    process.exit(1);
  }
}

/**
 * An entry that the runner calls. The steps of a job share RUNNER_TEMP, which ends with the job: all but
 * the first find the bundle compiled there. They start while the site is closed.
 */
function writeEntry(name: string, run: 'runAction' | 'runPostAction', id: ActionId): void {
  write(name, [
    `import module from 'node:module';`,
    `const { RUNNER_TEMP } = process.env;`,
    `if (RUNNER_TEMP) module.enableCompileCache?.(\`\${RUNNER_TEMP}/maintenance-window-compiled\`);`,
    `const { ${run} } = await import('./index.js');`,
    `await ${run}('${id}');`,
  ]);
}

write('package.json', ['{', '  "type": "module"', '}']);
for (const id of actionIds) writeEntry(`${id}.js`, 'runAction', id);
// The one action with a post step: it makes a cancelled window safe and reports.
writeEntry('maintenance-window-post.js', 'runPostAction', 'maintenance-window');
write('cli.js', [
  '#!/usr/bin/env node',
  `import { runCli } from './index.js';`,
  `await runCli(process.argv.slice(2));`,
]);
chmodSync(join(dist, 'cli.js'), 0o755);

console.log(`Built ${String(readdirSync(dist).length)} files in dist/.`);
