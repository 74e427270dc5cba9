/**
 * Extracts from GitHub's official OpenAPI description (the npm package @octokit/openapi) the paths that we call.
 * The contract tests check our requests and the fake server's answers against the extract.
 *
 * Usage: node script/extract-openapi.ts [--check]
 * With --check nothing is written; the exit code is 1 when the committed extract is not the package's.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { format, resolveConfig } from 'prettier';

const paths = [
  '/repos/{owner}/{repo}/environments/{environment_name}',
  '/repos/{owner}/{repo}/actions/runs/{run_id}/approvals',
  '/repos/{owner}/{repo}/actions/runs/{run_id}/jobs',
];
const target = join(import.meta.dirname, '..', 'test', 'contract', 'github-openapi.json');
const { resolve } = createRequire(import.meta.url);

/** Words for readers, which no check uses. */
const prose = [
  'description',
  'summary',
  'title',
  'example',
  'examples',
  'externalDocs',
  'tags',
  'x-github',
];
/** Keywords whose keys are names of the API's, so that a property called `description` stays. */
const nameMaps = ['properties', 'responses', 'content', 'headers'];

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

function withoutProse(value: Json, keysAreNames = false): Json {
  if (Array.isArray(value)) return value.map((item) => withoutProse(item));
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key]) => keysAreNames || !prose.includes(key))
      .map(([key, item]) => [key, withoutProse(item, nameMaps.includes(key) && !keysAreNames)]),
  );
}

async function extract(): Promise<string> {
  const read = (file: string): unknown =>
    JSON.parse(readFileSync(resolve(`@octokit/openapi/${file}`), 'utf8'));
  const { version, license } = read('package.json') as { version: string; license: string };
  const description = read('generated/api.github.com.deref.json') as {
    openapi: string;
    paths: Record<string, { get?: Json }>;
  };
  const operations = paths.map((path) => {
    const get = description.paths[path]?.get;
    if (get === undefined) throw new Error(`@octokit/openapi ${version} does not have GET ${path}`);
    return [path, { get: withoutProse(get) }] as const;
  });
  const document = {
    origin: `npm @octokit/openapi ${version} (${license}), generated/api.github.com.deref.json, by script/extract-openapi.ts`,
    openapi: description.openapi,
    paths: Object.fromEntries(operations),
  };
  const options = await resolveConfig(target);
  return format(JSON.stringify(document), { ...options, filepath: target });
}

const text = await extract();
if (!process.argv.includes('--check')) {
  writeFileSync(target, text);
  console.log(`Wrote ${target}.`);
} else if (readFileSync(target, 'utf8') !== text) {
  console.error(
    `${target} is not what the installed @octokit/openapi says. Nothing was changed. ` +
      'Run `node script/extract-openapi.ts` and look at the difference.',
  );
  process.exitCode = 1;
}
