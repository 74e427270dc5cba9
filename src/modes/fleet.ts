import { onEach, type Worked } from '../ports/fleet.ts';
import type {
  Check,
  DoorState,
  HostDoor,
  MaintenanceMode,
  ModeState,
  Restoration,
} from '../ports/maintenance-mode.ts';
import {
  expectAll,
  failTogether,
  failuresOf,
  namesOf,
  within,
  type Done,
} from './fleet-failure.ts';
import { fleetPrior, remember, type FleetMember, type RememberedMember } from './fleet-prior.ts';

export type { FleetMember } from './fleet-prior.ts';

export interface FleetOptions {
  /** How many hosts are worked on at once. */
  readonly parallel: number;
  /** An operator consents that hosts which the plan no longer names are left as they are. */
  readonly mayLeaveOut?: boolean;
  /** Seconds that one host may take for one of the mode's operations. Default 300. */
  readonly hostLimitSeconds?: number;
}

/**
 * Closes and opens several web hosts as one: all or none (docs/adr/0013-fleet-of-web-hosts.md). One host alone is
 * what its mode is by itself.
 */
export function fleetMode(members: readonly FleetMember[], options: FleetOptions): MaintenanceMode {
  const { parallel, mayLeaveOut = false, hostLimitSeconds = 300 } = options;
  const [first] = members;
  if (first === undefined) throw new Error('a fleet has at least one web host');
  const on = <M extends FleetMember, R>(all: readonly M[], work: (member: M) => Promise<R>) =>
    onEach(all, parallel, (member) => within(hostLimitSeconds, () => work(member)));
  const remembered = (prior: unknown) => remember(members, prior, mayLeaveOut);

  const restore = async (prior: unknown): Promise<Restoration> => {
    const { members: all, gone } = remembered(prior);
    const results = await on(all, (member) => member.mode.restore(member.prior));
    const given = expectAll(
      results,
      'give back what was there',
      (_, done) => `It was given back on ${namesOf(done)}.`,
    );
    return all.length === 1 && gone.length === 0 && given[0] !== undefined
      ? given[0].result
      : restorationOf(given, gone);
  };

  if (members.length === 1) {
    const only = (prior: unknown): unknown => remembered(prior).members[0]?.prior;
    return {
      kind: first.mode.kind,
      shows: first.mode.shows,
      check: () => first.mode.check(),
      plan: () => first.mode.plan(),
      install: async (prior) => first.mode.install(only(prior)),
      installed: async (prior) => first.mode.installed(only(prior)),
      close: () => first.mode.close(),
      state: () => first.mode.state(),
      open: () => first.mode.open(),
      restore: async (prior) =>
        remembered(prior).gone.length === 0 ? first.mode.restore(only(prior)) : restore(prior),
      bypassHeaders: () => first.mode.bypassHeaders(),
    };
  }

  const look = () => on(members, ({ mode }) => mode.state());
  const state = async (): Promise<ModeState> =>
    stateOf(expectAll(await look(), 'be looked at', (_, done) => doorsInWords(done)));

  /** Opens these again, and says in words how it went. */
  const reopen = async (all: readonly FleetMember[]): Promise<string> => {
    const results = await on(all, ({ mode }) => mode.open());
    const failed = failuresOf(results);
    const done = results.filter(({ kind }) => kind === 'done');
    return [
      done.length > 0 ? `Opened again: ${namesOf(done)}.` : '',
      failed.length > 0
        ? `Not opened again, and perhaps closed: ${failed.map(({ on: { name }, failure }) => `${name} (${failure.message})`).join(', ')}.`
        : '',
    ]
      .filter((part) => part !== '')
      .join(' ');
  };

  return {
    kind: first.mode.kind,
    shows: first.mode.shows,
    check: async () => checksOf(await on(members, ({ mode }) => mode.check())),
    plan: async () => {
      const results = await on(members, ({ mode }) => mode.plan());
      const plans = expectAll(results, 'plan its change', () => 'Nothing was touched.');
      return fleetPrior(plans.map(({ on: { name }, result }) => ({ name, prior: result })));
    },
    install: async (prior) => {
      const { members: all } = remembered(prior);
      const results = await on(all, (member) => member.mode.install(member.prior));
      const failed = failuresOf(results);
      if (failed.length === 0) return;
      const taken = await on(
        results.filter(({ kind }) => kind === 'done').map((result) => result.on),
        takeBack,
      );
      failTogether(failed, 'put the mode in place', takenBackInWords(taken));
    },
    installed: async (prior) => {
      const results = await on(remembered(prior).members, ({ mode, prior: its }) =>
        mode.installed(its),
      );
      return expectAll(results, 'be looked at', () => 'Looking changed nothing.').every(
        ({ result }) => result,
      );
    },
    close: async () => {
      // What was closed before this call stays closed when it fails: somebody relies on it.
      const before = expectAll(
        await look(),
        'be looked at before closing',
        (_, done) => `Nothing was closed by this step. ${doorsInWords(done)}`,
      );
      const those = (holds: (door: ModeState) => boolean) =>
        before.filter(({ result }) => holds(result)).map(({ on: member }) => member);
      // Who is refused by another's door is refused before any door was closed.
      const taken = those(({ kind }) => kind === 'closed-by-another');
      const refused = failuresOf(await on(taken, ({ mode }) => mode.close()));
      if (refused.length > 0) {
        failTogether(refused, 'close', `No other host was closed. ${doorsInWords(before)}`);
      }
      const open = those(({ kind }) => kind !== 'closed');
      const failed = failuresOf(await on(members, ({ mode }) => mode.close()));
      if (failed.length === 0) return;
      // A closing whose answer was lost may have taken effect, so the failed ones are opened too.
      failTogether(failed, 'close', await reopen(open));
    },
    closeEach: async () => {
      const results = await on(members, ({ mode }) => mode.close());
      expectAll(results, 'close', (_, done) => `Closed: ${namesOf(done)}.`);
    },
    state,
    hostDoors: async () => (await look()).map(hostDoorOf),
    open: async () => {
      const results = await on(members, ({ mode }) => mode.open());
      expectAll(results, 'open', (_, done) => `Open: ${namesOf(done)}.`);
    },
    restore,
    bypassHeaders: () => first.mode.bypassHeaders(),
  };
}

