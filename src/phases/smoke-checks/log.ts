import type { CheckOf } from '../../plan/settings/smoke-test.ts';
import type { Host } from '../../ports/host.ts';
import type { LogMark, WindowStatus } from '../../record/status.ts';
import {
  failed,
  passed,
  short,
  type CheckContext,
  type CheckKind,
  type Verdict,
} from './check-kind.ts';
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
  const { record, clock } = context;
  if (record === undefined) {
    // Nothing is new before the window has begun; that it can be searched at all is found out now.
    if (file === undefined) await searchUnit(host, journal, clock.now(), question);
    else {
      const { position } = await positionOf(host, file);
      if (position.kind !== 'end') return failed(`there is no file ${file}`, describeDemand(check));
      const end = { path: file, from: position.bytes, isCompressed: false };
      await searchPiece(host, end, question);
    }
    return { kind: 'skipped', observed: 'can be searched; lines count from the window’s begin on' };
  }
  if (file === undefined) {
    const since = new Date(momentOf(record.status, check.since));
    return judgeLog(check, await searchUnit(host, journal, since, question), since.toISOString());
  }
  const mark = markOf(record.status.logMarks ?? [], check, host);
  if (mark === undefined) {
    return failed('where the log ended before is not recorded', describeDemand(check));
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
  return judgeLog(check, all, mark.at, lines.isRotated);
}

/** Judges how many new lines match. */
export function judgeLog(
  check: Pick<LogCheck, 'must' | 'pattern' | 'since' | 'file' | 'journal'>,
  { count, shown }: LogMatches,
  since: string,
  isRotated = false,
): Verdict {
  const lines = shown.map((line) => JSON.stringify(short(line))).join(', ');
  const observed = [
    `${count === 0 ? 'no new line matches' : count === 1 ? '1 new line matches' : `${count} new lines match`}, since ${since}`,
    ...(isRotated ? ['across a rotation'] : []),
    ...(lines === '' ? [] : [`the first: ${lines}`]),
  ].join(', ');
  return count > 0 === (check.must === 'occur')
    ? passed(observed)
    : failed(observed, describeDemand(check));
}

function markOf(marks: readonly LogMark[], check: LogCheck, host: Host): LogMark | undefined {
  const own = marks.filter(
    (mark) => mark.check === check.id && mark.host === host.name && mark.file === check.file,
  );
  // A site that was not closed yet has been open since the window began.
  return (
    own.find(({ since }) => since === check.since) ?? own.find(({ since }) => since === 'window')
  );
}

function momentOf({ maintenance, startedAt }: WindowStatus, since: LogMark['since']): string {
  return (since === 'closed' ? maintenance?.closedAt : undefined) ?? startedAt;
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
