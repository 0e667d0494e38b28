-- After a restored backup NetSuite is ahead of our database: what it has under our names, and we have no attempt of.

create table billing.netsuite_looks (
    one boolean primary key default true check (one),
    seen_through bigint not null,
    seen bigint not null,
    looked_at timestamptz not null
);
comment on table billing.netsuite_looks is 'How far NetSuite''s transactions under our names were compared with our attempts';
comment on column billing.netsuite_looks.seen_through is 'Internal id up to which all are known; a query may show a later one first, so it follows `seen` one look behind';

insert into billing.netsuite_looks (seen_through, seen, looked_at)
select coalesce(max(netsuite_id::bigint), 0), coalesce(max(netsuite_id::bigint), 0), clock_timestamp()
from billing.staged_invoices where state = 'posted' and netsuite_id ~ '^[0-9]{1,18}$';

create table billing.found_transactions (
    netsuite_id text primary key,
    external_id text not null,
    kind text,
    type text not null,
    transaction_number text,
    entity text,
    customers text[],
    currency text,
    total numeric,
    tran_date date,
    found_at timestamptz not null default clock_timestamp(),
    decision text check (decision in ('confirmed', 'matched', 'separate')),
    decided_by text check (decided_by ~ '\S'),
    why text check (why ~ '\S'),
    decided_at timestamptz,
    document bigint references billing.staged_invoices,
    constraint decided_by_a_person check (
        (decision is null) = (decided_by is null) and (decision is null) = (why is null)
        and (decision is null) = (decided_at is null)),
    constraint matched_with_its_document check ((decision is not distinct from 'matched') = (document is not null))
);
comment on table billing.found_transactions is 'What NetSuite has under our names although our database has no attempt to post it; nothing is sent before a person confirmed the list';
comment on column billing.found_transactions.external_id is 'In capitals';
comment on column billing.found_transactions.customers is 'The billing system''s customers whom the mapping gives this entity; null where it cannot be told';
comment on column billing.found_transactions.currency is 'ISO 4217 code by the mapping, else NetSuite''s internal id';
comment on column billing.found_transactions.total is 'Without sign, in the currency';
create index found_transactions_external_id on billing.found_transactions (external_id);
create index found_transactions_alike on billing.found_transactions (total, currency, kind);
create trigger never_dropped before delete or truncate on billing.found_transactions
    for each statement execute function billing.append_only();

create view billing.found_without_document as
select f.* from billing.found_transactions as f
where f.decision is distinct from 'separate' and f.document is null and not exists (
    select from billing.staged_invoices as s where s.external_id = f.external_id and s.state <> 'gone');
comment on view billing.found_without_document is 'What was found and no document has its name: renumbered or deleted at the source since';

-- What NetSuite has already is taken over in its own month, closed or not: nothing is sent for it.
create or replace function billing.guard_closed_month() returns trigger language plpgsql as $$
begin
    if exists (select from billing.closed_months where state = 'hard' and period >= new.period) and not exists (
        select from billing.found_transactions as f
        where f.external_id = new.external_id and f.decision in ('confirmed', 'matched')
          and not exists (select from billing.posting_attempts as a where a.document = new.id)
    ) then
        raise exception 'document % % belongs to %, which is closed', new.kind, new.number, new.period
            using errcode = 'check_violation';
    end if;
    return new;
end
$$;
