import type { DatabaseFacts } from '../../ports/database.ts';

/**
 * A subscription belongs to its database and no copy has it (manual, 31.2 and CREATE DATABASE); recreated over the
 * same slot it would take in twice, or never, what came meanwhile. So a copy does not stand for such a database.
 */
export function subscriptionObstacle({
  subscriptions,
}: Pick<DatabaseFacts, 'subscriptions'>): string | undefined {
  if (subscriptions.length === 0) return undefined;
  const names = subscriptions.map(({ name }) => name).join(', ');
  return `no copy of the database has its ${subscriptions.length === 1 ? 'subscription' : 'subscriptions'} ${names}`;
}
