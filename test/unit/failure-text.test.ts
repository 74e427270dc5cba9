import { expect, test } from '@jest/globals';
import { describeFailure } from '../../src/runner/failure-text.ts';

test('a failure tells what happened, how things stand, and what to do, in this order', () => {
  const failure = {
    code: 'not-closed',
    message: 'It did not close.',
    state: 'It is open.',
    next: 'Look at nginx.',
  };
  expect(describeFailure(failure)).toBe(
    'It did not close.\nState now: It is open.\nNext: Look at nginx.',
  );
});
