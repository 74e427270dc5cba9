-- Prices end in 9 from now on. This really changes rows, and it succeeds.

update products set price_cents = price_cents / 10 * 10 + 9 where price_cents % 10 <> 9;

update shop_schema set version = 2 where version < 2;
