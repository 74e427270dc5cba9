import { describe, expect, test } from '@jest/globals';
import { connectionFailure } from '../../src/hosts/ssh/connection-failure.ts';

describe("ssh's words", () => {
  test.each([
    ['ssh: connect to host a port 22: Connection timed out', 'host-unreachable'],
    ['ssh: Could not resolve hostname a: Name or service not known', 'host-unreachable'],
    ['kex_exchange_identification: read: Connection reset by peer', 'host-unreachable'],
    ['', 'host-unreachable'],
    ['u@a: Permission denied (publickey).', 'host-auth-failed'],
    ['Received disconnect from a port 22:2: Too many authentication failures', 'host-auth-failed'],
    [
      'No ED25519 host key is known for a and you have requested strict checking.',
      'host-key-unknown',
    ],
    [
      '@@@\n@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @\nHost key verification failed.',
      'host-key-changed',
    ],
    ['WARNING: REVOKED HOST KEY DETECTED!\nHost key verification failed.', 'host-key-changed'],
    ['command-line: line 0: Bad configuration option: x', 'host-error'],
    ['Unable to negotiate with a port 22: no matching host key type found.', 'host-error'],
  ])('%j is %s', (said, code) => {
    const { failure } = connectionFailure('ssh://a', said);
    expect(failure).toMatchObject({ code, state: 'Nothing was done on that host.' });
    expect(failure.message).toContain('ssh://a');
  });
});
