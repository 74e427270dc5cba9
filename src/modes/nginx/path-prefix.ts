/**
 * A regular expression, to be anchored at the beginning, for the values of nginx's `$uri` (decoded, dots and
 * double slashes resolved) that begin with a text.
 */
export function pathPrefixPattern(prefix: string): string {
  return [...Buffer.from(prefix, 'utf8')]
    .map((byte) => {
      const char = String.fromCharCode(byte);
      return /[A-Za-z0-9/_-]/.test(char)
        ? char
        : String.raw`\x${byte.toString(16).padStart(2, '0')}`;
    })
    .join('');
}
