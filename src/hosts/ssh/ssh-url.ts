/** Where and as whom to log in. Without user or port OpenSSH's own rules decide. */
export interface SshAddress {
  readonly user?: string;
  readonly host: string;
  readonly port?: number;
}

// Neither may begin with a dash (it would be an option), nor hold a character that ssh gives a meaning to
// (% tokens, @, spaces). Names in other scripts are given in their xn-- form.
const hostName = /^[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,252}[A-Za-z0-9_.])?$/;
const ipv6 = /^\[([0-9A-Fa-f:.]{2,45})\]$/;
const userName = /^[A-Za-z0-9_][A-Za-z0-9_.+$-]{0,127}$/;

/**
 * Reads `ssh://user@host:port`; user and port are optional, an IPv6 address stands in brackets.
 * @returns `undefined` for anything else: another scheme, a password, a path
 */
export function parseSshUrl(url: string): SshAddress | undefined {
  const match = /^ssh:\/\/(?:([^@/]*)@)?(\[[^\]@/]*\]|[^:@/[\]]*)(?::(\d{1,5}))?\/?$/.exec(url);
  if (match === null) return undefined;
  const [, user, name = '', portText] = match;
  const host = ipv6.exec(name)?.[1] ?? name;
  if (host === name && !hostName.test(host)) return undefined;
  if (user !== undefined && !userName.test(user)) return undefined;
  const port = portText === undefined ? undefined : Number(portText);
  if (port !== undefined && (port < 1 || port > 65_535)) return undefined;
  return {
    host,
    ...(user === undefined ? {} : { user }),
    ...(port === undefined ? {} : { port }),
  };
}
