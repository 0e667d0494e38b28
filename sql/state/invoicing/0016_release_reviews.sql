-- What is looked at before release: the sample of a batch, and an address that changed since the last bill.

alter table billing.bill_groups add column review_samples boolean not null default false;
comment on column billing.bill_groups.review_samples is
    'Whether a batch is issued only when a person has reviewed what was drawn of it';
alter table billing.accounts add column address_since date;
comment on column billing.accounts.address_since is 'Since when its mailing address is this one; null: not known';
create index utility_invoices_group on billing.utility_invoices (bill_group) where number is not null;
