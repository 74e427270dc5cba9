import type { SmokeCheck } from '../../plan/settings/smoke-test.ts';
import { browserKind } from './browser.ts';
import type { CheckKind } from './check-kind.ts';
import { commandKind } from './command.ts';
import { composeKind } from './compose.ts';
import { dnsKind } from './dns.ts';
import { httpKind } from './http.ts';
import { logKind } from './log.ts';
import { routingKind } from './routing.ts';
import { sqlKind } from './sql.ts';
import { tcpKind } from './tcp.ts';
import { tlsKind } from './tls.ts';
import { unitKind } from './unit.ts';
import { writeCanaryKind } from './write-canary.ts';

const kinds: { readonly [K in SmokeCheck['kind']]: CheckKind<K> } = {
  http: httpKind,
  routing: routingKind,
  sql: sqlKind,
  'write-canary': writeCanaryKind,
  tcp: tcpKind,
  dns: dnsKind,
  tls: tlsKind,
  unit: unitKind,
  compose: composeKind,
  command: commandKind,
  log: logKind,
  browser: browserKind,
};

/** How a check is looked at, by its kind. */
export function kindOf<K extends SmokeCheck['kind']>(check: { readonly kind: K }): CheckKind<K> {
  return kinds[check.kind];
}
