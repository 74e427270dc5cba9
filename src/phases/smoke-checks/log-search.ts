import { posix } from 'node:path';
import { fail } from '../../ports/failure.ts';
import type { Host } from '../../ports/host.ts';
import type { LogMark } from '../../record/status.ts';
import { complaintOf, endOf } from './on-hosts.ts';
import { isRotation, type LogFile, type LogPiece } from './log-pieces.ts';

/** What was found in new lines. */
export interface LogMatches {
  readonly count: number;
  /** The first of them, cut at 200 characters. */
  readonly shown: readonly string[];
}

export interface LogQuestion {
  readonly pattern: string;
  readonly showLines: number;
  readonly timeoutSeconds: number;
}

const headLimitBytes = 256;

/*
 * The host searches, so that no log travels and none is held in memory. These scripts are ours as they stand; what a
 * plan gives comes to them as arguments, which a shell does not read again.
 */
const count = `{ LC_ALL=C grep -a -E -e "$pattern"; echo "mw-grep $?"; } |
  LC_ALL=C awk -v most="$most" '
    NR > 1 { n += 1; if (n <= most) print substr(last, 1, 200) }
    { last = $0 }
    END { print "mw-count " n + 0 " " last }'`;
const searchFile = `pattern=$3 most=$4; tail -c "+$2" -- "$1" | ${count}`;
const searchCompressed = `pattern=$3 most=$4; gzip -cd -- "$1" | tail -c "+$2" | ${count}`;
// What journalctl(1) prints besides entries is left out.
const searchJournal = `pattern=$3 most=$4
{ journalctl --no-pager --output=cat --since="@$2" --unit="$1" || echo "journalctl: exit code $?" >&2; } |
  LC_ALL=C sed -E -e '/^-- (No entries|Reboot|Boot [0-9a-f]{32}|(Journal|Logs) begins? at .*) --$/d' | ${count}`;
const headSum = `head -c "$2" -- "$1" | sha256sum`;

/** Counts new lines of a file that match. */
export async function searchPiece(
  host: Host,
  { path, from, isCompressed }: LogPiece,
  question: LogQuestion,
): Promise<LogMatches> {
  const script = isCompressed ? searchCompressed : searchFile;
  return search(host, script, [path, String(from + 1)], question, path);
}

/** Counts lines of a unit in the journal that match. */
export async function searchUnit(
  host: Host,
  unit: string,
  sinceSeconds: number,
  question: LogQuestion,
): Promise<LogMatches> {
  return search(
    host,
    searchJournal,
    [unit, String(Math.floor(sinceSeconds))],
    question,
    `the journal of ${unit}`,
  );
}

async function search(
  host: Host,
  script: string,
  where: readonly [string, string],
  { pattern, showLines, timeoutSeconds }: LogQuestion,
  what: string,
): Promise<LogMatches> {
  const result = await host.run({
    argv: ['sh', '-c', script, 'sh', ...where, pattern, String(showLines)],
    timeoutSeconds,
  });
  const lines = result.stdout.trimEnd().split('\n');
  const end = /^mw-count (\d+) mw-grep ([01])$/.exec(lines.pop() ?? '');
  const complaint = complaintOf(result);
  // Whatever is said on standard error, a pattern that grep doubts among it, makes the count worth nothing.
  if (end === null || complaint !== '') {
    return fail({
      code: 'log-not-searched',
      message: `${what} cannot be searched: ${complaint === '' ? endOf(result) : complaint}`,
      state: 'It was only read.',
      next: 'Correct the pattern, or let the user of this run read the log.',
    });
  }
  return { count: Number(end[1]), shown: lines };
}

/** Where a log (without a file: a journal) ends now, so that what comes later can be told from what is there. */
export async function positionOf(
  host: Host,
  file: string | undefined,
): Promise<Pick<LogMark, 'position' | 'hostSeconds'>> {
  const result = await host.run({ argv: ['date', '+%s'], timeoutSeconds: 10 });
  const hostSeconds = Number(result.stdout.trim());
  if (file === undefined) return { position: { kind: 'journal' }, hostSeconds };
  const [found] = await statesOf(host, [file]);
  if (found === undefined) return { position: { kind: 'no-file' }, hostSeconds };
  const headBytes = Math.min(found.bytes, headLimitBytes);
  const { id, bytes } = found;
  const head = await headOf(host, file, headBytes);
  return { position: { kind: 'end', id, bytes, headBytes, head }, hostSeconds };
}

/** SHA-256 of a file's first bytes, computed on the host. */
export async function headOf(host: Host, file: string, bytes: number): Promise<string> {
  const result = await host.run({
    argv: ['sh', '-c', headSum, 'sh', file, String(bytes)],
    timeoutSeconds: 10,
  });
  const sum = /^([0-9a-f]{64})\b/.exec(result.stdout)?.[1];
  if (sum !== undefined && result.stderr.trim() === '') return sum;
  return fail({
    code: 'log-not-read',
    message: `${file} cannot be read: ${complaintOf(result) || endOf(result)}`,
    state: 'It was only read.',
    next: 'Let the user of this run read the log (a group, or `sudo: true`).',
  });
}

/** The log, and what rotations made of it. */
export async function logFiles(host: Host, log: string): Promise<readonly LogFile[]> {
  const folder = posix.dirname(log);
  const names = await host.list(folder);
  const rotations = names
    .map((name) => posix.join(folder, name))
    .filter((path) => isRotation(log, path) && !path.includes('\n'));
  return statesOf(host, [log, ...rotations.slice(-100)]);
}

/** Files by `stat`; those that are not there are left out. */
async function statesOf(host: Host, paths: readonly string[]): Promise<readonly LogFile[]> {
  const result = await host.run({
    argv: ['stat', '-L', '-c', '%d:%i %s %Y %n', '--', ...paths],
    timeoutSeconds: 10,
  });
  const lines = result.stderr.split('\n').filter((line) => line.trim() !== '');
  const other = lines.find((line) => !line.includes('No such file or directory'));
  if (other !== undefined) {
    fail({
      code: 'log-not-read',
      message: `the log cannot be looked at: ${other}`,
      state: 'It was only looked at.',
      next: 'Let the user of this run reach the log (a group, or `sudo: true`).',
    });
  }
  return result.stdout.split('\n').flatMap((line) => {
    const parts = /^(\d+:\d+) (\d+) (\d+) (.*)$/.exec(line);
    return parts === null
      ? []
      : [
          {
            id: parts[1] ?? '',
            bytes: Number(parts[2]),
            changedAt: Number(parts[3]),
            path: parts[4] ?? '',
          },
        ];
  });
}
