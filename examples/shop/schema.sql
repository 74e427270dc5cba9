-- The shop's tables, as of its first release. Later changes are in migrations/.

create table shop_schema (
  version integer not null
);
comment on table shop_schema is 'One row: the version that the migrations brought the schema to.';
insert into shop_schema (version) values (1);

create table customers (
  id bigint generated always as identity primary key,
  name text not null,
  email text not null,
  country char(2) not null,
  registered_at timestamptz not null default now()
);

create table products (
  id bigint generated always as identity primary key,
  name text not null,
  description text not null,
  price_cents integer not null check (price_cents > 0),
  stock integer not null check (stock >= 0)
);

create table orders (
  id bigint generated always as identity primary key,
  -- Given by whoever places the order, so that placing it twice makes one order.
  reference uuid not null unique,
  customer_id bigint not null references customers (id),
  status text not null default 'placed' check (status in ('placed', 'paid', 'shipped')),
  total_cents integer not null check (total_cents > 0),
  placed_at timestamptz not null default now()
);

create table order_items (
  order_id bigint not null references orders (id),
  product_id bigint not null references products (id),
  quantity integer not null check (quantity > 0),
  price_cents integer not null,
  primary key (order_id, product_id)
);

-- The audit log: what happened, for ever, and therefore most of the bytes.
create table events (
  id bigint generated always as identity primary key,
  happened_at timestamptz not null default now(),
  kind text not null,
  order_id bigint,
  detail jsonb not null default '{}'
);
create index events_happened_at on events (happened_at);
