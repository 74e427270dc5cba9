import { onEach } from '../../ports/fleet.ts';
import { addressesBehind, placeOf, serverOf } from './addresses-behind.ts';
import {
  failed,
  overAll,
  passed,
  unseen,
  type CheckKind,
  type PartVerdict,
  type Verdict,
} from './check-kind.ts';
import { describeExpectation, exchangeTimeout, judgeHttp, requestOf } from './http.ts';

/** How many addresses are asked at once. */
const parallel = 8;

/** The same question to every address behind the name, past what the name server happens to give first. */
export const routingKind: CheckKind<'routing'> = {
  turn: 'first',
  timeoutSeconds: exchangeTimeout,
  expectation: ({ expect, atLeast }) =>
    `${counted(atLeast)} or more, each with ${describeExpectation(expect)}`,
  look: async (context, check, timeoutSeconds) => {
    const { family, atLeast, expect } = check;
    const request = requestOf(context, check, timeoutSeconds);
    const server = serverOf(new URL(request.url));
    const addresses = await addressesBehind(context, server, { family, timeoutSeconds });
    const asked = await onEach(addresses, parallel, async (address) =>
      judgeHttp(expect, await context.http.request({ ...request, connectTo: address })),
    );
    return judgeRouting(
      asked.map((one) => ({
        part: placeOf(one.on),
        verdict:
          one.kind === 'done' ? one.result : unseen(one.failure, describeExpectation(expect)),
      })),
      atLeast,
    );
  },
};

/** Every address must answer as expected, and there must be enough of them. */
export function judgeRouting(parts: readonly PartVerdict[], atLeast: number): Verdict {
  const few = failed(
    parts.length === 0
      ? 'no address'
      : `${counted(parts.length)}: ${parts.map(({ part }) => part).join(', ')}`,
    `${counted(atLeast)} or more`,
  );
  const verdict = overAll(parts, few);
  if (verdict.kind === 'failed') {
    const [only] = parts;
    // With one address, nothing has named it yet.
    return parts.length === 1 && only !== undefined
      ? failed(`${only.part}: ${verdict.observed}`, verdict.expected)
      : verdict;
  }
  if (parts.length < atLeast) return few;
  const [only] = parts;
  return parts.length === 1 && only !== undefined
    ? passed(`${only.part}: ${verdict.observed}`)
    : verdict;
}

function counted(addresses: number): string {
  return `${addresses} ${addresses === 1 ? 'address' : 'addresses'}`;
}
