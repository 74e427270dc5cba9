-- Orders learn their currency.

alter table orders add column currency char(3) not null default 'EUR';

update shop_schema set version = 2 where version < 2;
