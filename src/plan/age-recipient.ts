const charset = 'qpzry9x8gf2tvdw0s3jn54khce6mua7l';
const generators = [0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3];

/** What {@link isAgeRecipient} accepts. */
export const ageRecipientMessage =
  'is a public key for age: age1… as age-keygen prints it, or a line of ssh-ed25519 or ssh-rsa';

/**
 * Whether a text is somebody's public key for the program age, whole and without a slip of the pen: a Bech32 text
 * (BIP 173) that begins with `age1`, or an SSH public key. One with such a beginning of a plugin is let through as
 * well; the program on the host has the last word.
 */
export function isAgeRecipient(text: string): boolean {
  if (text.startsWith('ssh-')) return isSshKey(text);
  const separator = text.lastIndexOf('1');
  const prefix = text.slice(0, separator);
  if (!/^age(?:1[a-z0-9]+)?$/.test(prefix)) return false;
  const values = Array.from(text.slice(separator + 1), (letter) => charset.indexOf(letter));
  if (values.includes(-1) || values.length < 7 || !hasBech32Checksum(prefix, values)) return false;
  // 32 bytes of a key in groups of five bits, and six groups of checksum.
  return prefix !== 'age' || values.length === 58;
}

function hasBech32Checksum(prefix: string, values: readonly number[]): boolean {
  const codes = Array.from(prefix, (letter) => letter.charCodeAt(0));
  const all = [...codes.map((code) => code >> 5), 0, ...codes.map((code) => code & 31), ...values];
  let check = 1;
  for (const value of all) {
    const top = check >> 25;
    check = ((check & 0x1ffffff) << 5) ^ value;
    generators.forEach((generator, bit) => {
      if ((top >> bit) & 1) check ^= generator;
    });
  }
  return check === 1;
}

/** An OpenSSH public key whose inside says the same kind as its beginning (RFC 4253, section 6.6). */
function isSshKey(text: string): boolean {
  const [, kind = '', encoded = ''] =
    /^(ssh-ed25519|ssh-rsa) ([A-Za-z0-9+/]+={0,2})(?: [^\u0000-\u001f\u007f]*)?$/.exec(text) ?? [];
  const bytes = Uint8Array.from(atobOrEmpty(encoded), (letter) => letter.charCodeAt(0));
  const view = new DataView(bytes.buffer);
  if (bytes.length < 4 + kind.length || view.getUint32(0) !== kind.length) return false;
  if (String.fromCharCode(...bytes.slice(4, 4 + kind.length)) !== kind) return false;
  // 4 + 11 for the kind, 4 + 32 for the key; of RSA, age takes keys from 2048 bits on.
  return kind === 'ssh-ed25519' ? bytes.length === 51 : kind === 'ssh-rsa' && bytes.length > 270;
}

function atobOrEmpty(encoded: string): string {
  try {
    return atob(encoded);
  } catch {
    return '';
  }
}
