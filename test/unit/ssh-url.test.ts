import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { parseSshUrl } from '../../src/hosts/ssh/ssh-url.ts';

test.each([
  ['ssh://web1', { host: 'web1' }],
  ['ssh://web1/', { host: 'web1' }],
  ['ssh://deploy@web1.example.org:2222', { user: 'deploy', host: 'web1.example.org', port: 2222 }],
  ['ssh://d.e-p_l+oy$@10.0.0.1', { user: 'd.e-p_l+oy$', host: '10.0.0.1' }],
  ['ssh://root@[2001:db8::1]:22', { user: 'root', host: '2001:db8::1', port: 22 }],
  ['ssh://web_1', { host: 'web_1' }],
])('%s', (url, expected) => {
  expect(parseSshUrl(url)).toEqual(expected);
});

test.each([
  ...['', 'local', 'web1', 'http://web1', 'ssh:web1', 'ssh://', 'ssh://@web1', 'SSH://web1'],
  ...['ssh://-oProxyCommand=id', 'ssh://-l@web1', 'ssh://user:password@web1', 'ssh://web1/path'],
  ...['ssh://web1:0', 'ssh://web1:65536', 'ssh://web1:', 'ssh://web1:22x', 'ssh://a@b@c'],
  ...['ssh://web 1', 'ssh://web1\n', 'ssh://web%h', 'ssh://$(id)', 'ssh://wéb', 'ssh://web1-'],
  ...[
    'ssh://[::1',
    'ssh://::1',
    'ssh://[-o]',
    'ssh://[fe80::1%eth0]',
    'ssh://web1?x',
    'ssh://a\0b',
  ],
])('%j is none', (url) => {
  expect(parseSshUrl(url)).toBeUndefined();
});

test('nothing that it accepts can be taken for an option or hold what ssh or a shell gives a meaning to', () => {
  const odd = Array.from('ab1-_.$+@:%/[]\\ \n\'"`;|&(){}*?~!#');
  const piece = fc.string({ unit: fc.constantFrom(...odd) });
  fc.assert(
    fc.property(piece, piece, piece, (user, host, port) => {
      for (const url of [
        `ssh://${host}`,
        `ssh://${user}@${host}`,
        `ssh://${user}@${host}:${port}`,
      ]) {
        const found = parseSshUrl(url);
        if (found === undefined) continue;
        expect(found.host).toMatch(/^[A-Za-z0-9_:][A-Za-z0-9._:-]*$/);
        expect(found.user ?? 'none').toMatch(/^[A-Za-z0-9_][A-Za-z0-9_.+$-]*$/);
      }
    }),
    { numRuns: 5000 },
  );
});
