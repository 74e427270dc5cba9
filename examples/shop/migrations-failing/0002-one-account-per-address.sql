-- One account for each e-mail address. This fails: some customers registered a second time with
-- another spelling of their address, which nobody thought of.

update customers set country = 'GB' where country = 'UK';

create unique index customers_email on customers (lower(email));

update shop_schema set version = 3 where version < 3;
