import { readFileSync, readdirSync } from 'node:fs';
import { posix, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from '@jest/globals';

/** A source file: its path from the root of the repository, with `/`, and its text. */
interface Source {
  path: string;
  text: string;
}

const root = fileURLToPath(new URL('../..', import.meta.url));

/** The folders of the core, and what each may import from `src/`. */
const core: Record<string, readonly string[]> = {
  plan: ['plan', 'record', 'report', 'ports'],
  record: ['plan', 'record', 'report', 'ports'],
  report: ['plan', 'record', 'report', 'ports'],
  ports: ['plan', 'record', 'report', 'ports'],
  phases: ['phases', 'plan', 'record', 'report', 'ports'],
};
/** Packages that compute and touch nothing. */
const purePackages = ['zod', 'yaml', 'temporal-polyfill'];
/** Node modules that compute and touch nothing. */
const pureNodeModules = ['node:path', 'node:path/posix', 'node:crypto', 'node:zlib', 'node:util'];
/** Of `node:crypto`, what depends on its arguments only. */
const pureCrypto = ['createHash', 'createHmac', 'timingSafeEqual'];

const adapters = [
  'databases',
  'modes',
  'hosts',
  'servers',
  'github',
  'http',
  'network',
  'browser',
  'clock',
  'services',
  'code',
  'destinations',
  'encryption',
];
/** The folders that adapters stand below. */
const aboveAdapters = ['phases', 'actions', 'cli'];

/** The one folder that may import each of these packages. */
const homes: Record<string, string> = {
  '@actions/core': 'runner',
  '@actions/github': 'github',
  '@actions/artifact': 'github',
  '@aws-sdk/client-s3': 'destinations',
};

/** The text without comments, as long as it was, so that words in comments do not count. */
function withoutComments(text: string): string {
  return text.replace(
    /('(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`)|\/\*[\s\S]*?\*\/|\/\/[^\n]*/g,
    (match: string, literal: string | undefined) => literal ?? ' '.repeat(match.length),
  );
}

/** What a file imports: the specifier, and the clause in front of it ('' for a dynamic import). */
function importsOf(text: string): { specifier: string; clause: string }[] {
  const code = withoutComments(text);
  const found: { specifier: string; clause: string }[] = [];
  const fromClause = /^[ \t]*(?:import|export)\b([^'"`;=()]*?)\bfrom\s*['"]([^'"]+)['"]/gm;
  const sideEffect = /^[ \t]*import\s*['"]([^'"]+)['"]/gm;
  const dynamic = /\bimport\s*\(\s*['"`]([^'"`]+)['"`]/g;
  for (const match of code.matchAll(fromClause)) {
    found.push({ clause: match[1] ?? '', specifier: match[2] ?? '' });
  }
  for (const pattern of [sideEffect, dynamic]) {
    for (const match of code.matchAll(pattern)) {
      found.push({ clause: '', specifier: match[1] ?? '' });
    }
  }
  return found;
}

/** The folder below `src/` of a path, or the file's own name when it lies in `src/` itself. */
function layerOf(path: string): string {
  return (path.split('/')[1] ?? '').replace(/\.ts$/, '');
}

/** The package of a bare specifier: `@scope/name/deep` is `@scope/name`. */
function packageOf(specifier: string): string {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
}

/** Why this import may not stand in this file, or undefined when it may. */
function objection(path: string, specifier: string, clause: string): string | undefined {
  const layer = layerOf(path);
  const allowed = core[layer];
  if (specifier.startsWith('.')) {
    const target = posix.join(posix.dirname(path), specifier);
    if (!target.startsWith('src/')) return 'outside src/';
    const targetLayer = layerOf(target);
    if (allowed !== undefined && !allowed.includes(targetLayer)) {
      return `${layer}/ may import only ${allowed.join(', ')}`;
    }
    if (adapters.includes(layer) && aboveAdapters.includes(targetLayer)) {
      return `the adapter ${layer}/ stands below ${targetLayer}/`;
    }
    return undefined;
  }
  if (specifier.startsWith('node:')) {
    if (allowed === undefined) return undefined;
    if (!pureNodeModules.includes(specifier)) return `${layer}/ has no effects of its own`;
    if (specifier === 'node:crypto' && !/^\s*type\b/.test(clause)) {
      const names = /^\s*\{([^}]*)\}\s*$/.exec(clause)?.[1]?.split(',') ?? ['*'];
      const impure = names
        .map((name) => name.trim().split(/\s+as\s+/)[0] ?? '')
        .filter((name) => name !== '' && !name.startsWith('type ') && !pureCrypto.includes(name));
      if (impure.length > 0)
        return `${layer}/ may use only ${pureCrypto.join(', ')} of node:crypto`;
    }
    return undefined;
  }
  const home = homes[packageOf(specifier)];
  if (home !== undefined && home !== layer) return `only ${home}/ may import it`;
  if (allowed === undefined) return undefined;
  return purePackages.includes(packageOf(specifier))
    ? undefined
    : `${layer}/ may import only ${purePackages.join(', ')}`;
}

/** One line for each import or word that the architecture does not allow. */
function violations(sources: readonly Source[]): string[] {
  return sources.flatMap(({ path, text }) => {
    const found = importsOf(text).flatMap(({ specifier, clause }) => {
      const why = objection(path, specifier, clause);
      return why === undefined ? [] : [`${path} imports ${specifier}: ${why}`];
    });
    if (layerOf(path) in core && /\bprocess\??\.\w|=\s*process\b/.test(withoutComments(text))) {
      found.push(`${path} mentions process: the core is given what it needs`);
    }
    return found;
  });
}

function readSources(): Source[] {
  return readdirSync(`${root}/src`, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => {
      const file = `${entry.parentPath}/${entry.name}`;
      return {
        path: relative(root, file).split(sep).join('/'),
        text: readFileSync(file, 'utf8'),
      };
    });
}

describe('import direction', () => {
  test('every import in src/ goes the one way', () => {
    const sources = readSources();
    expect(sources.map(({ path }) => path)).toContain('src/plan/action-ids.ts');
    expect(violations(sources)).toEqual([]);
  });

  const planted: [name: string, path: string, text: string][] = [
    ['an adapter in a phase', 'src/phases/a.ts', "import { x } from '../modes/nginx.ts';"],
    ['an action in a phase', 'src/phases/a.ts', "import { x } from '../actions/report.ts';"],
    ['a phase in the plan', 'src/plan/a.ts', "import type { X } from '../phases/b.ts';"],
    ['a phase re-exported by the report', 'src/report/a.ts', "export * from '../phases/b.ts';"],
    ['node:fs in the record', 'src/record/a.ts', "import { readFile } from 'node:fs/promises';"],
    ['node:fs for its side effect', 'src/record/a.ts', "import 'node:fs';"],
    ['a dynamic import in a phase', 'src/phases/a.ts', "const x = await import('node:os');"],
    ['randomness in the plan', 'src/plan/a.ts', "import { randomUUID } from 'node:crypto';"],
    ['all of node:crypto in the plan', 'src/plan/a.ts', "import * as c from 'node:crypto';"],
    ['process in a phase', 'src/phases/a.ts', 'const x = process.env;'],
    ['another package in the core', 'src/plan/a.ts', "import x from 'left-pad';"],
    ['core outside the runner', 'src/actions/a.ts', "import * as core from '@actions/core';"],
    ['github outside github/', 'src/cli/a.ts', "const g = await import('@actions/github');"],
    ['artifact outside github/', 'src/runner/a.ts', "import { x } from '@actions/artifact';"],
    ['a phase in an adapter', 'src/databases/a.ts', "import { x } from '../phases/b.ts';"],
    ['an action in a one-file adapter', 'src/clock.ts', "import { x } from './actions/b.ts';"],
    ['a file outside src/', 'src/cli/a.ts', "import { x } from '../../test/b.ts';"],
    [
      'an import over several lines',
      'src/phases/a.ts',
      "import {\n  one,\n  two, // 'three'\n} from '../hosts/local.ts';",
    ],
  ];
  test.each(planted)('finds %s', (_name, path, text) => {
    expect(violations([{ path, text }])).toHaveLength(1);
  });

  const allowed: [name: string, path: string, text: string][] = [
    [
      'the plan and ports in a phase',
      'src/phases/a.ts',
      "import '../plan/b.ts';\nimport '../ports/c.ts';",
    ],
    ['a hash in the record', 'src/record/a.ts', "import { createHash } from 'node:crypto';"],
    ['zod in the plan', 'src/plan/a.ts', "import * as z from 'zod';"],
    ['core in the runner', 'src/runner/a.ts', "import * as core from '@actions/core';"],
    ['an adapter in an action', 'src/actions/a.ts', "import { x } from '../modes/nginx.ts';"],
    [
      'words in comments',
      'src/phases/a.ts',
      "// import 'node:fs'\n/* process.env */\nconst a = 1;",
    ],
  ];
  test.each(allowed)('allows %s', (_name, path, text) => {
    expect(violations([{ path, text }])).toEqual([]);
  });
});