/** Taking the mode out behind a closed door would open that door. */
async function takeBack(member: RememberedMember): Promise<'taken-back' | 'left'> {
  if ((await member.mode.state()).kind !== 'open') return 'left';
  await member.mode.restore(member.prior);
  return 'taken-back';
}

function takenBackInWords(taken: readonly Worked<FleetMember, 'taken-back' | 'left'>[]): string {
  const failed = failuresOf(taken);
  const back = taken.filter((entry) => entry.kind === 'done' && entry.result === 'taken-back');
  const left = taken.filter((entry) => entry.kind === 'done' && entry.result === 'left');
  return [
    back.length > 0 ? `On ${namesOf(back)} it was taken back.` : '',
    left.length > 0 ? `On ${namesOf(left)}, which is closed, it was left in place.` : '',
    failed.length > 0 ? `On ${namesOf(failed)} it could not be taken back.` : '',
    'No door was opened or closed by this step.',
  ]
    .filter((part) => part !== '')
    .join(' ');
}

/** The checks of every host; one that cannot be looked at fails alone. */
function checksOf(results: readonly Worked<FleetMember, readonly Check[]>[]): readonly Check[] {
  return results.flatMap((looked, index): readonly Check[] => {
    const suffix = `-${index + 1}`;
    if (looked.kind === 'done') {
      return looked.result.map((check) => ({
        ...check,
        id: `${check.id}${suffix}`,
        title: `${check.title} (${looked.on.name})`,
      }));
    }
    return [
      {
        id: `mode${suffix}`,
        title: `Maintenance mode (${looked.on.name})`,
        verdict: 'failed',
        value: looked.failure.message,
        limit: 'can be looked at',
        next: looked.failure.next,
      },
    ];
  });
}

/** What the doors of all hosts make together. */
export function stateOf(
  doors: readonly { readonly on: { readonly name: string }; readonly result: ModeState }[],
): ModeState {
  const by = (kind: ModeState['kind']) => doors.filter(({ result }) => result.kind === kind);
  for (const { result } of doors) if (result.kind === 'closed-by-another') return result;
  const [closed] = by('closed');
  if (closed !== undefined && by('closed').length === doors.length) return closed.result;
  if (by('open').length === doors.length) return { kind: 'open' };
  return { kind: 'partly-closed', detail: doorsInWords(doors) };
}

/** For instance `Closed: web1, web2. Open: web3.` */
function doorsInWords(
  doors: readonly { readonly on: { readonly name: string }; readonly result: ModeState }[],
): string {
  const words: Readonly<Record<ModeState['kind'], string>> = {
    closed: 'Closed',
    open: 'Open',
    'partly-closed': 'Partly closed',
    'closed-by-another': 'Closed by somebody else',
  };
  return (Object.keys(words) as ModeState['kind'][])
    .map((kind) => ({ kind, those: doors.filter(({ result }) => result.kind === kind) }))
    .filter(({ those }) => those.length > 0)
    .map(({ kind, those }) => `${words[kind]}: ${namesOf(those)}.`)
    .join(' ');
}

function hostDoorOf(looked: Worked<FleetMember, ModeState>): HostDoor {
  const { name } = looked.on;
  if (looked.kind === 'failed')
    return { host: name, door: 'unknown', reason: looked.failure.message };
  const { result } = looked;
  return result.kind === 'partly-closed'
    ? { host: name, door: 'unknown', reason: result.detail }
    : { host: name, door: doorOf(result) };
}

function doorOf(state: DoorState): Exclude<HostDoor['door'], 'unknown'> {
  return state.kind;
}

function restorationOf(
  results: readonly Done<FleetMember, Restoration>[],
  gone: readonly string[],
): Restoration {
  const details = results.map(({ on, result }) =>
    result.kind === 'nothing-to-do'
      ? `${on.name}: nothing was left to give back`
      : `${on.name}: ${result.detail}`,
  );
  const left = gone.map(
    (name) => `${name}: not given back, because an operator took it out of the plan`,
  );
  const kinds = results.map(({ result }) => result.kind);
  if (left.length === 0 && kinds.every((kind) => kind === 'nothing-to-do')) {
    return { kind: 'nothing-to-do' };
  }
  const isPartly = left.length > 0 || kinds.includes('partly-restored');
  return {
    kind: isPartly ? 'partly-restored' : 'restored',
    detail: [...details, ...left].join('; '),
  };
}
