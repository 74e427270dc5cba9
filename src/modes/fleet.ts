import * as z from 'zod';
import { fail, type Failure } from '../ports/failure.ts';
import { onEach, type Worked } from '../ports/fleet.ts';
import type { MaintenanceMode, ModeState, Restoration } from '../ports/maintenance-mode.ts';

/** One of several web hosts, and how it is closed. */
export interface FleetMember {
  /** As the plan names the host. */
  readonly name: string;
  readonly mode: MaintenanceMode;
}

const priorSchema = z.strictObject({
  version: z.literal(1),
  kind: z.literal('fleet'),
  hosts: z.array(z.strictObject({ name: z.string(), prior: z.json() })).min(1),
});

type Member = FleetMember & { readonly prior: unknown };

/**
 * Closes and opens several web hosts as one: all or none (docs/adr/0013-fleet-of-web-hosts.md). One host is what
 * it is by itself.
 */
export function fleetMode(members: readonly FleetMember[], parallel: number): MaintenanceMode {
  const [first] = members;
  if (first === undefined) throw new Error('a fleet has at least one web host');
  if (members.length === 1) return first.mode;
  const each = <R>(work: (member: FleetMember) => Promise<R>) => onEach(members, parallel, work);
  const withPrior = (prior: unknown): readonly Member[] => membersOf(members, prior);

  const state = async (): Promise<ModeState> =>
    stateOf(expectAll(await each(({ mode }) => mode.state()), 'look at the door', 'unchanged'));

  const open = async (): Promise<void> => {
    const results = await each(({ mode }) => mode.open());
    expectAll(results, 'open', 'the others are open');
  };

  return {
    kind: first.mode.kind,
    shows: first.mode.shows,
    check: async () =>
      expectAll(await each(({ mode }) => mode.check()), 'check', 'nothing was touched').flatMap(
        ({ on, result }, index) =>
          result.map((check) => ({
            ...check,
            id: `${check.id}-${index + 1}`,
            title: `${check.title} (${on.name})`,
          })),
      ),
    plan: async () => {
      const plans = expectAll(await each(({ mode }) => mode.plan()), 'plan', 'nothing was touched');
      return {
        version: 1,
        kind: 'fleet',
        hosts: plans.map(({ on, result }) => ({ name: on.name, prior: result })),
      };
    },
    install: async (prior) => {
      const all = withPrior(prior);
      const results = await onEach(all, parallel, (member) => member.mode.install(member.prior));
      const failed = failuresOf(results);
      if (failed.length === 0) return;
      // Taking it out behind a closed door would open that door.
      const open = results.filter(({ kind }) => kind === 'done').map(({ on }) => on);
      const undone = await onEach(open, parallel, async (member) => {
        const door = await member.mode.state();
        if (door.kind === 'open') await member.mode.restore(member.prior);
      });
      failTogether(
        failed,
        'put the mode in place',
        failuresOf(undone).length === 0
          ? 'On the other hosts it was taken back; the site is as before.'
          : `On ${namesOf(failuresOf(undone))} it could not be taken back; the site is open.`,
      );
    },
    installed: async (prior) => {
      const results = expectAll(
        await onEach(withPrior(prior), parallel, (member) => member.mode.installed(member.prior)),
        'look at the mode',
        'unchanged',
      );
      return results.every(({ result }) => result);
    },
    close: async () => {
      const results = await each(({ mode }) => mode.close());
      const failed = failuresOf(results);
      if (failed.length === 0) return;
      const closed = results.filter(({ kind }) => kind === 'done').map(({ on }) => on);
      const reopened = failuresOf(await onEach(closed, parallel, ({ mode }) => mode.open()));
      failTogether(
        failed,
        'close',
        reopened.length === 0
          ? `The other hosts (${closed.map(({ name }) => name).join(', ') || 'none'}) were opened again.`
          : `${namesOf(reopened)} could not be opened again and may be closed.`,
      );
    },
    state,
    open,
    restore: async (prior) => {
      const results = await onEach(withPrior(prior), parallel, (member) =>
        member.mode.restore(member.prior),
      );
      return restorationOf(expectAll(results, 'give back what was there', 'given back elsewhere'));
    },
    bypassHeaders: () => first.mode.bypassHeaders(),
  };
}

