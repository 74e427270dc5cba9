-- Believable data for the shop, the same every time but for the dates, which end today.
-- For psql, with a size:  psql --set=megabytes=100 --file=data.sql
-- All tables and indexes together take about that much disk.

begin;

-- One of the choices by a multiplicative hash: neighbours differ, lists combine freely.
create function pg_temp.picked(choices text[], number bigint) returns text
  language sql immutable parallel safe
  return choices[1 + ((number * 2654435761) % 4294967296 / 65536 % cardinality(choices))::integer];

create function pg_temp.spread(number bigint, below bigint) returns integer
  language sql immutable parallel safe
  return ((number * 2246822519) % 4294967296 / 4096 % below)::integer;

insert into customers (name, email, country, registered_at)
select first || ' ' || last,
       lower(first || '.' || last) || '.' || n || '@example.org',
       country,
       current_date - pg_temp.spread(n, 1500) * interval '1 day'
  from (
    select n,
           pg_temp.picked(array['Ada', 'Bo', 'Chen', 'Dana', 'Elif', 'Femi', 'Grete', 'Hugo',
                                'Ines', 'Jon', 'Kaya', 'Lea', 'Mio', 'Nia', 'Oskar'], n) as first,
           pg_temp.picked(array['Adler', 'Brandt', 'Costa', 'Diallo', 'Fischer', 'Garcia', 'Haas',
                                'Ito', 'Jensen', 'Lind', 'Moreau', 'Novak'], 31 * n) as last,
           pg_temp.picked(array['DE', 'DE', 'DE', 'AT', 'CH', 'FR', 'GB', 'NL'], 17 * n) as country
      from generate_series(1, 1000 + 100 * :megabytes) as n
  ) as people;

-- A few registered a second time, with another spelling of the same address.
insert into customers (name, email, country, registered_at)
select name, initcap(email), country, registered_at + interval '90 days'
  from customers where id % 500 = 0 order by id;

insert into products (name, description, price_cents, stock)
select pg_temp.picked(array['Blue', 'Small', 'Folding', 'Wooden', 'Warm', 'Quiet', 'Round'], n)
         || ' '
         || pg_temp.picked(array['lamp', 'chair', 'kettle', 'bag', 'clock', 'blanket'], 13 * n)
         || ' no. ' || n,
       'Made to last. Weighs ' || 100 + pg_temp.spread(n, 5000) || ' g, comes in a box of its own, '
         || 'and goes well with no. ' || 1 + n % 200 || '.',
       95 + pg_temp.spread(7 * n, 20000),
       1000000
  from generate_series(1, 200 + 10 * :megabytes) as n;

insert into orders (reference, customer_id, total_cents, status, placed_at)
select md5('order ' || n)::uuid,
       1 + pg_temp.spread(n, (select count(*) from customers)),
       1,
       'paid',
       current_date - interval '1 minute' * (n * 1576800.0 / (400 * :megabytes))::bigint
  from generate_series(400 * :megabytes, 1, -1) as n;

insert into order_items (order_id, product_id, quantity, price_cents)
select o.id, p.id, 1 + pg_temp.spread(o.id + k, 3), p.price_cents
  from orders o
 cross join lateral generate_series(1, 1 + o.id % 4) as k
  join products p on p.id = 1 + (o.id * 37 + k * 11) % (200 + 10 * :megabytes);

insert into events (happened_at, kind, order_id, detail)
select o.placed_at + (k - 1) * interval '4 hours',
       (array['order placed', 'order paid', 'mail sent', 'parcel packed', 'parcel shipped',
              'parcel scanned', 'parcel delivered'])[k],
       o.id,
       jsonb_build_object(
         'customerId', o.customer_id,
         'agent', pg_temp.picked(array['web/5.1', 'app/2.9', 'desk/1.0'], o.id),
         'trace', md5(o.id::text || k),
         'note', 'step ' || k || ' of 7, taken in good order')
  from orders o cross join generate_series(1, 7) as k
 where o.placed_at + (k - 1) * interval '4 hours' <= current_date
 order by o.id, k;

update orders o
   set total_cents = (select sum(quantity * price_cents) from order_items where order_id = o.id);

commit;

-- What daily business leaves behind for a maintenance window: dead rows.
update orders set status = 'shipped' where placed_at < current_date - interval '14 days';
delete from events where kind = 'mail sent' and order_id % 3 = 0;
