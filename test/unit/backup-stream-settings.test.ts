import { expect, test } from '@jest/globals';
import { allHosts, fleetOf } from '../../src/plan/fleet.ts';
import { resolveSettings } from '../../src/plan/resolve.ts';
import { failureOf } from '../../src/ports/failure.ts';

const recipient = 'age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p';

function settingsOf(backupDb: Record<string, unknown>) {
  const text = JSON.stringify({
    name: 'shop',
    database: { url: '$DATABASE_URL' },
    'backup-db': backupDb,
  });
  return resolveSettings('backup-db', { inputs: {}, plan: { path: 'plan.yml', text } });
}

test('a dump stays on its host, and its compression is measured, unless the plan says otherwise', () => {
  const { plan } = settingsOf({});
  expect(plan.backupDb).toMatchObject({ compression: 'auto', jobs: 2 });
  expect(fleetOf(plan).backups).toBeUndefined();
});

test('the host that keeps a stream is a machine of the window', () => {
  const { plan } = settingsOf({ 'stream-to': 'ssh://backup@vault.example.org' });
  const fleet = fleetOf(plan);
  expect(fleet.backups).toBe('ssh://backup@vault.example.org');
  expect(allHosts(fleet)).toContain('ssh://backup@vault.example.org');
});

const encrypted = { 'stream-to': 'local', recipients: [recipient] };

test.each<[string, Record<string, unknown>]>([
  ['with the key to read it', { ...encrypted, identity: '$KEY' }],
  ['or without being restored', { ...encrypted, verify: 'checksum' }],
])('a stream may be encrypted %s', (_, backupDb) => {
  expect(settingsOf(backupDb).plan.backupDb).toMatchObject({ streamTo: 'local' });
});

test.each<[string, Record<string, unknown>, string]>([
  ['that nobody could restore', encrypted, 'is needed to restore a stream with recipients'],
  ['to nowhere', { 'stream-to': 'vault.example.org' }, 'is local, or a host such as ssh://'],
  ['compressed by what pg_dump does not know', { compression: 'brotli' }, 'is auto, none, gzip'],
])('a stream %s is refused', (_, backupDb, message) => {
  let refusal = '';
  try {
    settingsOf(backupDb);
  } catch (error) {
    refusal = failureOf(error).message;
  }
  expect(refusal).toContain(message);
});
