import type { Database } from './database.ts';

export type Product = {
  id: number;
  name: string;
  description: string;
  priceCents: number;
  stock: number;
};

const columns = 'id::integer, name, description, price_cents as "priceCents", stock';

/** The first products of the catalogue, by name. */
export function listProducts(database: Database): Promise<Product[]> {
  return database.read<Product>(`select ${columns} from products order by name, id limit 50`);
}

export async function findProduct(database: Database, id: number): Promise<Product | undefined> {
  const [product] = await database.read<Product>(`select ${columns} from products where id = $1`, [
    id,
  ]);
  return product;
}
