import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { isAgeRecipient } from '../../src/plan/age-recipient.ts';
import { copySecretReferences, resolveCopySecrets } from '../../src/plan/copy-secrets.ts';
import { resolveSettings } from '../../src/plan/resolve.ts';
import { secretReferences } from '../../src/plan/secrets.ts';
import { failureOf } from '../../src/ports/failure.ts';

const recipient = 'age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p';
const ed25519 =
  'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFzYzZ7kXEvF0Gkz2mC2M0h6Kk0pC4u6mM0jZxv9Jp0a ada@example.org';

describe('a recipient', () => {
  test.each([recipient, ed25519, ed25519.replace(/ ada.*/, '')])('%s', (text) => {
    expect(isAgeRecipient(text)).toBe(true);
  });

  test.each([
    ['one letter is another', recipient.replace('ql3z', 'ql3q')],
    ['two letters changed places', recipient.replace('ql3z', 'q3lz')],
    ['its end is missing', recipient.slice(0, -1)],
    ['it has a space after it', `${recipient} `],
    ['it is in capitals', recipient.toUpperCase()],
    [
      'it is the private one',
      'AGE-SECRET-KEY-1QQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQ',
    ],
    ['it is something else in Bech32', 'bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4'],
    ['it is no key', 'ada@example.org'],
    ['nothing', ''],
    ['an SSH key is cut', ed25519.slice(0, 60)],
    ['an SSH key says another kind inside', ed25519.replace('ssh-ed25519 ', 'ssh-rsa ')],
    ['an SSH key of a kind that age does not know', ed25519.replaceAll('ssh-ed25519', 'ssh-dss')],
    ['an SSH key has a second line', `${ed25519}\nssh-rsa AAAA`],
  ])('is refused when %s', (_, text) => {
    expect(isAgeRecipient(text)).toBe(false);
  });
});

const vault = { to: 'ssh', id: 'vault', host: 'ssh://backup@vault.example.org', path: '/srv/shop' };

function settingsOf(backupDb: Record<string, unknown>) {
  const text = JSON.stringify({
    name: 'shop',
    database: { url: '$DATABASE_URL' },
    'backup-db': backupDb,
  });
  return resolveSettings('backup-db', { inputs: {}, plan: { path: 'plan.yml', text } });
}

function refusalOf(backupDb: Record<string, unknown>): string {
  try {
    settingsOf(backupDb);
  } catch (error) {
    return failureOf(error).message;
  }
  throw new Error('it was not refused');
}

describe('copies in a plan', () => {
  test('have their defaults', () => {
    const { plan } = settingsOf({
      recipients: [recipient],
      copies: [vault],
      keep: { within: '400d' },
    });
    expect(plan.backupDb).toMatchObject({
      recipients: [recipient],
      copies: [{ to: 'ssh', id: 'vault', required: true, path: '/srv/shop' }],
      keep: { within: 400 * 86_400, smallest: 0.5 },
    });
  });

  test('to a folder may be plain', () => {
    const folder = { to: 'folder', id: 'nas', path: '/mnt/nas' };
    expect(settingsOf({ copies: [folder] }).plan.backupDb.copies).toHaveLength(1);
  });

  test.each<[string, Record<string, unknown>, string]>([
    ['another host without recipients', { copies: [vault] }, 'backup-db.copies.0: '],
    [
      'a bucket without recipients',
      {
        copies: [
          {
            to: 's3',
            id: 'b',
            bucket: 'backups',
            'access-key-id': '$KEY_ID',
            'secret-access-key': '$KEY',
          },
        ],
      },
      'name at least one public key in backup-db.recipients',
    ],
    [
      'an artifact without recipients, after a plain folder',
      {
        copies: [
          { to: 'folder', id: 'nas', path: '/mnt/nas' },
          { to: 'artifact', id: 'run' },
        ],
      },
      'backup-db.copies.1: ',
    ],
    [
      'two copies of one id',
      { recipients: [recipient], copies: [vault, vault] },
      'has each id once',
    ],
    [
      'a copy that is called as the host is',
      { recipients: [recipient], copies: [{ ...vault, id: 'host' }] },
      'has no copy with the id host',
    ],
    [
      'a copy to this host by SSH',
      { recipients: [recipient], copies: [{ ...vault, host: 'local' }] },
      'is a host such as ssh://backup@vault.example.org',
    ],
    [
      'a key in the place of its name',
      { recipients: [recipient], copies: [{ ...vault, 'private-key': 'hunter2' }] },
      'names an environment variable',
    ],
    [
      'a place of another kind',
      { copies: [{ ...vault, to: 'ftp' }] },
      'is folder, s3, ssh or artifact',
    ],
    [
      'rules for artifacts',
      { recipients: [recipient], copies: [{ to: 'artifact', id: 'run', keep: { last: 1 } }] },
      'unknown key "keep"',
    ],
    ['rules that keep nothing', { keep: { smallest: 0.5 } }, 'at least one of last, within, daily'],
    ['a rule of zero', { keep: { last: 0 } }, 'is at least 1'],
    ['an age without a unit', { keep: { within: 30 } }, 'is a duration such as 90d'],
    ['an age of centuries', { keep: { within: '99999d' } }, 'is at most 36600d'],
    ['no doubt at all', { keep: { last: 1, smallest: 0 } }, 'is at least 0.01'],
    ['more than all', { keep: { last: 1, smallest: 50 } }, 'is at most 1'],
  ])('are refused: %s', (_, backupDb, message) => {
    expect(refusalOf(backupDb)).toContain(message);
  });

  test('a private key among the recipients is refused and not shown', () => {
    const secret = `AGE-SECRET-KEY-1${'Q'.repeat(58)}`;
    const message = refusalOf({ recipients: [secret], copies: [vault] });
    expect(message).toContain(
      'backup-db.recipients.0: the value (not shown: it may hold a secret)',
    );
    expect(message).not.toContain('QQQ');
  });
});

describe('the example', () => {
  const path = new URL('../../examples/plans/off-site-copies.yml', import.meta.url);
  const { plan } = resolveSettings('backup-db', {
    inputs: {},
    plan: { path: 'off-site-copies.yml', text: readFileSync(path, 'utf8') },
  });

  test('is a good plan', () => {
    expect(plan.backupDb.copies.map(({ id, required }) => [id, required])).toEqual([
      ['vault', true],
      ['bucket', true],
      ['file-server', false],
    ]);
  });

  test('its secrets are for what makes backups alone', () => {
    expect(secretReferences(plan).map(({ variable }) => variable)).toEqual(['DATABASE_URL']);
    expect(copySecretReferences(plan)).toEqual([
      { path: 'backup-db.copies.0.private-key', variable: 'BACKUP_SSH_KEY' },
      { path: 'backup-db.copies.1.access-key-id', variable: 'BACKUP_ACCESS_KEY_ID' },
      { path: 'backup-db.copies.1.secret-access-key', variable: 'BACKUP_SECRET_ACCESS_KEY' },
    ]);
    const environment = {
      BACKUP_SSH_KEY: 'a',
      BACKUP_ACCESS_KEY_ID: 'b',
      BACKUP_SECRET_ACCESS_KEY: 'c',
    };
    expect([...resolveCopySecrets(plan, environment)]).toEqual(Object.entries(environment));
  });
});