/** Puts each host's prior state to its mode; a plan that names other hosts now is refused. */
function membersOf(members: readonly FleetMember[], prior: unknown): readonly Member[] {
  const parsed = priorSchema.safeParse(prior);
  const known = new Map(parsed.data?.hosts.map((host) => [host.name, host.prior]));
  const lacking = members.filter(({ name }) => !known.has(name)).map(({ name }) => name);
  const others = [...known.keys()].filter((name) => members.every((each) => each.name !== name));
  if (!parsed.success || lacking.length > 0 || others.length > 0) {
    return fail({
      code: 'prior-unreadable',
      message: parsed.success
        ? `The window began with other web hosts than the plan names now (new: ${lacking.join(', ') || 'none'}; gone: ${others.join(', ') || 'none'}).`
        : 'The prior state in the record is not that of several web hosts.',
      state: 'Nothing was touched.',
      next: 'Use the `hosts.web` that the window began with, then run the step again.',
    });
  }
  return members.map((member) => ({ ...member, prior: known.get(member.name) }));
}

/** What the doors of all hosts make together. */
export function stateOf(
  doors: readonly { readonly on: { readonly name: string }; readonly result: ModeState }[],
): ModeState {
  const by = (kind: ModeState['kind']) => doors.filter(({ result }) => result.kind === kind);
  for (const { result } of doors) if (result.kind === 'closed-by-another') return result;
  const [closed] = by('closed');
  if (closed === undefined) return { kind: 'open' };
  if (by('closed').length === doors.length) return closed.result;
  const names = (kind: ModeState['kind']) =>
    by(kind)
      .map(({ on }) => on.name)
      .join(', ');
  return { kind: 'partly-closed', detail: `closed: ${names('closed')}; open: ${names('open')}` };
}

function restorationOf(
  results: readonly { readonly on: FleetMember; readonly result: Restoration }[],
): Restoration {
  const details = results.map(({ on, result }) =>
    result.kind === 'nothing-to-do'
      ? `${on.name}: nothing was left to give back`
      : `${on.name}: ${result.detail}`,
  );
  const kinds = results.map(({ result }) => result.kind);
  if (kinds.every((kind) => kind === 'nothing-to-do')) return { kind: 'nothing-to-do' };
  const kind = kinds.includes('partly-restored') ? 'partly-restored' : 'restored';
  return { kind, detail: details.join('; ') };
}

type Failed = Extract<Worked<FleetMember, unknown>, { kind: 'failed' }>;

function failuresOf(results: readonly Worked<FleetMember, unknown>[]): readonly Failed[] {
  return results.filter((result): result is Failed => result.kind === 'failed');
}

function namesOf(failed: readonly Failed[]): string {
  return failed.map(({ on }) => on.name).join(', ');
}

function expectAll<M extends FleetMember, R>(
  results: readonly Worked<M, R>[],
  doing: string,
  others: string,
): readonly Extract<Worked<M, R>, { kind: 'done' }>[] {
  const failed = failuresOf(results);
  if (failed.length > 0) failTogether(failed, doing, `The failed hosts are unknown; ${others}.`);
  return results.filter((result) => result.kind === 'done');
}

/** One failure is told with its own code; cancellation stays what it is. */
function failTogether(failed: readonly Failed[], doing: string, state: string): never {
  const [first] = failed;
  const cause: Failure | undefined =
    failed.find(({ failure }) => failure.code === 'cancelled')?.failure ?? first?.failure;
  return fail({
    code: cause?.code ?? 'unexpected',
    message: `${failed.length === 1 ? 'One web host' : `${failed.length} web hosts`} could not ${doing}: ${failed
      .map(({ on, failure }) => `${on.name}: ${failure.message}`)
      .join(' ')}`,
    state,
    next: [...new Set(failed.map(({ failure }) => failure.next))].join(' '),
  });
}
