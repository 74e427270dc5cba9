/** A private key as its text shows it. */
export type PrivateKey =
  | { readonly kind: 'usable'; readonly text: string }
  | { readonly kind: 'encrypted' }
  | { readonly kind: 'public' }
  | { readonly kind: 'malformed' };

const magic = 'openssh-key-v1\0';

/** The cipher of a key in OpenSSH's own format (PROTOCOL.key of its sources); `undefined` when it is none. */
function cipherOf(body: string): string | undefined {
  const bytes = Buffer.from(body, 'base64');
  if (bytes.subarray(0, magic.length).toString('latin1') !== magic) return undefined;
  if (bytes.length < magic.length + 4) return undefined;
  const length = bytes.readUInt32BE(magic.length);
  return bytes.subarray(magic.length + 4, magic.length + 4 + length).toString('latin1');
}

/**
 * Looks at a key from a secret. Line ends of Windows, blank lines around it and a missing last line feed are
 * put right: they are what gets lost when a key is pasted into a form.
 */
export function readPrivateKey(secret: string): PrivateKey {
  const text = `${secret.replaceAll('\r', '').trim()}\n`;
  if (/^(?:ssh-|ecdsa-|sk-)\S+ AAAA/.test(text)) return { kind: 'public' };
  const match = /^-----BEGIN ([A-Z0-9 ]*PRIVATE KEY)-----\n([\s\S]+)\n-----END \1-----\n$/.exec(
    text,
  );
  if (match === null) return { kind: 'malformed' };
  const [, label, body = ''] = match;
  if (label === 'ENCRYPTED PRIVATE KEY' || body.includes('Proc-Type: 4,ENCRYPTED')) {
    return { kind: 'encrypted' };
  }
  if (label === 'OPENSSH PRIVATE KEY') {
    const cipher = cipherOf(body);
    if (cipher === undefined) return { kind: 'malformed' };
    if (cipher !== 'none') return { kind: 'encrypted' };
  }
  return { kind: 'usable', text };
}
