import { readFile } from 'node:fs/promises';
import { data, Evaluator, Lexer, Parser, type Expr } from '@actions/expressions';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';

type Result = 'success' | 'failure' | 'cancelled' | 'skipped';
type Inputs = Readonly<Record<string, string>>;
type Job = {
  readonly id: string;
  readonly needs: readonly string[];
  readonly ancestors: readonly string[];
  readonly condition: Expr | undefined;
  /** Without a status function GitHub puts `success() &&` in front. */
  readonly hasStatusFunction: boolean;
};
/** What becomes of a job if it runs; success when it says nothing. */
type Script = Readonly<Record<string, Exclude<Result, 'skipped'>>>;
type Outcome = Readonly<Record<string, Result>>;

const statusFunctions = ['always', 'success', 'failure', 'cancelled'];
const gates = ['approve', 'sign-off', 'approve-rollback'];
let jobs: readonly Job[] = [];

beforeAll(async () => {
  const path = new URL('../../.github/workflows/window.yml', import.meta.url);
  const document = parse(await readFile(path, 'utf8')) as {
    jobs: Record<string, { needs?: string | string[]; if?: string }>;
  };
  const needsOf = (id: string) => [document.jobs[id]?.needs ?? []].flat();
  const ancestorsOf = (id: string): string[] =>
    needsOf(id).flatMap((of) => [of, ...ancestorsOf(of)]);
  jobs = Object.entries(document.jobs).map(([id, job]) => ({
    id,
    needs: needsOf(id),
    ancestors: [...new Set(ancestorsOf(id))],
    condition: job.if === undefined ? undefined : parseExpression(job.if),
    hasStatusFunction: /\b(?:always|success|failure|cancelled)\(/.test(job.if ?? ''),
  }));
});

function parseExpression(text: string): Expr {
  const functions = statusFunctions.map((name) => ({ name, minArgs: 0, maxArgs: 0 }));
  return new Parser(new Lexer(text).lex().tokens, ['inputs', 'needs'], functions).parse();
}

function textDictionary(values: Readonly<Record<string, string>>): data.Dictionary {
  return new data.Dictionary(
    ...Object.entries(values).map(([key, value]) => ({ key, value: new data.StringData(value) })),
  );
}

/** Plays the jobs through as GitHub does: every job whose condition holds ends as the script says. */
function play(inputs: Inputs, script: Script, opensWindow = true): Outcome {
  const results: Record<string, Result> = {};
  for (const job of jobs) {
    const runs = holds(job, inputs, results, opensWindow);
    results[job.id] = runs ? (script[job.id] ?? 'success') : 'skipped';
  }
  return results;
}

function holds(job: Job, inputs: Inputs, results: Outcome, opensWindow: boolean): boolean {
  const { ancestors } = job;
  const isCancelled = Object.values(results).includes('cancelled');
  const allSucceeded = !isCancelled && ancestors.every((id) => results[id] === 'success');
  if (!job.hasStatusFunction && !allSucceeded) return false;
  if (job.condition === undefined) return true;
  const needs = new data.Dictionary(
    ...job.needs.map((id) => ({
      key: id,
      value: new data.Dictionary(
        { key: 'result', value: new data.StringData(results[id] ?? 'missing') },
        {
          key: 'outputs',
          value: textDictionary(
            id === 'preflight' && opensWindow && results[id] === 'success'
              ? { 'window-id': 'mw-20261122-020000-1a2b' }
              : {},
          ),
        },
      ),
    })),
  );
  const context = new data.Dictionary(
    { key: 'inputs', value: textDictionary(inputs) },
    { key: 'needs', value: needs },
  );
  const values: Readonly<Record<string, boolean>> = {
    always: true,
    success: allSucceeded,
    cancelled: isCancelled,
    failure: ancestors.some((id) => results[id] === 'failure'),
  };
  const functions = new Map(
    statusFunctions.map((name) => [
      name,
      { name, minArgs: 0, maxArgs: 0, call: () => new data.BooleanData(values[name] === true) },
    ]),
  );
  const value = new Evaluator(job.condition, context, functions).evaluate();
  return value.kind === data.Kind.Boolean && value.value;
}

const withGates = (signOff: boolean, rollback: boolean): Inputs => ({
  'approval-environment': 'maintenance-approval',
  'sign-off-environment': signOff ? 'maintenance-sign-off' : '',
  'rollback-environment': rollback ? 'maintenance-rollback' : '',
});

type Way = { readonly inputs: Inputs; readonly outcome: Outcome };

/** Every way in which the jobs can end, for every choice of gates: a job that runs ends in each way. */
function everyWay(): readonly Way[] {
  const follow = (inputs: Inputs, results: Outcome, rest: readonly Job[]): Way[] => {
    const [job, ...later] = rest;
    if (job === undefined) return [{ inputs, outcome: results }];
    const ends = holds(job, inputs, results, true)
      ? (['success', 'failure', 'cancelled'] as const)
      : (['skipped'] as const);
    return ends.flatMap((end) => follow(inputs, { ...results, [job.id]: end }, later));
  };
  return [true, false].flatMap((signOff) =>
    [true, false].flatMap((rollback) => follow(withGates(signOff, rollback), {}, jobs)),
  );
}

const didRun = (outcome: Outcome, id: string) => outcome[id] !== 'skipped';
const reopened = (inputs: Inputs, outcome: Outcome) =>
  outcome.reopen === 'success' ||
  (inputs['sign-off-environment'] === '' && outcome.maintain === 'success');

describe('the jobs of window.yml, whatever becomes of each', () => {
  test('are those that this test knows', () => {
    expect(jobs.map(({ id }) => id)).toEqual([
      'preflight',
      'approve',
      'prepare',
      'maintain',
      'sign-off',
      'reopen',
      'approve-rollback',
      'rollback',
      'report',
    ]);
  });

  test('touch nothing when preflight opened no window', () => {
    for (const inputs of [withGates(false, false), withGates(true, true)]) {
      for (const preflight of ['success', 'failure', 'cancelled'] as const) {
        const outcome = play(inputs, { preflight }, false);
        expect(Object.keys(outcome).filter((id) => didRun(outcome, id))).toEqual(['preflight']);
      }
    }
  });

  test('go on only after the success of what comes before', () => {
    const before: Readonly<Record<string, string>> = {
      approve: 'preflight',
      prepare: 'approve',
      maintain: 'prepare',
      'sign-off': 'maintain',
      reopen: 'sign-off',
    };
    let looked = 0;
    for (const { outcome } of everyWay()) {
      for (const [id, earlier] of Object.entries(before)) {
        if (!didRun(outcome, id)) continue;
        looked += 1;
        if (outcome[earlier] !== 'success')
          throw new Error(`${id} ran: ${JSON.stringify(outcome)}`);
      }
    }
    expect(looked).toBeGreaterThan(100);
  });

  test('roll back whatever did not end with an open site, and nothing else', () => {
    const seen = { rolledBack: 0, spared: 0, waiting: 0 };
    for (const { inputs, outcome } of everyWay()) {
      if (outcome.preflight !== 'success') continue;
      // The site may be closed: somebody is asked first, where the caller wants that.
      const asks = inputs['rollback-environment'] !== '' && outcome.prepare === 'success';
      const isOpen = reopened(inputs, outcome);
      const expected = {
        'approve-rollback': !isOpen && asks,
        rollback: !isOpen && (!asks || outcome['approve-rollback'] === 'success'),
      };
      const actual = {
        'approve-rollback': didRun(outcome, 'approve-rollback'),
        rollback: didRun(outcome, 'rollback'),
      };
      seen[isOpen ? 'spared' : actual.rollback ? 'rolledBack' : 'waiting'] += 1;
      if (JSON.stringify(actual) !== JSON.stringify(expected)) {
        throw new Error(JSON.stringify({ inputs, outcome, expected, actual }));
      }
    }
    for (const count of Object.values(seen)) expect(count).toBeGreaterThan(10);
  });

  test('report every window that was opened', () => {
    for (const { outcome } of everyWay()) {
      if (didRun(outcome, 'report') !== (outcome.preflight === 'success')) {
        throw new Error(JSON.stringify(outcome));
      }
    }
  });

  test('ask nobody when all goes well and no further gate was asked for', () => {
    const outcome = play(withGates(false, false), {});
    expect(gates.filter((id) => didRun(outcome, id))).toEqual(['approve']);
    expect(outcome).toMatchObject({ maintain: 'success', rollback: 'skipped', report: 'success' });
  });
});
