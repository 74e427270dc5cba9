import { execFile } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  convertWorkflowTemplate,
  NoOperationTraceWriter,
  parseWorkflow,
} from '@actions/workflow-parser';
import { describe, expect, test } from '@jest/globals';
import { JSDOM } from 'jsdom';
import { parse } from 'yaml';
import { actionIds } from '../../src/plan/action-ids.ts';
import { chartsOf } from '../fixtures/mermaid.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const windowFile = '.github/workflows/window.yml';
const workflows = ['.github/workflows', 'examples/workflows'].flatMap((folder) =>
  readdirSync(join(root, folder)).map((name) => `${folder}/${name}`),
);
const actions = actionIds.map((id) =>
  id === 'maintenance-window' ? 'action.yml' : `${id}/action.yml`,
);

const read = (path: string) => readFile(join(root, path), 'utf8');

/** Runs a linter that `script/bootstrap --tests` put in place; what it says and how it ended. */
function lint(program: string, ...args: string[]): Promise<{ code: unknown; said: string }> {
  return new Promise((resolve) => {
    execFile(
      join(root, '.tools/venv/bin', program),
      args,
      { cwd: root, timeout: 100_000, env: { PATH: process.env.PATH, HOME: '/nonexistent' } },
      (error, stdout, stderr) => {
        resolve({ code: error === null ? 0 : (error.code ?? error.signal), said: stdout + stderr });
      },
    );
  });
}

/** What GitHub's own parser has against a workflow, the workflow that it calls included. */
async function parserErrors(name: string, content: string): Promise<string[]> {
  const { context, value } = parseWorkflow({ name, content }, new NoOperationTraceWriter());
  const provider = {
    getFileContent: async (reference: { path: string }) => ({
      name: reference.path,
      content: await read(reference.path),
    }),
  };
  if (value !== undefined) {
    await convertWorkflowTemplate(context, value, provider, { fetchReusableWorkflowDepth: 1 });
  }
  return context.errors.getErrors().map(String);
}

/** The kind of a Mermaid diagram; throws where GitHub would show an error in its place. */
async function diagramType(text: string): Promise<string> {
  const { window } = new JSDOM('<!doctype html><body></body>');
  Object.assign(globalThis, { window, document: window.document });
  const { default: mermaid } = await import('mermaid');
  return (await mermaid.parse(text)).diagramType;
}

test('the workflows are found', () => {
  expect(workflows).toEqual(
    expect.arrayContaining([
      windowFile,
      '.github/workflows/ci.yml',
      '.github/workflows/release.yml',
      'examples/workflows/manual.yml',
      'examples/workflows/scheduled.yml',
      'examples/workflows/fleet.yml',
      'examples/workflows/window-ghes.yml',
    ]),
  );
});

describe("GitHub's parser", () => {
  test.each(workflows)('accepts %s', async (path) => {
    expect(await parserErrors(path, await read(path))).toEqual([]);
  });

  test('compares a caller with the inputs of the called workflow', async () => {
    const path = 'examples/workflows/manual.yml';
    const text = (await read(path)).replace('      reason: ', '      reasons: ');
    expect(await parserErrors(path, text)).toEqual([expect.stringContaining('reasons')]);
  });
});

describe('actionlint', () => {
  // It compares inputs and outputs with the action.yml files as well.
  test('has no finding', async () => {
    expect(await lint('actionlint', '-no-color', ...workflows)).toEqual({ code: 0, said: '' });
  });
});

