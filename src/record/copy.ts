import { deflateSync, inflateSync } from 'node:zlib';
import * as z from 'zod';
import { fail } from '../ports/failure.ts';
import { journalLineSchema } from './journal.ts';
import { windowStatusSchema } from './status.ts';
import type { RecordCopy } from './window-record.ts';

/** Names the format of a packed copy; another one is refused, not guessed at. */
const prefix = 'mw1:';

/** Bytes that a copy may unpack to, so that a small text cannot fill the memory. */
const unpackedLimitBytes = 8 * 1024 * 1024;

const copySchema = z.object({
  status: windowStatusSchema,
  journal: z.array(journalLineSchema),
});

/** A record as text for a job output: JSON, deflated, in base64. */
export function packRecord(copy: RecordCopy): string {
  const json = JSON.stringify({ status: copy.status, journal: copy.journal });
  return prefix + deflateSync(Buffer.from(json, 'utf8'), { level: 9 }).toString('base64');
}

/**
 * Reads a packed record.
 * @throws FailureError `record-copy-unreadable`
 */
export function unpackRecord(text: string): RecordCopy {
  const packed = text.trim();
  if (!packed.startsWith(prefix)) {
    return refuse(`it does not begin with \`${prefix}\``);
  }
  const body = packed.slice(prefix.length);
  // `Buffer.from` skips what is not base64; a copy that was cut or changed must not be read as another.
  if (body === '' || body.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(body)) {
    return refuse('it is not base64, or was cut off');
  }
  const parsed = copySchema.safeParse(parseJson(inflate(body)));
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    return refuse(
      issue === undefined ? 'its shape is unknown' : `${issue.path.join('.')}: ${issue.message}`,
    );
  }
  const { status, journal } = parsed.data;
  return { status, journal: journal.filter(({ windowId }) => windowId === status.windowId) };
}

/**
 * The newest of several copies: the one updated last, and of those with one time the one with the longer
 * journal. Empty texts (jobs that did not run) are left out.
 * @throws FailureError `record-copy-unreadable`: an older copy is not passed off as the newest
 */
export function newestCopy(texts: readonly string[]): RecordCopy | undefined {
  let newest: RecordCopy | undefined;
  for (const text of texts) {
    if (text.trim() === '') continue;
    const copy = unpackRecord(text);
    if (newest === undefined || isNewer(copy, newest)) newest = copy;
  }
  return newest;
}

function isNewer(copy: RecordCopy, than: RecordCopy): boolean {
  const [a, b] = [lastMoment(copy), lastMoment(than)];
  return a === b ? copy.journal.length > than.journal.length : a > b;
}

/** A journal line may be younger than the status file. */
function lastMoment({ status, journal }: RecordCopy): number {
  const moments = [status.updatedAt, journal.at(-1)?.at ?? ''].map((at) => Date.parse(at));
  return Math.max(...moments.filter((moment) => !Number.isNaN(moment)), 0);
}

function inflate(body: string): string {
  try {
    return inflateSync(Buffer.from(body, 'base64'), {
      maxOutputLength: unpackedLimitBytes,
    }).toString('utf8');
  } catch (error) {
    const { code } = Object(error) as { code?: unknown };
    const reason =
      code === 'ERR_BUFFER_TOO_LARGE'
        ? `it would unpack to more than ${unpackedLimitBytes / 1024 / 1024} MiB`
        : 'it cannot be unpacked';
    return refuse(reason, error);
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    return refuse('it does not hold JSON', error);
  }
}

function refuse(reason: string, cause?: unknown): never {
  return fail(
    {
      code: 'record-copy-unreadable',
      message: `The copy of the window's record cannot be read: ${reason}.`,
      state: 'Nothing was touched; the record on the host is as it was.',
      next: 'Give the whole output `record` of an earlier action of the same window, made by this version, or read the record on the host with `maintenance-window status`.',
    },
    cause,
  );
}
