import { describe, expect, test } from '@jest/globals';
import { identityOf } from '../../src/runner/identity.ts';

const runner = {
  GITHUB_RUN_ID: '4711',
  GITHUB_RUN_ATTEMPT: '2',
  GITHUB_SERVER_URL: 'https://github.example',
  GITHUB_REPOSITORY: 'acme/shop',
  GITHUB_ACTOR: 'ada',
  GITHUB_TRIGGERING_ACTOR: 'bo-lind',
};

describe('who runs us', () => {
  test('is the run with its attempt, its page, and who started this attempt', () => {
    expect(identityOf(runner)).toEqual({
      id: '4711',
      attempt: 2,
      url: 'https://github.example/acme/shop/actions/runs/4711',
      actor: 'bo-lind',
    });
  });

  test('is whoever began the first attempt when nobody began this one', () => {
    expect(identityOf({ ...runner, GITHUB_TRIGGERING_ACTOR: undefined }).actor).toBe('ada');
  });

  test.each(['GITHUB_RUN_ID', 'GITHUB_SERVER_URL', 'GITHUB_REPOSITORY'])(
    'has no page without %s',
    (name) => {
      expect(identityOf({ ...runner, [name]: undefined })).not.toHaveProperty('url');
    },
  );

  test('is unknown outside a run', () => {
    expect(identityOf({})).toEqual({ id: 'unknown', attempt: 1 });
  });
});
