import type { CheckOf } from '../../plan/settings/smoke-test.ts';
import type { RecordsAnswer } from '../../ports/network.ts';
import { requireNetwork } from './addresses-behind.ts';
import { failed, passed, type CheckKind, type Verdict } from './check-kind.ts';

type DnsCheck = Pick<CheckOf<'dns'>, 'type' | 'values' | 'only'>;

/** What a name resolves to. */
export const dnsKind: CheckKind<'dns'> = {
  turn: 'first',
  timeoutSeconds: ({ timeout }) => timeout ?? 10,
  expectation: describeDemand,
  look: async (context, check, timeoutSeconds) => {
    const { name, type, resolver } = check;
    const parts = resolver === undefined ? null : /^(.*):(\d+)$/.exec(resolver);
    const answer = await requireNetwork(context).records({
      name,
      type,
      ...(parts === null ? {} : { resolver: { host: parts[1] ?? '', port: Number(parts[2]) } }),
      timeoutSeconds,
    });
    return judgeDns(check, answer);
  },
};

/** Compares records with the expected ones; names by DNS's rules, addresses by what they mean. */
export function judgeDns(check: DnsCheck, answer: RecordsAnswer): Verdict {
  const expected = describeDemand(check);
  if (answer.kind === 'no-answer') return failed(answer.reason, expected);
  const found = [...answer.values].sort();
  if (found.length === 0) return failed(`no ${check.type} record`, expected);
  const observed = found.join(', ');
  const canonical = (value: string): string => canonicalRecord(check.type, value);
  const has = new Set(found.map(canonical));
  const wanted = new Set(check.values.map(canonical));
  const missing = check.values.filter((value) => !has.has(canonical(value)));
  const extra = check.only ? found.filter((value) => !wanted.has(canonical(value))) : [];
  if (missing.length === 0 && extra.length === 0) return passed(observed);
  const words = [
    missing.length === 0 ? '' : `without ${missing.join(', ')}`,
    extra.length === 0 ? '' : `with ${extra.join(', ')} besides`,
  ].filter((part) => part !== '');
  return failed(`${observed} (${words.join(', ')})`, expected);
}

function canonicalRecord(type: DnsCheck['type'], value: string): string {
  switch (type) {
    case 'TXT':
      return value;
    case 'AAAA': {
      const url = `http://[${value.replaceAll(/[[\]]/g, '')}]/`;
      return URL.canParse(url) ? new URL(url).hostname : value;
    }
    case 'A':
    case 'CNAME':
    case 'MX':
      return value.trim().toLowerCase().replaceAll(/\s+/g, ' ').replace(/\.$/, '');
  }
}

function describeDemand({ type, values, only }: DnsCheck): string {
  if (values.length === 0) return `at least one ${type} record`;
  return `${type} ${values.join(', ')}${only ? ' and nothing else' : ''}`;
}
