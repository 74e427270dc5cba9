import type { Database } from './database.ts';

export type OrderRequest = {
  /** The same reference again means the same order, not a second one. */
  reference: string;
  customerId: number;
  items: readonly { productId: number; quantity: number }[];
};

export type PlacedOrder = { id: number; reference: string; totalCents: number };

export type Order = PlacedOrder & {
  customerId: number;
  status: string;
  placedAt: Date;
  items: readonly { productId: number; quantity: number; priceCents: number }[];
};

/** The order cannot be placed as asked; the message says why. */
export class OrderRefused extends Error {}

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const mostItems = 20;
const mostPieces = 1000;

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value > 0;
}

/**
 * Checks what a client sent as an order.
 * @throws OrderRefused naming the field and what is accepted
 */
export function readOrderRequest(body: unknown): OrderRequest {
  if (!isObject(body)) throw new OrderRefused('The body must be a JSON object.');
  const { reference, customerId, items } = body;
  if (typeof reference !== 'string' || !uuid.test(reference)) {
    throw new OrderRefused('reference must be a UUID.');
  }
  if (!isCount(customerId)) throw new OrderRefused('customerId must be a whole number above 0.');
  if (!Array.isArray(items) || items.length === 0 || items.length > mostItems) {
    throw new OrderRefused(`items must be a list of 1 to ${mostItems}.`);
  }
  const pieces = new Map<number, number>();
  for (const item of items as readonly unknown[]) {
    if (!isObject(item) || !isCount(item.productId) || !isCount(item.quantity)) {
      throw new OrderRefused('Each item needs a productId and a quantity, whole numbers above 0.');
    }
    const quantity = (pieces.get(item.productId) ?? 0) + item.quantity;
    if (quantity > mostPieces) throw new OrderRefused(`quantity must be at most ${mostPieces}.`);
    pieces.set(item.productId, quantity);
  }
  // In one order for everybody, so that two orders never wait for each other's products.
  const ordered = [...pieces].sort(([a], [b]) => a - b);
  return {
    reference: reference.toLowerCase(),
    customerId,
    items: ordered.map(([productId, quantity]) => ({ productId, quantity })),
  };
}

/**
 * Places an order: takes the pieces from stock, writes order, items and audit event, all or none.
 * @throws OrderRefused when the customer or a product is unknown, or the stock is too low
 */
export function placeOrder(database: Database, request: OrderRequest): Promise<PlacedOrder> {
  return database.transaction(async (client) => {
    // The same order sent twice at once: the second waits here and finds the first.
    await client.query('select pg_advisory_xact_lock(hashtextextended($1, 0))', [
      request.reference,
    ]);
    const earlier = await client.query<PlacedOrder>(
      `select id::integer, reference, total_cents as "totalCents" from orders where reference = $1`,
      [request.reference],
    );
    if (earlier.rows[0]) return earlier.rows[0];

    const customer = await client.query('select 1 from customers where id = $1', [
      request.customerId,
    ]);
    if (customer.rowCount === 0) throw new OrderRefused(`No customer ${request.customerId}.`);

    const lines: { productId: number; quantity: number; priceCents: number }[] = [];
    for (const { productId, quantity } of request.items) {
      const taken = await client.query<{ priceCents: number }>(
        `update products set stock = stock - $2 where id = $1 and stock >= $2
         returning price_cents as "priceCents"`,
        [productId, quantity],
      );
      const line = taken.rows[0];
      if (!line)
        throw new OrderRefused(`Product ${productId}: unknown, or fewer than ${quantity} left.`);
      lines.push({ productId, quantity, priceCents: line.priceCents });
    }
    const totalCents = lines.reduce((sum, line) => sum + line.quantity * line.priceCents, 0);
    const { rows } = await client.query<PlacedOrder>(
      `insert into orders (reference, customer_id, total_cents) values ($1, $2, $3)
       returning id::integer, reference, total_cents as "totalCents"`,
      [request.reference, request.customerId, totalCents],
    );
    const order = rows[0];
    if (!order) throw new Error('The order was written, but PostgreSQL returned no row.');
    await client.query(
      `insert into order_items (order_id, product_id, quantity, price_cents)
       select $1, * from unnest($2::bigint[], $3::integer[], $4::integer[])`,
      [
        order.id,
        lines.map((line) => line.productId),
        lines.map((line) => line.quantity),
        lines.map((line) => line.priceCents),
      ],
    );
    await client.query(
      `insert into events (kind, order_id, detail) values ('order placed', $1, $2)`,
      [order.id, JSON.stringify({ customerId: request.customerId, totalCents })],
    );
    return order;
  });
}

export async function findOrder(database: Database, id: number): Promise<Order | undefined> {
  const [order] = await database.read<Order>(
    `select o.id::integer, o.reference, o.customer_id::integer as "customerId", o.status,
            o.total_cents as "totalCents", o.placed_at as "placedAt",
            coalesce(
              (select json_agg(json_build_object('productId', i.product_id,
                                                 'quantity', i.quantity,
                                                 'priceCents', i.price_cents)
                               order by i.product_id)
                 from order_items i where i.order_id = o.id),
              '[]') as items
       from orders o where o.id = $1`,
    [id],
  );
  return order;
}
