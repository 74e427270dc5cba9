import { formatDuration } from '../../plan/duration.ts';
import type { CheckOf } from '../../plan/settings/smoke-test.ts';
import type { ConnectAnswer } from '../../ports/network.ts';
import type { Host } from '../../ports/host.ts';
import { placeOf, requireNetwork } from './addresses-behind.ts';
import { failed, passed, short, type CheckKind, type Verdict } from './check-kind.ts';
import { complaintOf, lookOnHosts } from './on-hosts.ts';

type TcpCheck = CheckOf<'tcp'>;

/** bash opens /dev/tcp itself (its manual, "Redirections"); what the plan gives comes as arguments. */
const fromHost = `exec 3<>"/dev/tcp/$1/$2" || exit 1
[ "$3" = yes ] || exit 0
IFS= read -r -t "$4" line <&3
printf '%.1000s' "$line"`;

/** A connection to a port. */
export const tcpKind: CheckKind<'tcp'> = {
  turn: 'first',
  timeoutSeconds: ({ timeout }) => timeout ?? 10,
  expectation: describeDemand,
  look: async (context, check, timeoutSeconds) => {
    const { from } = check;
    if (from === undefined) {
      const answer = await requireNetwork(context).connect(check, {
        timeoutSeconds,
        readBanner: check.banner !== undefined,
      });
      return judgeTcp(check, answer);
    }
    return lookOnHosts(context, from, describeDemand(check), async (host) =>
      judgeTcp(check, await connectFrom(host, check, timeoutSeconds)),
    );
  },
};

async function connectFrom(
  host: Host,
  check: TcpCheck,
  timeoutSeconds: number,
): Promise<ConnectAnswer> {
  const wait = String(Math.max(1, Math.floor(timeoutSeconds / 2)));
  const result = await host.run({
    argv: [
      ...(['bash', '-c', fromHost, 'bash', check.host, String(check.port)] as const),
      check.banner === undefined ? 'no' : 'yes',
      wait,
    ],
    timeoutSeconds,
  });
  if (result.timedOut) {
    return { kind: 'no-answer', reason: `no connection to ${placeOf(check)} in time` };
  }
  if (result.exitCode === 127) {
    return { kind: 'no-answer', reason: 'bash is not installed on the host' };
  }
  if (result.exitCode !== 0) {
    // `bash: line 1: /dev/tcp/192.0.2.1/25: Connection refused`
    const said = complaintOf(result).split(': ').at(-1) ?? '';
    return { kind: 'no-answer', reason: `no connection to ${placeOf(check)}: ${said}` };
  }
  const banner = result.stdout === '' ? undefined : result.stdout.replace(/\r$/, '');
  return { kind: 'connected', seconds: result.seconds, banner };
}

/** Compares what came of a connection with what is expected of it. */
export function judgeTcp(
  check: Pick<TcpCheck, 'banner' | 'host' | 'port'>,
  answer: ConnectAnswer,
): Verdict {
  const expected = describeDemand(check);
  if (answer.kind === 'no-answer') return failed(answer.reason, expected);
  const connected = `connected in ${formatDuration(answer.seconds)}`;
  if (check.banner === undefined) return passed(connected);
  if (answer.banner === undefined) return failed(`${connected}, but no first line came`, expected);
  const observed = `${connected}, first line ${JSON.stringify(short(answer.banner, 100))}`;
  return answer.banner.includes(check.banner) ? passed(observed) : failed(observed, expected);
}

function describeDemand(check: Pick<TcpCheck, 'banner' | 'host' | 'port'>): string {
  const banner =
    check.banner === undefined ? '' : `, first line with ${JSON.stringify(check.banner)}`;
  return `a connection to ${placeOf(check)}${banner}`;
}
