import { fail } from '../../ports/failure.ts';

/**
 * A value as one line of printable ASCII for `read -r` and the shell's `printf %b`: every other byte, and the
 * backslash, as `\0ooo` (POSIX, printf). Nothing in it has a meaning to a shell, for no shell ever parses it.
 * @throws FailureError for a NUL, which neither arguments nor the environment can hold
 */
export function encodeLine(value: string | Uint8Array, what: string): string {
  const bytes = typeof value === 'string' ? Buffer.from(value, 'utf8') : value;
  let line = '';
  for (const byte of bytes) {
    if (byte === 0) refuseNul(what);
    const plain = byte >= 0x20 && byte < 0x7f && byte !== 0x5c;
    line += plain ? String.fromCharCode(byte) : `\\0${byte.toString(8).padStart(3, '0')}`;
  }
  return line;
}

function refuseNul(what: string): never {
  return fail({
    code: 'host-error',
    message: `${what} contains a NUL character.`,
    state: 'Nothing was started.',
    next: 'Give it without NUL characters, then run the step again.',
  });
}
