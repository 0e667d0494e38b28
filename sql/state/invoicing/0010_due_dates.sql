-- A due date is a business day of the issuer.

alter table billing.bill_groups add column calendar text check (calendar ~ '^[A-Z]{2}(-[A-Z0-9]{1,3})?$');
comment on column billing.bill_groups.calendar is
    'Whose public holidays are no due date, as ISO 3166 names it (AU, AU-NSW); null: only Saturday and Sunday are none';
