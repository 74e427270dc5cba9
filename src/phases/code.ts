import { fail } from '../ports/failure.ts';
import { onEach, type Worked } from '../ports/fleet.ts';
import type { Checkout, Head } from '../ports/code.ts';
import type { Check } from '../ports/maintenance-mode.ts';
import type { CodeRecord } from '../record/code.ts';
import { runStep } from '../record/step.ts';
import type { PhaseContext } from './phase.ts';

type Working = Pick<PhaseContext, 'checkouts' | 'fleet' | 'plan'>;

/** `maintenance-20261122-020000` for the window `mw-20261122-020000-1a2b`, in UTC. */
export function tagOf(windowId: string): string {
  const [, date = '', time = ''] = windowId.split('-');
  return `maintenance-${date}-${time}`;
}

/** Whether each checkout is there and can be tagged; touches nothing. */
export async function checkCode(context: Working): Promise<readonly Check[]> {
  const { checkouts, fleet, plan } = context;
  const results = await onEach(checkouts, fleet.parallel, (each) => each.check(plan.code.push));
  return results.map((result, index) => {
    const head = {
      id: results.length === 1 ? 'code' : `code-${index + 1}`,
      title: `Code in ${result.on.directory} on ${result.on.host}`,
      limit: 'a git checkout without changes, which can be tagged',
    };
    return result.kind === 'done'
      ? { ...head, ...result.result }
      : { ...head, verdict: 'failed', value: result.failure.message, next: result.failure.next };
  });
}

/**
 * Tags the code on every host, so that a rollback knows where to go back to.
 * @returns the tag; `undefined` when the plan names no code
 * @throws FailureError `code-tag-taken`, `code-tag-not-pushed`, `code-…`, `host-…`
 */
export async function tagCode(
  context: PhaseContext,
  callingPhase: string,
): Promise<string | undefined> {
  const { checkouts, record, clock, plan, progress } = context;
  if (checkouts.length === 0) return undefined;
  const tag = tagOf(record.status.windowId);
  await runStep(context, callingPhase, {
    id: 'tag-code',
    title: `Tag the code as ${tag}`,
    blast: 'none',
    observe: async () => {
      const entries = record.status.code;
      if (entries === undefined) return undefined;
      const tagged = expectAll(
        await onEach(checkouts, context.fleet.parallel, (each) => each.taggedCommit(tag)),
      );
      const all = tagged.every(({ on, result }) => entryOf(entries, on)?.commit === result);
      return all ? { tag, hosts: entries.map(describeEntry) } : undefined;
    },
    perform: async () => {
      const entries = expectAll(
        await onEach(checkouts, context.fleet.parallel, async (checkout): Promise<CodeRecord> => {
          const head = await checkout.head();
          // Tagged by a run that was killed before it wrote so: the tag tells what the code was then.
          const found = await checkout.taggedCommit(tag);
          if (found !== undefined && found !== head.commit) refuseTaken(checkout, tag, found, head);
          if (found === undefined) {
            const message = `The code before maintenance window ${record.status.windowId}`;
            await checkout.createTag(tag, head.commit, message);
          }
          if ((await checkout.taggedCommit(tag)) !== head.commit) {
            fail({
              code: 'code-not-tagged',
              message: `The tag ${tag} in ${checkout.directory} on ${checkout.host} does not stand for ${head.commit}.`,
              state: 'The site is unchanged.',
              next: 'Look at the tags of the repository, then run the step again.',
            });
          }
          return {
            host: checkout.host,
            directory: checkout.directory,
            commit: head.commit,
            branch: head.branch ?? null,
            tag,
            taggedAt: clock.now().toISOString(),
            modified: head.modified,
            untracked: head.untracked,
          };
        }),
      ).map(({ result }) => result);
      const { push } = plan.code;
      // One after another: the hosts push the same tag.
      if (push !== undefined) for (const each of checkouts) await pushTag(each, push, tag, entries);
      const code = entries.map((entry) =>
        push === undefined ? entry : { ...entry, pushedTo: push },
      );
      await record.update({ code });
      for (const { modified, directory, host } of code) {
        if (modified === 0) continue;
        progress.warning(
          `${directory} on ${host} has ${modified} changed files, which no tag holds.`,
        );
      }
      return { tag, hosts: code.map(describeEntry) };
    },
    describe: ({ hosts }) => hosts.join('; '),
  });
  return tag;
}

