import { describe, expect, test } from '@jest/globals';
import { readPrivateKey } from '../../src/hosts/ssh/private-key.ts';

describe('a private key', () => {
  const openssh = (cipher: string): string => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(cipher.length);
    const body = Buffer.concat([Buffer.from('openssh-key-v1\0'), length, Buffer.from(cipher)]);
    const label = 'OPENSSH PRIVATE KEY';
    return `-----BEGIN ${label}-----\n${body.toString('base64')}\n-----END ${label}-----\n`;
  };
  const pem = (label: string, body: string): string =>
    `-----BEGIN ${label}-----\n${body}\n-----END ${label}-----\n`;

  test.each<[string, string, string]>([
    ['of OpenSSH', openssh('none'), 'usable'],
    ['with a passphrase', openssh('aes256-ctr'), 'encrypted'],
    ['of PEM', pem('RSA PRIVATE KEY', 'AAAA'), 'usable'],
    [
      'of PEM with a passphrase',
      pem('RSA PRIVATE KEY', 'Proc-Type: 4,ENCRYPTED\n\nAAAA'),
      'encrypted',
    ],
    ['of PKCS#8', pem('PRIVATE KEY', 'AAAA'), 'usable'],
    ['of PKCS#8 with a passphrase', pem('ENCRYPTED PRIVATE KEY', 'AAAA'), 'encrypted'],
    ['that is public', 'ssh-ed25519 AAAAC3Nz me\n', 'public'],
    ['cut off', openssh('none').slice(0, -20), 'malformed'],
    ['of nonsense in the right frame', pem('OPENSSH PRIVATE KEY', 'AAAA'), 'malformed'],
    ['of another kind', pem('CERTIFICATE', 'AAAA'), 'malformed'],
    ['that is empty', '', 'malformed'],
    [
      'with two different labels',
      '-----BEGIN A PRIVATE KEY-----\nA\n-----END B PRIVATE KEY-----',
      'malformed',
    ],
  ])('%s', (_name, text, kind) => {
    expect(readPrivateKey(text).kind).toBe(kind);
  });

  test.each([
    ['without its last line feed', (text: string) => text.trim()],
    ['with the line ends of Windows', (text: string) => text.replaceAll('\n', '\r\n')],
    ['with blank lines around', (text: string) => `\n\n${text}\n \n`],
  ])('%s is put right', (_name, spoil) => {
    const text = openssh('none');
    expect(readPrivateKey(spoil(text))).toEqual({ kind: 'usable', text });
  });
});
