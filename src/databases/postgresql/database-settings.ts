import type { DatabaseProperties } from '../../ports/database.ts';
import { quoteIdentifier, quoteLiteral } from './quoting.ts';

export type DatabaseSetting = DatabaseProperties['settings'][number];

/**
 * Parameters whose stored value is a list of quoted names. Each name must be given by itself, or the whole list would
 * be taken for one name. The server's own list (GUC_LIST_QUOTE), to which extensions cannot add.
 */
const nameLists = new Set([
  'local_preload_libraries',
  'search_path',
  'session_preload_libraries',
  'shared_preload_libraries',
  'temp_tablespaces',
  'unix_socket_directories',
]);

/** The names in a stored list such as `"$user", public`. */
export function splitNameList(value: string): string[] {
  const names: string[] = [];
  const item = /\s*(?:"((?:[^"]|"")*)"|([^",\s][^",]*?))\s*(?:,|$)/y;
  for (let at = 0; at < value.length; at = item.lastIndex) {
    item.lastIndex = at;
    const match = item.exec(value);
    // Not a list as the server writes one; it goes back as it is.
    if (match === null) return [value];
    names.push(match[1]?.replaceAll('""', '"') ?? match[2] ?? '');
  }
  return names;
}

function target(database: string, role: string | null): string {
  return role === null
    ? `ALTER DATABASE ${quoteIdentifier(database)}`
    : `ALTER ROLE ${quoteIdentifier(role)} IN DATABASE ${quoteIdentifier(database)}`;
}

/** `ALTER … SET` for one recorded setting. */
export function settingStatement(database: string, { role, name, value }: DatabaseSetting): string {
  const names = nameLists.has(name.toLowerCase()) ? splitNameList(value) : [value];
  const values = names.length === 0 ? "''" : names.map((text) => quoteLiteral(text)).join(', ');
  // Custom parameters have two parts, such as `shop.region`.
  const parameter = name.split('.').map(quoteIdentifier).join('.');
  return `${target(database, role)} SET ${parameter} TO ${values}`;
}

/** Takes away all settings of the database, and those of the named roles in it. */
export function resetStatements(database: string, current: readonly DatabaseSetting[]): string[] {
  const roles = new Set<string | null>([null, ...current.map(({ role }) => role)]);
  return [...roles].map((role) => `${target(database, role)} RESET ALL`);
}
