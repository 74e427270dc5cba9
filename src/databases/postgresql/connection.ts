import { fail } from '../../ports/failure.ts';

/** Where the application's database is, from its URL; the password leaves it only through `environment`. */
export interface Connection {
  readonly database: string;
  /** `undefined`: whatever libpq takes by default (the operating system's user). */
  readonly user: string | undefined;
  readonly host: string | undefined;
  readonly port: number;
  /** To be masked in logs; `undefined` when the URL has none. */
  readonly password: string | undefined;
  /** `postgresql shop on 127.0.0.1:5432`, without secrets. */
  readonly label: string;
  /**
   * libpq's environment variables for a database of the server (manual, 34.15).
   * @param settings run-time parameters of the session; they win over those of the URL
   */
  environment(
    database: string,
    settings?: Readonly<Record<string, string>>,
  ): Record<string, string>;
}

/** Connection parameters that may stand after `?`, and how libpq takes them. */
const variables: Readonly<Record<string, string>> = {
  sslmode: 'PGSSLMODE',
  sslrootcert: 'PGSSLROOTCERT',
  sslcert: 'PGSSLCERT',
  sslkey: 'PGSSLKEY',
  sslcrl: 'PGSSLCRL',
  sslcrldir: 'PGSSLCRLDIR',
  sslsni: 'PGSSLSNI',
  sslnegotiation: 'PGSSLNEGOTIATION',
  ssl_min_protocol_version: 'PGSSLMINPROTOCOLVERSION',
  ssl_max_protocol_version: 'PGSSLMAXPROTOCOLVERSION',
  channel_binding: 'PGCHANNELBINDING',
  require_auth: 'PGREQUIREAUTH',
  gssencmode: 'PGGSSENCMODE',
  krbsrvname: 'PGKRBSRVNAME',
  passfile: 'PGPASSFILE',
  connect_timeout: 'PGCONNECT_TIMEOUT',
  target_session_attrs: 'PGTARGETSESSIONATTRS',
  options: 'PGOPTIONS',
};
/** Parameters that say again what the URL says before the `?`. */
const places = ['host', 'port', 'user', 'password', 'dbname'] as const;
type Place = (typeof places)[number];
const sslModes = ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full'];
const accepted =
  'postgresql://USER:PASSWORD@HOST:PORT/DATABASE?sslmode=…; percent-encode : / ? # [ ] @ % and spaces in its parts';

/** The URL itself never stands in a message: any part of a mistyped one may be the password. */
function refuse(problem: string, next = `Give the URL as ${accepted}.`): never {
  fail({
    code: 'database-url-invalid',
    message: `The database URL ${problem}.`,
    state: 'Nothing was connected to or changed.',
    next,
  });
}

function decode(part: string, what: string): string {
  let decoded: string;
  try {
    decoded = decodeURIComponent(part);
  } catch {
    refuse(`has a wrong percent-encoding in its ${what}`);
  }
  if (decoded.includes('\0')) refuse(`has a NUL character in its ${what}`);
  return decoded;
}

function isPlace(name: string): name is Place {
  return (places as readonly string[]).includes(name);
}

interface Parts {
  readonly given: Map<Place, string>;
  readonly extra: Map<string, string>;
}

function readQuery(query: string, parts: Parts): void {
  const seen = new Set<string>();
  for (const pair of query.split('&').filter((text) => text !== '')) {
    const equals = pair.indexOf('=');
    if (equals === -1) refuse('has a parameter without a value');
    const name = decode(pair.slice(0, equals), 'parameters');
    const value = decode(pair.slice(equals + 1), `parameter ${name}`);
    if (seen.has(name) || (isPlace(name) && parts.given.has(name))) {
      refuse(`gives ${isPlace(name) ? name : JSON.stringify(name)} twice`);
    }
    seen.add(name);
    if (isPlace(name)) parts.given.set(name, value);
    else readParameter(name, value, parts.extra);
  }
}

function readParameter(name: string, value: string, extra: Map<string, string>): void {
  // Sessions of a window must be told apart from the application's, so our own name stays.
  if (name === 'application_name') return;
  if (name === 'client_encoding' && /^utf-?8$/i.test(value)) return;
  // The JDBC driver's way, which libpq understands too.
  if (name === 'ssl' && value === 'true') {
    if (!extra.has('PGSSLMODE')) extra.set('PGSSLMODE', 'require');
    return;
  }
  const variable = variables[name];
  if (variable === undefined) {
    refuse(
      `has the parameter ${JSON.stringify(name)}, which PostgreSQL's own clients cannot take over`,
      `Leave it out (parameters of an application's driver or pool do not belong here). Accepted: ${[...places, 'application_name', ...Object.keys(variables)].join(', ')}.`,
    );
  }
  if (name === 'sslmode' && !sslModes.includes(value)) {
    refuse(
      `has an unknown sslmode ${JSON.stringify(value)}`,
      `Give one of: ${sslModes.join(', ')}.`,
    );
  }
  if (name === 'connect_timeout' && !/^[1-9]\d{0,4}$/.test(value)) {
    refuse('has a connect_timeout that is not a number of seconds from 1 to 99999');
  }
  extra.set(variable, value);
}

