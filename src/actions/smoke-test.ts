import { writeJunit } from '../assembly/junit-file.ts';
import { withWindow } from '../assembly/window-session.ts';
import { smokeTest } from '../phases/smoke-test.ts';
import { failureOf } from '../ports/failure.ts';
import type { Action } from './action.ts';

export const smokeTestAction: Action = (surroundings) =>
  withWindow('smoke-test', surroundings, async (context, invocation) => {
    const { record } = context;
    const before = record.status.smokeTests?.length ?? 0;
    const outcome = await smokeTest(context);
    const runs = (record.status.smokeTests ?? []).slice(before);
    if (runs.length === 0) return outcome;
    try {
      const file = await writeJunit(surroundings, invocation['junit-file'], record.status, runs);
      return file === undefined
        ? outcome
        : { ...outcome, outputs: { ...outcome.outputs, junit: file } };
    } catch (error) {
      // What the tests showed comes before what became of the file.
      if (outcome.kind === 'failed') return outcome;
      return { kind: 'failed', failure: failureOf(error), outputs: outcome.outputs };
    }
  });
