-- Runs that Dagster was asked for, so that the next look neither forgets a batch nor asks at once again; and service points
-- that another issuer bills.

alter table billing.invoice_batches
    add column asked_for integer     not null default 0,
    add column asked_at  timestamptz,
    add column asked_on  date;
update billing.invoice_batches set asked_at = clock_timestamp();
create index invoice_batches_never_asked on billing.invoice_batches (id) where asked_at is null;
comment on column billing.invoice_batches.asked_for is 'How often a run was asked for';
comment on column billing.invoice_batches.asked_at is 'When last; null: never';
comment on column billing.invoice_batches.asked_on is 'On which business day: what is in review is tried once a night';
create index batch_members_account on billing.batch_members (account, point, id);

create table billing.billed_elsewhere (
    id          bigint      generated always as identity primary key,
    point       text        not null check (point ~ '\S'),
    valid_from  date        not null,
    valid_until date,
    issuer      text        not null check (issuer ~ '\S'),
    recorded_at timestamptz not null default clock_timestamp(),
    replaced_at timestamptz,
    constraint begins_before_it_ends check (valid_until > valid_from)
);
comment on table billing.billed_elsewhere is
    'Service points whose usage is metered here and billed by another issuer, by agreement; we never bill these days';
create unique index billed_elsewhere_now on billing.billed_elsewhere (point, valid_from) where replaced_at is null;
create trigger guard before update on billing.billed_elsewhere
    for each row execute function billing.guard_master_data();
create trigger never_dropped before delete or truncate on billing.billed_elsewhere
    for each statement execute function billing.append_only();