function readAuthority(authority: string, given: Map<Place, string>): void {
  const at = authority.lastIndexOf('@');
  const login = at === -1 ? '' : authority.slice(0, at);
  const address = authority.slice(at + 1);
  const colon = login.indexOf(':');
  const user = decode(colon === -1 ? login : login.slice(0, colon), 'user');
  const password = colon === -1 ? '' : decode(login.slice(colon + 1), 'password');
  if (user !== '') given.set('user', user);
  if (password !== '') given.set('password', password);
  if (address.includes(',')) {
    refuse(
      'names several hosts',
      'Name the one server that the window works on: the primary, not a pool or a list.',
    );
  }
  const match =
    /^(?:\[(?<six>[0-9a-fA-F:.]+(?:%[^\]]*)?)\]|(?<host>[^:[\]]*))(?::(?<port>[^:]*))?$/.exec(
      address,
    );
  if (match === null) {
    refuse('has a host or port that cannot be read (or a password that is not percent-encoded)');
  }
  const { six, host, port } = match.groups ?? {};
  const name = six ?? decode(host ?? '', 'host');
  if (name !== '') given.set('host', name.replace('%25', '%'));
  if (port !== undefined && port !== '') given.set('port', decode(port, 'port'));
}

function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (c) => JSON.stringify(c).slice(1, -1));
}

/**
 * Reads a `postgres://` or `postgresql://` URL. Messages never contain a part that may be the password.
 * @throws FailureError `database-url-invalid`
 */
export function parseConnection(text: string): Connection {
  // Secrets often end with the line feed of the command that stored them.
  const url = text.trim();
  if (url === '') refuse('is empty');
  if (/[\s\p{Cc}]/u.test(url)) refuse('has white space or a control character in it');
  const scheme = /^([a-z][a-z0-9+.:-]{0,30}):\/\//i.exec(url);
  if (scheme === null) refuse('does not begin with postgresql://');
  if (!/^postgres(?:ql)?$/i.test(scheme[1] ?? '')) {
    refuse(`begins with ${scheme[0]} instead of postgresql://`);
  }
  const rest = url.slice(scheme[0].length);
  if (rest.includes('#')) refuse('has a # in it, which must be written as %23');
  const [, authority = '', path = '', query = ''] =
    /^([^/?]*)(?:\/([^?]*))?(?:\?(.*))?$/.exec(rest) ?? [];
  const parts: Parts = { given: new Map(), extra: new Map() };
  readAuthority(authority, parts.given);
  // What looks like a path may be the rest of a password with a / or ? in it.
  if (path.includes('/') || `${path}${query}`.includes('@')) {
    refuse('has a / or @ after the host that is not percent-encoded');
  }
  const fromPath = decode(path, 'database name');
  if (fromPath !== '') parts.given.set('dbname', fromPath);
  readQuery(query, parts);
  return connectionOf(parts);
}

/** Spaces and backslashes separate and escape in it (manual, 34.1.2: options). */
function sessionOptions(
  ofUrl: string | undefined,
  settings: Readonly<Record<string, string>>,
): { readonly PGOPTIONS?: string } {
  const own = Object.entries(settings).map(
    ([name, value]) => `-c ${`${name}=${value}`.replace(/[\\\s]/g, '\\$&')}`,
  );
  if (own.length === 0) return {};
  return { PGOPTIONS: [...(ofUrl === undefined ? [] : [ofUrl]), ...own].join(' ') };
}

function connectionOf({ given, extra }: Parts): Connection {
  const database = given.get('dbname');
  if (database === undefined || database === '') refuse('names no database');
  if (Buffer.byteLength(database) > 63) {
    refuse('has a database name longer than 63 bytes, which PostgreSQL would cut off');
  }
  const host = given.get('host');
  if (host?.includes(',') === true) refuse('names several hosts');
  const portText = given.get('port') ?? '5432';
  const port = Number(portText);
  if (!/^\d{1,5}$/.test(portText) || port < 1 || port > 65535) {
    refuse('has a port that is not a number from 1 to 65535 (or a password not percent-encoded)');
  }
  const user = given.get('user');
  const password = given.get('password');
  const shownHost =
    host === undefined ? 'the local socket' : host.includes(':') ? `[${host}]` : host;
  return {
    database,
    user,
    host,
    port,
    password,
    label: printable(`postgresql ${database} on ${shownHost}:${port}`),
    environment: (name, { application_name = 'maintenance-window', ...settings } = {}) => ({
      PGCONNECT_TIMEOUT: '10',
      ...Object.fromEntries(extra),
      ...sessionOptions(extra.get('PGOPTIONS'), settings),
      // Empty means libpq's own default, whatever the host's environment says.
      PGHOST: host ?? '',
      PGPORT: String(port),
      PGDATABASE: name,
      ...(user === undefined ? {} : { PGUSER: user }),
      ...(password === undefined ? {} : { PGPASSWORD: password }),
      PGAPPNAME: application_name,
      PGCLIENTENCODING: 'UTF8',
      PG_COLOR: 'never',
      // Messages are read by their English text where there is no SQLSTATE.
      LC_ALL: 'C',
    }),
  };
}
