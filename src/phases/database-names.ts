/** Databases that a window makes beside the application's own. */
export type DatabaseRole = 'scratch' | 'restore_point' | 'restored' | 'failed';

/** PostgreSQL's limit for names, in bytes (NAMEDATALEN - 1). */
const nameLimit = 63;

/**
 * Name of a database that the window makes, for instance `shop_mw_20261122_020000_1a2b_failed`. The
 * application's name is cut to fit; the window and the role never are.
 */
export function databaseName(application: string, windowId: string, role: DatabaseRole): string {
  const tail = `_${windowId.replaceAll('-', '_')}_${role}`;
  let head = application;
  while (new TextEncoder().encode(head + tail).length > nameLimit)
    head = head.slice(0, lastCharacterAt(head));
  return head + tail;
}

/** Where the last character begins: half of a surrogate pair is none. */
function lastCharacterAt(text: string): number {
  const isPair = /[\ud800-\udbff][\udc00-\udfff]$/.test(text);
  return text.length - (isPair ? 2 : 1);
}
