import type { CheckOf } from '../../plan/settings/smoke-test.ts';
import type { Host } from '../../ports/host.ts';
import type { LogMark } from '../../record/status.ts';
import {
  failed,
  passed,
  short,
  type CheckContext,
  type CheckKind,
  type Verdict,
} from './check-kind.ts';
import { logOf } from './log-marks.ts';
import { newLines } from './log-pieces.ts';
import {
  headOf,
  logFiles,
  positionOf,
  searchPiece,
  searchUnit,
  type LogMatches,
} from './log-search.ts';
import { lookOnHosts } from './on-hosts.ts';

type LogCheck = CheckOf<'log'>;

/** New lines of a log. */
export const logKind: CheckKind<'log'> = {
  turn: 'last',
  timeoutSeconds: ({ timeout }) => timeout ?? 30,
  expectation: describeDemand,
  look: (context, check, timeoutSeconds) =>
    lookOnHosts(context, check.on, describeDemand(check), (host) =>
      lookOn(context, check, host, timeoutSeconds),
    ),
};

async function lookOn(
  context: CheckContext,
  check: LogCheck,
  host: Host,
  timeoutSeconds: number,
): Promise<Verdict> {
  const { pattern, showLines, file, journal = '' } = check;
  const question = { pattern, showLines, timeoutSeconds };
  const { record } = context;
  if (record === undefined) {
    // Nothing is new before the window has begun; that it can be searched at all is found out now.
    const { position, hostSeconds } = await positionOf(host, file);
    if (file === undefined) await searchUnit(host, journal, hostSeconds, question);
    else {
      if (position.kind !== 'end') return failed(`there is no file ${file}`, describeDemand(check));
      const end = { path: file, from: position.bytes, isCompressed: false };
      await searchPiece(host, end, question);
    }
    return { kind: 'skipped', observed: 'can be searched; lines count from the window’s begin on' };
  }
  const mark = markOf(record.status.logMarks ?? [], check, host);
  if (mark === undefined) {
    return failed('where the log ended before is not recorded', describeDemand(check));
  }
  if (file === undefined) {
    return mark.position.kind === 'journal'
      ? judgeLog(check, await searchUnit(host, journal, mark.hostSeconds, question), mark)
      : failed('when the window began by the host’s clock is not known', describeDemand(check));
  }
  const files = await logFiles(host, file);
  const { position } = mark;
  const hasSameHead =
    position.kind === 'end' &&
    (files.find(({ path }) => path === file)?.bytes ?? 0) >= position.headBytes &&
    (await headOf(host, file, position.headBytes)) === position.head;
  const lines = newLines(file, mark, files, hasSameHead);
  if (lines.kind === 'gap') return failed(`${file}: ${lines.why}`, describeDemand(check));
  const found: LogMatches[] = [];
  for (const piece of lines.pieces) found.push(await searchPiece(host, piece, question));
  const all = {
    count: found.reduce((sum, one) => sum + one.count, 0),
    shown: found.flatMap(({ shown }) => shown).slice(0, showLines),
  };
  return judgeLog(check, all, mark, lines.isRotated);
}

/** Judges how many new lines match. */
export function judgeLog(
  check: Pick<LogCheck, 'must' | 'pattern' | 'since' | 'file' | 'journal'>,
  { count, shown }: LogMatches,
  mark: Pick<LogMark, 'at' | 'since'>,
  isRotated = false,
): Verdict {
  const lines = shown.map((line) => JSON.stringify(short(line))).join(', ');
  const observed = [
    `${count === 0 ? 'no new line matches' : count === 1 ? '1 new line matches' : `${count} new lines match`}, since ${mark.at}`,
    ...(mark.since === 'judged' ? ['after what was judged before'] : []),
    ...(isRotated ? ['across a rotation'] : []),
    ...(lines === '' ? [] : [`the first: ${lines}`]),
  ].join(', ');
  const isThere = count > 0;
  if (isThere === (check.must === 'occur')) return passed(observed);
  const verdict = { kind: 'failed', observed, expected: describeDemand(check) } as const;
  // What stands in a log stays there; a line that must come may still come.
  return check.must === 'occur' ? verdict : { ...verdict, isFinal: true };
}

/** The mark to count from: the one that the check asks for, or a later one. */
function markOf(marks: readonly LogMark[], check: LogCheck, host: Host): LogMark | undefined {
  const own = marks.filter(
    (mark) => mark.check === check.id && mark.host === host.name && mark.log === logOf(check),
  );
  const of = (since: LogMark['since']): LogMark | undefined =>
    own.find((mark) => mark.since === since);
  // A site that was not closed yet has been open since the window began.
  const asked = of(check.since) ?? of('window');
  const judged = of('judged');
  return judged !== undefined && judged.at >= (asked?.at ?? '') ? judged : asked;
}

function describeDemand({
  must,
  pattern,
  since,
  file,
  journal,
}: Pick<LogCheck, 'must' | 'pattern' | 'since' | 'file' | 'journal'>): string {
  const where = file ?? `the journal of ${journal ?? ''}`;
  const when = since === 'window' ? 'the window began' : 'the site was closed';
  return `${must === 'occur' ? 'a' : 'no'} line in ${where} that matches ${pattern}, since ${when}`;
}
