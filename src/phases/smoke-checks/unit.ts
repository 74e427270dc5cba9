import { formatDuration } from '../../plan/duration.ts';
import type { CheckOf } from '../../plan/settings/smoke-test.ts';
import type { Host } from '../../ports/host.ts';
import { failed, passed, type CheckKind, type Verdict } from './check-kind.ts';
import { demandAnswer, lookOnHosts } from './on-hosts.ts';

type UnitCheck = Pick<CheckOf<'unit'>, 'unit' | 'stableFor'>;

// systemctl(1) and org.freedesktop.systemd1(5); those that a kind of unit lacks are left out of the answer.
const properties = 'LoadState,ActiveState,SubState,Result,NRestarts,MainPID';

/** What `systemctl show` tells of a unit, by property. */
export type UnitState = Readonly<Record<string, string>>;

/** A systemd unit that runs, and goes on running. */
export const unitKind: CheckKind<'unit'> = {
  turn: 'then',
  timeoutSeconds: ({ timeout, stableFor }) => (timeout ?? 10) + stableFor,
  expectation: describeDemand,
  look: (context, check, timeoutSeconds) =>
    lookOnHosts(context, check.on, describeDemand(check), async (host) => {
      const before = await stateOf(host, check.unit, timeoutSeconds);
      if (judgeUnit(check, before, before).kind === 'failed')
        return judgeUnit(check, before, before);
      await context.clock.wait(check.stableFor);
      return judgeUnit(check, before, await stateOf(host, check.unit, timeoutSeconds));
    }),
};

async function stateOf(host: Host, unit: string, timeoutSeconds: number): Promise<UnitState> {
  const result = await host.run({
    argv: ['systemctl', 'show', '--no-pager', `--property=${properties}`, '--', unit],
    timeoutSeconds,
  });
  return readProperties(demandAnswer('systemctl', result));
}

/** Reads `Name=value` lines. */
export function readProperties(text: string): UnitState {
  return Object.fromEntries(
    text.split('\n').flatMap((line) => {
      const at = line.indexOf('=');
      return at === -1 ? [] : [[line.slice(0, at), line.slice(at + 1)]];
    }),
  );
}

/** Judges two looks at a unit, some time apart. */
export function judgeUnit(check: UnitCheck, before: UnitState, after: UnitState): Verdict {
  const expected = describeDemand(check);
  const words = `${after.ActiveState ?? 'in no known state'} (${after.SubState ?? '?'})`;
  const result = after.Result ?? '';
  if (after.LoadState !== undefined && after.LoadState !== 'loaded') {
    return failed(
      after.LoadState === 'not-found'
        ? `there is no unit ${check.unit}`
        : `${check.unit} is ${after.LoadState}`,
      expected,
    );
  }
  if (after.ActiveState !== 'active') {
    const why = result === '' || result === 'success' ? '' : `, its last result: ${result}`;
    return failed(`${words}${why}`, expected);
  }
  if (result !== '' && result !== 'success') return failed(`${words}, result ${result}`, expected);
  const restarts = Number(after.NRestarts ?? 0);
  const meanwhile = restarts - Number(before.NRestarts ?? 0);
  if (meanwhile !== 0 || before.MainPID !== after.MainPID) {
    return failed(
      `${words}, restarted while it was watched (${restarts} restarts by systemd in all)`,
      expected,
    );
  }
  return passed(
    after.NRestarts === undefined ? words : `${words}, ${restarts} restarts by systemd so far`,
  );
}

function describeDemand({ unit, stableFor }: UnitCheck): string {
  return `${unit} active, without a failed result, and not restarted within ${formatDuration(stableFor)}`;
}