async function pushTag(
  checkout: Checkout,
  remote: string,
  tag: string,
  entries: readonly CodeRecord[],
): Promise<void> {
  const commit = entryOf(entries, checkout)?.commit;
  const there = await checkout.remoteTaggedCommit(remote, tag);
  if (there === undefined) await checkout.push(remote, tag);
  const now = there ?? (await checkout.remoteTaggedCommit(remote, tag));
  if (now === commit) return;
  fail({
    code: 'code-tag-not-pushed',
    message: `In ${remote} the tag ${tag} stands for ${now ?? 'nothing'}, and in ${checkout.directory} on ${checkout.host} for ${commit ?? 'nothing'}.`,
    state: 'The site is unchanged; nothing was pushed by force.',
    next: 'Bring all hosts to the same commit, or do not push the tag (code.push).',
  });
}

/** What a rollback does to a checkout. */
export function whatToPutBack(
  entry: Pick<CodeRecord, 'commit' | 'putBack'>,
  head: Pick<Head, 'commit' | 'modified'>,
): 'leave' | 'put-back' | 'finish' | 'refuse' {
  const isUnderWay = entry.putBack !== undefined && entry.putBack.finishedAt === undefined;
  if (head.commit === entry.commit) return isUnderWay ? 'finish' : 'leave';
  return head.modified > 0 ? 'refuse' : 'put-back';
}

/**
 * Puts the code back where it was when the window began, on each host where it is not there any more.
 * @throws FailureError `code-modified`, `code-not-put-back`, `code-…`, `host-…`
 */
export async function putCodeBack(context: PhaseContext, callingPhase: string): Promise<void> {
  const { checkouts, record, fleet } = context;
  const { code } = record.status;
  if (code === undefined || code.length === 0) return;
  refuseUnknown(code, checkouts);
  const look = async () =>
    expectAll(await onEach(checkouts, fleet.parallel, (each) => each.head())).flatMap(
      ({ on, result }) => {
        const entry = entryOf(record.status.code, on);
        return entry === undefined
          ? []
          : [{ on, entry, head: result, what: whatToPutBack(entry, result) }];
      },
    );
  await runStep(context, callingPhase, {
    id: 'put-code-back',
    title: 'Put the code back',
    blast: 'app',
    observe: async () => {
      const all = await look();
      return all.every(({ what }) => what === 'leave')
        ? { hosts: all.map(({ entry }) => `${entry.host}: at ${entry.commit.slice(0, 12)}`) }
        : undefined;
    },
    perform: async () => {
      const all = await look();
      for (const { on, head, what, entry } of all)
        if (what === 'refuse') refuseModified(on, head, entry);
      const targets = all.filter(({ what }) => what !== 'leave');
      const begunAt = context.clock.now().toISOString();
      await change(
        context,
        targets.map(({ entry, head, what }) => ({
          ...entry,
          putBack:
            what === 'finish' && entry.putBack !== undefined
              ? entry.putBack
              : { begunAt, from: head.commit },
        })),
      );
      const places = expectAll(
        await onEach(targets, fleet.parallel, ({ on, entry, what }) =>
          putOneBack(context, on, entry, what === 'put-back'),
        ),
      );
      const finishedAt = context.clock.now().toISOString();
      await change(
        context,
        places.map(({ on: { on, entry, head }, result }) => ({
          ...entry,
          putBack: {
            begunAt,
            from: head.commit,
            ...entryOf(record.status.code, on)?.putBack,
            finishedAt,
            place: result,
          },
        })),
      );
      return {
        hosts: places.map(
          ({ on: { entry }, result }) =>
            `${entry.host}: at ${entry.commit.slice(0, 12)}, ${result}`,
        ),
      };
    },
    describe: ({ hosts }) => hosts.join('; '),
  });
}

