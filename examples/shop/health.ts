import type { Database } from './database.ts';

export type Health = {
  status: 'ok' | 'failing';
  /** Whether the database answered at all. */
  database: 'ok' | 'unavailable';
  /** The schema's version, as far as it could be read. */
  schema: number | null;
  /** What is wrong, when something is. */
  reason?: string;
};

/** Asks the database for what the shop lives on. Never throws. */
export async function checkHealth(database: Database): Promise<Health> {
  let schema: number | null = null;
  try {
    const rows = await database.readNow<{ version: number }>('select version from shop_schema');
    schema = rows[0]?.version ?? null;
    // No rows are read, but every table and column that placing an order needs is resolved.
    await database.readNow(
      `select p.price_cents, p.stock, o.reference, o.customer_id, o.total_cents,
              i.quantity, i.price_cents, e.kind, c.id
         from products p, orders o, order_items i, events e, customers c limit 0`,
    );
    return { status: 'ok', database: 'ok', schema };
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    // Class 42: it did answer, and what it said is that a table or column is not there.
    const state = 'code' in error && typeof error.code === 'string' ? error.code : '';
    const answered = state.startsWith('42');
    return {
      status: 'failing',
      database: answered ? 'ok' : 'unavailable',
      schema,
      reason: error.message,
    };
  }
}
