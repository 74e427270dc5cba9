import { fail } from '../../ports/failure.ts';
import type { Address } from '../../ports/fleet.ts';
import type { Network } from '../../ports/network.ts';
import type { CheckContext } from './check-kind.ts';

/** The network, where this run has one. */
export function requireNetwork({ network }: CheckContext): Network {
  return (
    network ??
    fail({
      code: 'network-missing',
      message: 'This run has no way to look at the network below HTTP.',
      state: 'Nothing was touched.',
      next: 'Run the check by the `smoke-test` action or the command line.',
    })
  );
}

/** Name (without brackets) and port of a URL. */
export function serverOf(url: URL): Address {
  const usual = url.protocol === 'https:' ? 443 : 80;
  return {
    host: url.hostname.replaceAll(/[[\]]/g, ''),
    port: url.port === '' ? usual : Number(url.port),
  };
}

/**
 * Every address behind a name, each once; for the site's own name those of the web hosts that the plan gives, too.
 * @throws FailureError `name-not-resolved`
 */
export async function addressesBehind(
  context: CheckContext,
  server: Address,
  options: { readonly family: 'any' | 'ipv4' | 'ipv6'; readonly timeoutSeconds: number },
): Promise<readonly Address[]> {
  const { publicUrl } = context.plan;
  const isSite = publicUrl !== undefined && serverOf(new URL(publicUrl)).host === server.host;
  const given = isSite ? context.fleet.web.flatMap(({ address }) => address ?? []) : [];
  const found = await requireNetwork(context).addresses(server.host, options);
  if (found.kind === 'no-answer') {
    return fail({
      code: 'name-not-resolved',
      message: found.reason,
      state: 'Nothing was touched.',
      next: 'Look at the records of the name.',
    });
  }
  const resolved = found.addresses
    .filter((address) => isOfFamily(address, options.family))
    .map((host) => ({ host, port: server.port }));
  const all = [...resolved, ...given].map((address) => [placeOf(address), address] as const);
  return [...new Map(all).values()];
}

function isOfFamily(address: string, family: 'any' | 'ipv4' | 'ipv6'): boolean {
  return family === 'any' || address.includes(':') === (family === 'ipv6');
}

/** For instance `192.0.2.1:443` or `[2001:db8::1]:443`. */
export function placeOf({ host, port }: Address): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
