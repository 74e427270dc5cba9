/** How the tools of a host, in the C locale, end the line that says why they failed (glibc, musl, dash and busybox). */
const words: readonly (readonly [string, readonly string[]])[] = [
  ['EACCES', ['Permission denied']],
  ['EPERM', ['Operation not permitted']],
  ['EROFS', ['Read-only file system']],
  ['ENOSPC', ['No space left on device']],
  ['EDQUOT', ['Disk quota exceeded', 'Quota exceeded']],
  ['EFBIG', ['File too large']],
  [
    'ENOENT',
    [
      ...['No such file or directory', 'No such file', 'Directory nonexistent'],
      ...['no such file', 'nonexistent directory'],
    ],
  ],
  ['ENOTDIR', ['Not a directory']],
  ['EISDIR', ['Is a directory']],
  ['EXDEV', ['Invalid cross-device link', 'Cross-device link']],
  ['ENOTEMPTY', ['Directory not empty']],
];

/** The error that a local system call would have thrown, told from what a tool printed on its standard error. */
export class ToolError extends Error {
  /** `EACCES`, …; absent when the words are not known. */
  readonly code?: string;

  constructor(said: string, exitCode: number | null) {
    const text = said.trim();
    const last = text.slice(text.lastIndexOf('\n') + 1);
    // Only the end counts: a path in front of it may hold any words.
    const code = words.find(([, ends]) => ends.some((end) => last.endsWith(`: ${end}`)))?.[0];
    const reason = text === '' ? `exit code ${exitCode ?? 'none'}` : last;
    super(code === undefined ? reason : `${code}: ${reason}`);
    this.name = 'ToolError';
    if (code !== undefined) this.code = code;
  }
}