async function putOneBack(
  { plan }: PhaseContext,
  on: Checkout,
  entry: CodeRecord,
  isMoved: boolean,
): Promise<string> {
  const { deployCommand, restartCommand } = plan.code;
  const env = { MAINTENANCE_TAG: entry.tag, MAINTENANCE_COMMIT: entry.commit };
  let place = 'as it was put back before';
  if (isMoved) {
    const [program, ...args] = deployCommand;
    if (program === undefined) {
      place = await on.putBack({ ...entry, branch: entry.branch ?? undefined });
    } else {
      await on.run([program, ...args], env);
      place = `deployed by ${program}`;
    }
    const head = await on.head();
    if (head.commit !== entry.commit) {
      return fail({
        code: 'code-not-put-back',
        message: `${entry.directory} on ${entry.host} is at ${head.commit} and not at ${entry.commit}, although it was ${place}.`,
        state: 'The database was put back; the code is not what it was.',
        next: `Put the code of ${entry.tag} back by hand, then run \`rollback\` again.`,
      });
    }
  }
  const [restart, ...more] = restartCommand;
  if (restart !== undefined) await on.run([restart, ...more], env);
  return place;
}

function refuseTaken(checkout: Checkout, tag: string, found: string, head: Head): never {
  fail({
    code: 'code-tag-taken',
    message: `The tag ${tag} in ${checkout.directory} on ${checkout.host} stands for ${found}, and the checkout is at ${head.commit}.`,
    state: 'The site is unchanged; the tag was left as it is.',
    next: 'Somebody deployed while the window began, or made the tag: start a new window.',
  });
}

function refuseModified(on: Checkout, head: Head, entry: CodeRecord): never {
  fail({
    code: 'code-modified',
    message: `${on.directory} on ${on.host} is at ${head.commit.slice(0, 12)} with ${head.modified} changed files; it was at ${entry.commit.slice(0, 12)}.`,
    state: 'The changes were not overwritten; the code is not what it was when the window began.',
    next: `Save the changes (\`git -C ${on.directory} stash\`), then run \`rollback\` again, which goes back to ${entry.tag}.`,
  });
}

function refuseUnknown(code: readonly CodeRecord[], checkouts: readonly Checkout[]): void {
  const lost = code.find(
    (entry) => !checkouts.some((each) => entryOf([entry], each) !== undefined),
  );
  if (lost === undefined) return;
  fail({
    code: 'code-not-in-plan',
    message: `This window tagged ${lost.directory} on ${lost.host}, and the plan names it no more.`,
    state: 'The code was not touched.',
    next: 'Use the plan that the window began with, then run the step again.',
  });
}

async function change({ record }: PhaseContext, entries: readonly CodeRecord[]): Promise<void> {
  const code = (record.status.code ?? []).map(
    (entry) =>
      entries.find(({ host, directory }) => host === entry.host && directory === entry.directory) ??
      entry,
  );
  await record.update({ code });
}

function entryOf(
  entries: readonly CodeRecord[] | undefined,
  checkout: Checkout,
): CodeRecord | undefined {
  return entries?.find(
    ({ host, directory }) => host === checkout.host && directory === checkout.directory,
  );
}

function describeEntry(entry: CodeRecord): string {
  const branch = entry.branch === null ? 'detached' : `on ${entry.branch}`;
  const pushed = entry.pushedTo === undefined ? '' : `, pushed to ${entry.pushedTo}`;
  return `${entry.host}: ${entry.commit.slice(0, 12)} ${branch}${pushed}`;
}

function expectAll<T, R>(
  results: readonly Worked<T, R>[],
): readonly Extract<Worked<T, R>, { kind: 'done' }>[] {
  const failures = results.flatMap((result) => (result.kind === 'failed' ? [result.failure] : []));
  const [first] = failures;
  if (first === undefined) return results.filter((result) => result.kind === 'done');
  const cause = failures.find(({ code }) => code === 'cancelled') ?? first;
  return fail(
    failures.length === 1
      ? cause
      : { ...cause, message: failures.map(({ message }) => message).join(' ') },
  );
}
