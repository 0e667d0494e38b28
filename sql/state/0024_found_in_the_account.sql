-- Internal ids begin again in another account: what was found in one says nothing of the transactions of the next.

alter table billing.found_transactions add column left_at timestamptz;
comment on column billing.found_transactions.left_at is 'When the account that has it was moved away from; null: it is in the one that the database belongs to';
alter table billing.found_transactions drop constraint found_transactions_pkey;
create unique index found_transactions_netsuite_id on billing.found_transactions (netsuite_id) where left_at is null;

-- What a move before this migration left behind: the history of bindings knows when.
update billing.found_transactions as f set left_at = b.bound_at
from (
    select max(bound_at) as bound_at from billing.bindings
    where subject in ('account', 'host') and decided_by is not null and decided_by <> 'billing --sample'
) as b
where f.found_at < b.bound_at;

create view billing.found_here as
select netsuite_id, external_id, kind, type, transaction_number, entity, customers, currency, total, tran_date, found_at,
    decision, decided_by, why, decided_at, document
from billing.found_transactions where left_at is null;
comment on view billing.found_here is 'What was found in the account that the database belongs to now';

create or replace view billing.found_without_document as
select f.* from billing.found_here as f
where f.decision is distinct from 'separate' and f.document is null and not exists (
    select from billing.staged_invoices as s where s.external_id = f.external_id and s.state <> 'gone');

create or replace function billing.guard_closed_month() returns trigger language plpgsql as $$
begin
    if exists (select from billing.closed_months where state = 'hard' and period >= new.period) and not exists (
        select from billing.found_here as f
        where f.external_id = new.external_id and f.decision in ('confirmed', 'matched')
          and not exists (select from billing.posting_attempts as a where a.document = new.id)
    ) then
        raise exception 'document % % belongs to %, which is closed', new.kind, new.number, new.period
            using errcode = 'check_violation';
    end if;
    return new;
end
$$;