describe('zizmor', () => {
  test('has no finding', async () => {
    const { code, said } = await lint(
      'zizmor',
      ...['--offline', '--no-progress', '--color=never', '--strict-collection'],
      ...workflows,
      ...actions,
    );
    expect(said).toContain('No findings to report');
    expect(code).toBe(0);
  });

  test('is told to overlook only what the examples explain', async () => {
    const overlooked: string[] = [];
    for (const path of [...workflows, ...actions]) {
      for (const [, what] of (await read(path)).matchAll(/# zizmor: ignore\[([^\]]*)\]/g)) {
        overlooked.push(`${path}: ${what ?? ''}`);
      }
    }
    const [ghes, others] = [true, false].map((wanted) =>
      overlooked.filter((what) => what.includes('window-ghes.yml') === wanted),
    );
    expect([...new Set(ghes)]).toEqual(['examples/workflows/window-ghes.yml: unpinned-uses']);
    expect(others).toEqual([
      'examples/workflows/fleet.yml: unpinned-uses',
      'examples/workflows/fleet.yml: secrets-inherit',
      'examples/workflows/manual.yml: unpinned-uses',
      'examples/workflows/manual.yml: secrets-inherit',
      'examples/workflows/scheduled.yml: unpinned-uses',
      'examples/workflows/scheduled.yml: secrets-inherit',
    ]);
  });
});

type Job = {
  environment?: string;
  permissions?: Record<string, string>;
  'timeout-minutes'?: number;
  env?: unknown;
  if?: string;
  needs?: string | string[];
  steps: {
    name?: string;
    uses?: string;
    run?: string;
    with?: Record<string, unknown>;
    env?: Record<string, string>;
  }[];
};

describe('window.yml', () => {
  const jobs = async () => (parse(await read(windowFile)) as { jobs: Record<string, Job> }).jobs;
  const gates = ['approve', 'sign-off', 'approve-rollback'];

  test('gates get no secret, no permission and no code', async () => {
    for (const [id, job] of Object.entries(await jobs()).filter(([name]) => gates.includes(name))) {
      expect({ id, permissions: job.permissions }).toEqual({ id, permissions: {} });
      expect(job.steps.map(({ uses, env }) => ({ uses, env }))).toEqual([{}]);
      expect(job.environment).toMatch(
        /^\$\{\{ inputs\.(approval|sign-off|rollback)-environment \}\}$/,
      );
    }
  });

  test('secrets reach steps of our actions alone, from the environment without reviewers', async () => {
    // Only what makes backups, and what looks whether it could, may reach the places for copies.
    const forCopies = [
      'BACKUP_ACCESS_KEY_ID',
      'BACKUP_SECRET_ACCESS_KEY',
      'BACKUP_SSH_KEY',
      'BACKUP_IDENTITY',
    ];
    // These may have to open a backup that was streamed encrypted.
    const restoring = ['Take a restore point and run the tasks', 'Make the system safe'];
    const text = await read(windowFile);
    const working = Object.entries(await jobs()).filter(([id]) => !gates.includes(id));
    expect(working).toHaveLength(6);
    for (const [id, job] of working) {
      expect({ id, environment: job.environment }).toEqual({
        id,
        environment: '${{ inputs.secrets-environment }}',
      });
      for (const step of job.steps) {
        const uses = step.uses ?? '';
        expect(Object.keys(step.env ?? {})).toEqual(
          uses.startsWith('$/')
            ? [
                'DATABASE_URL',
                'STANDBY_URL',
                'SCRATCH_URL',
                'MAINTENANCE_BYPASS_TOKEN',
                'SSH_PRIVATE_KEY',
                ...(['$/preflight', '$/backup-db'].includes(uses) ? forCopies : []),
                ...(restoring.includes(step.name ?? '') ? ['BACKUP_IDENTITY'] : []),
              ]
            : [],
        );
        expect(JSON.stringify(step.with ?? {})).not.toContain('secrets.');
      }
      expect(job.env).toBeUndefined();
    }
    expect(text).not.toMatch(/^env:/m);
  });

  test('every job has a time limit, its own permissions and a name for every step', async () => {
    for (const job of Object.values(await jobs())) {
      expect(job['timeout-minutes']).toBeGreaterThan(0);
      expect(Object.values(job.permissions ?? { none: 'given' })).not.toContain('write');
      expect(job.permissions).toBeDefined();
      for (const step of job.steps) expect(step.name).toMatch(/\S/);
      // What users write goes to our actions as inputs, never into a shell.
      for (const { run } of job.steps) expect(run ?? '').not.toContain('${{');
    }
  });

  test('what follows preflight works on the window that preflight opened', async () => {
    for (const [id, job] of Object.entries(await jobs())) {
      for (const { uses = '', with: inputs } of job.steps) {
        if (!uses.startsWith('$/') || id === 'preflight' || id === 'report') continue;
        expect(inputs?.['window-id']).toBe('${{ needs.preflight.outputs.window-id }}');
        expect([job.needs].flat()).toContain('preflight');
      }
    }
  });

  test('preflight looks at all three gates', async () => {
    const { preflight } = await jobs();
    const step = preflight?.steps.find(({ uses }) => uses === '$/preflight');
    expect(String(step?.with?.gates).trim().split('\n')).toEqual([
      '${{ inputs.approval-environment }}',
      '${{ inputs.sign-off-environment }}',
      '${{ inputs.rollback-environment }}',
    ]);
  });
});

describe('docs/workflow.md', () => {
  test('tells inputs, defaults, outputs and jobs of window.yml', async () => {
    const document = await read('docs/workflow.md');
    const rows = (heading: string, columns: number) => {
      const [, section = ''] = document.split(`\n## ${heading}\n`);
      return (section.split('\n## ')[0] ?? '')
        .split('\n')
        .filter((line) => line.startsWith('| `'))
        .map((line) => line.split('|').slice(1, 1 + columns))
        .map((cells) => cells.map((cell) => cell.replaceAll('`', '').trim()));
    };
    const workflow = parse(await read(windowFile)) as {
      on: {
        workflow_call: {
          inputs: Record<string, { default: unknown }>;
          outputs: Record<string, unknown>;
        };
      };
      jobs: Record<string, Job & { 'runs-on': string }>;
    };
    const { inputs, outputs } = workflow.on.workflow_call;
    expect(rows('Inputs', 2)).toEqual(
      Object.entries(inputs).map(([name, input]) => [name, String(input.default)]),
    );
    expect(rows('Outputs', 1).flat()).toEqual(Object.keys(outputs));
    expect(rows('The jobs', 4)).toEqual(
      Object.entries(workflow.jobs).map(([id, job]) => [
        id,
        job['runs-on'].includes('inputs.gate-runs-on') ? 'gate-runs-on' : 'runs-on',
        /inputs\.([\w-]+)/.exec(job.environment ?? '')?.[1],
        Object.entries(job.permissions ?? {})
          .map(([scope, level]) => `${scope}: ${level}`)
          .join(', ') || 'none',
      ]),
    );
  });

  test('has a diagram that Mermaid reads, with every job in it', async () => {
    const [diagram = ''] = chartsOf(await read('docs/workflow.md'));
    expect(await diagramType(diagram)).toBe('flowchart-v2');
    for (const id of Object.keys((parse(await read(windowFile)) as { jobs: object }).jobs)) {
      expect(diagram).toContain(`<b>${id}</b>`);
    }
    await expect(diagramType(`${diagram}\n-->`)).rejects.toThrow();
  });
});
