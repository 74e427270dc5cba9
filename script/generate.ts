/**
 * Generates what repeats what is declared elsewhere: the metadata and README of every action, the JSON Schema of the
 * plan and its reference, the map of runbook and checklist, the workflow for GitHub Enterprise Server. With `--check` it changes nothing, names every file that differs or is
 * stale, and ends with 1.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { format, resolveConfig } from 'prettier';
import { actionIds } from '../src/plan/action-ids.ts';
import { actionFile } from './generate/action-file.ts';
import { actionReadme } from './generate/action-readme.ts';
import type { GeneratedFile } from './generate/generated-file.ts';
import { ghesWorkflow } from './generate/ghes-workflow.ts';
import { planReference } from './generate/plan-reference.ts';
import { planJsonSchema } from './generate/plan-schema.ts';
import { runbookMap } from './generate/runbook-map.ts';

const root = fileURLToPath(new URL('..', import.meta.url));

/** Formats what the lint looks at, as the lint wants it. */
async function formatted(file: GeneratedFile): Promise<GeneratedFile> {
  if (file.path.endsWith('.md')) return file;
  const filepath = join(root, file.path);
  const config = await resolveConfig(filepath);
  return { ...file, text: await format(file.text, { ...config, filepath }) };
}

/** Metadata that an earlier set of actions left: a folder that is no action any more. */
function staleFiles(files: readonly GeneratedFile[]): string[] {
  const known = new Set(files.map(({ path }) => path));
  return readdirSync(root, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'))
    .flatMap(({ name }) => [`${name}/action.yml`, `${name}/action.yaml`])
    .filter((path) => !known.has(path) && existsSync(join(root, path)));
}

function contentOf(path: string): string | undefined {
  const file = join(root, path);
  return existsSync(file) ? readFileSync(file, 'utf8') : undefined;
}

const files = await Promise.all(
  [
    ...actionIds.flatMap((id) => [actionFile(id), actionReadme(id)]),
    planJsonSchema(),
    planReference(),
    runbookMap(),
    ghesWorkflow(),
  ].map(formatted),
);
const changed = files.filter(({ path, text }) => contentOf(path) !== text);
const stale = staleFiles(files);

if (process.argv.includes('--check')) {
  for (const { path } of changed) console.error(`differs: ${path}`);
  for (const path of stale) console.error(`stale: ${path}`);
  if (changed.length + stale.length > 0) {
    console.error('Run `npm run generate` and commit the result.');
    process.exit(1);
  }
  console.log(`${files.length} generated files are as their declarations say.`);
} else {
  for (const { path, text } of changed) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
    console.log(`wrote ${path}`);
  }
  for (const path of stale) {
    rmSync(join(root, path));
    console.log(`removed ${path}`);
  }
  console.log(
    `${files.length} generated files, ${changed.length} written, ${stale.length} removed.`,
  );
}
