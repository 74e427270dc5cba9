-- The buyers ask daily what was sold.

create view product_sales as
select p.id as product_id,
       p.name,
       o.currency,
       sum(i.quantity) as pieces,
       sum(i.quantity * i.price_cents) as total_cents
  from products p
  join order_items i on i.product_id = p.id
  join orders o on o.id = i.order_id
 group by p.id, p.name, o.currency;

update shop_schema set version = 3 where version < 3;
