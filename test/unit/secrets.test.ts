import { describe, expect, test } from '@jest/globals';
import { secretValues } from '../../src/assembly/world.ts';
import { planSchema } from '../../src/plan/plan.ts';
import { resolveSecrets, secretReferences } from '../../src/plan/secrets.ts';
import { FailureError } from '../../src/ports/failure.ts';

const plan = planSchema.parse({
  database: { url: '$SHOP_DATABASE' },
  'enable-maintenance': { 'bypass-token': '$BYPASS' },
});
const token = 'a1B2-c3D4.e5F6_g7H8~';

function failure(run: () => unknown) {
  try {
    run();
  } catch (error) {
    if (error instanceof FailureError) return error.failure;
    throw error;
  }
  throw new Error('did not fail');
}

describe('resolveSecrets', () => {
  test('takes every secret from the environment', () => {
    expect(resolveSecrets(plan, { SHOP_DATABASE: 'postgres:///shop', BYPASS: token })).toEqual({
      databaseUrl: 'postgres:///shop',
      bypassToken: token,
      commandEnvironment: {},
    });
  });

  test('takes the URL of the server for restore tests, and names it when it is missing', () => {
    const elsewhere = planSchema.parse({ 'backup-db': { 'scratch-url': '$SCRATCH_URL' } });
    const url = 'postgresql://tester:kept@db/postgres';
    const secrets = resolveSecrets(elsewhere, { SCRATCH_URL: url });
    expect(secrets.scratchUrl).toBe(url);
    // What is masked and searched for: the URL as it is, and the password in it.
    expect(secretValues(secrets)).toEqual([url, 'kept']);
    expect(failure(() => resolveSecrets(elsewhere, {})).message).toContain(
      'SCRATCH_URL (backup-db.scratch-url)',
    );
    const bad = { ...secrets, scratchUrl: 'postgresql://tester:k#pt@db/postgres' };
    const refused = failure(() => secretValues(bad));
    expect(refused.message).toContain('The URL of backup-db.scratch-url has a #');
    expect(JSON.stringify(refused)).not.toContain('k#pt');
  });

  test('a plan without references needs none', () => {
    const empty = planSchema.parse({});
    expect(secretReferences(empty)).toEqual([]);
    expect(resolveSecrets(empty, {})).toEqual({
      databaseUrl: undefined,
      bypassToken: undefined,
      commandEnvironment: {},
    });
  });

  test.each([{}, { SHOP_DATABASE: '', BYPASS: undefined }])(
    'names all that are missing or empty at once: %j',
    (environment) => {
      const { code, message, state } = failure(() => resolveSecrets(plan, environment));
      expect(code).toBe('secret-missing');
      expect(message).toContain('SHOP_DATABASE (database.url)');
      expect(message).toContain('BYPASS (enable-maintenance.bypass-token)');
      expect(state).toBe('Nothing was touched.');
    },
  );

  test.each(['short', `${token}\n`, `${token}"`, `${token};`, `${token} x`, `${token}$x`])(
    'refuses the token %j without showing it',
    (bad) => {
      const found = failure(() => resolveSecrets(plan, { SHOP_DATABASE: 'x', BYPASS: bad }));
      expect(found.code).toBe('secret-unfit');
      expect(JSON.stringify(found)).not.toContain(bad.trim());
    },
  );
});
