-- What NetSuite has under our external id, but not as it was sent, is a state of its own. Attempts keep what they sent.

-- In the order of those who write: whoever is at work meanwhile is waited for, and never waits for us in a circle.
lock table billing.staged_invoices, billing.posting_attempts, billing.archived_attempts in access exclusive mode;

insert into billing.state_transitions (old_state, new_state)
values ('posting', 'differs'), ('differs', 'posted'), ('differs', 'rejected');

alter table billing.staged_invoices
    drop constraint staged_invoices_state_check,
    drop constraint sent_in_a_batch,
    drop constraint one_copy;
alter table billing.staged_invoices
    add constraint staged_invoices_state_check check (state in
        ('open', 'held', 'excluded', 'ready', 'batched', 'locked', 'posting', 'posted', 'rejected', 'differs', 'gone')),
    add constraint sent_in_a_batch check (
        state not in ('batched', 'locked', 'posting', 'posted', 'rejected', 'differs') or batch is not null),
    add constraint one_copy exclude using btree (external_id with =)
        where (state in ('ready', 'batched', 'locked', 'posting', 'posted', 'rejected', 'differs')) deferrable;

drop index billing.staged_invoices_batch;
create index staged_invoices_batch on billing.staged_invoices (batch, id)
    where state in ('batched', 'locked', 'posting', 'rejected', 'differs');
create index staged_invoices_differs on billing.staged_invoices (source, id) where state = 'differs';

-- What is in NetSuite never changes with us, whether it is there as it was sent or not.
create or replace function billing.guard_document() returns trigger language plpgsql as $$
begin
    if old.state <> new.state then
        if not exists (
            select 1 from billing.state_transitions as t where t.old_state = old.state and t.new_state = new.state
        ) then
            raise exception 'document % % may not go from % to %', old.kind, old.number, old.state, new.state
                using errcode = 'check_violation';
        end if;
        new.state_since := clock_timestamp();
    end if;
    if old.state in ('posted', 'differs') and (
        (new.source, new.document_id, new.kind, new.number, new.status, new.document_date, new.period, new.customer,
         new.branch, new.currency, new.applies_to, new.total, new.line_count, new.lines, new.content_hash,
         new.external_id, new.batch)
        is distinct from
        (old.source, old.document_id, old.kind, old.number, old.status, old.document_date, old.period, old.customer,
         old.branch, old.currency, old.applies_to, old.total, old.line_count, old.lines, old.content_hash,
         old.external_id, old.batch)
        or old.state = 'posted' and (new.netsuite_id, new.posted_at, new.epoch)
            is distinct from (old.netsuite_id, old.posted_at, old.epoch)
    ) then
        raise exception 'document % % is in NetSuite and never changes', old.kind, old.number
            using errcode = 'check_violation';
    end if;
    return new;
end
$$;

alter table billing.posting_attempts add column payload bytea;
alter table billing.archived_attempts add column payload bytea;
comment on column billing.posting_attempts.payload is 'The request body as it was sent; null in attempts of earlier versions';

alter table billing.staged_invoices add column unproven boolean not null default false;
comment on column billing.staged_invoices.unproven is 'NetSuite had it before any attempt that we know of, and its lines could not be compared';

-- What an earlier version called rejected although NetSuite has it; the next look-up gives it NetSuite's id.
alter table billing.staged_invoices disable trigger guard_document;
update billing.staged_invoices as d set state = 'differs', state_since = clock_timestamp(), difference = o.detail
from (
    select r.id, l.outcome, l.detail
    from billing.staged_invoices as r
    cross join lateral (
        select p.outcome, p.detail
        from billing.posting_attempts as a join billing.posting_outcomes as p on p.attempt = a.id
        where a.document = r.id order by p.id desc limit 1) as l
    where r.state = 'rejected') as o
where d.id = o.id and o.outcome = 'conflict';
alter table billing.staged_invoices enable trigger guard_document;

create table billing.accepted_differences (
    id bigint generated always as identity primary key,
    document bigint not null references billing.staged_invoices,
    netsuite_id text not null,
    difference text not null,
    found jsonb not null,
    decision text not null check (decision in ('accepted', 'credited')),
    decided_by text not null check (decided_by ~ '\S'),
    why text not null check (why ~ '\S'),
    decided_at timestamptz not null default clock_timestamp()
);
comment on table billing.accepted_differences is 'Transactions in NetSuite that a person answers for although they are not as they were sent; append-only';
comment on column billing.accepted_differences.found is 'What NetSuite had when it was decided: it counts only as long as that is the same';
create index accepted_differences_document on billing.accepted_differences (document);
create trigger append_only before update or delete or truncate on billing.accepted_differences
    for each statement execute function billing.append_only();

create or replace view billing.document_totals as
with counted as (  -- each branch by its partial index
    select source, period, state, kind, currency, 1 as documents, total from billing.staged_invoices
    where state in ('open', 'held', 'excluded', 'ready', 'batched', 'rejected')
    union all
    select source, period, state, kind, currency, 1, total from billing.staged_invoices
    where state in ('locked', 'posting')
    union all
    select source, period, state, kind, currency, 1, total from billing.staged_invoices where state = 'differs'
    union all
    select source, period, state, kind, currency, 1, total from billing.staged_invoices where state = 'gone'
    union all
    select source, period, 'posted', kind, currency, documents, total from billing.posted_totals)
select source, period, state, kind, currency, sum(documents)::bigint as documents, coalesce(sum(total), 0) as total
from counted group by 1, 2, 3, 4, 5;

create or replace view billing.waiting_credits as
select
    c.id, c.source, c.number, c.period, c.branch, c.currency, c.total, c.state, c.state_since as since,
    a.value ->> 0 as invoice, t.state as invoice_state, t.batch as invoice_batch,
    case t.state
        when 'open' then 'The invoice is not closed yet in the billing system.'
        when 'held' then 'The invoice is held: ' || t.codes || '.'
        when 'excluded' then 'The invoice has nothing to bill: ' || t.codes || '.'
        when 'ready' then 'The invoice waits for a batch.'
        when 'batched' then 'The invoice waits in batch ' || t.batch || '.'
        when 'locked' then 'The invoice is about to be sent in batch ' || t.batch || '.'
        when 'posting' then 'The invoice was sent in batch ' || t.batch || ', and its outcome is not known yet.'
        when 'rejected' then 'NetSuite refused the invoice in batch ' || t.batch || '; `billing rejected` says why.'
        when 'differs' then 'NetSuite has the invoice, but not as it was sent; `billing differs list` says how.'
        when 'gone' then case t.status when 'void' then 'The invoice was voided before it was posted.'
                         else 'The invoice disappeared from the billing system before it was posted.' end
        else 'No invoice with this number is staged.'
    end as why
from billing.staged_invoices as c
cross join lateral jsonb_array_elements(c.applications) as a
left join lateral (  -- of several with one number, the one that may yet be posted
    select s.state, s.status, s.batch,
           coalesce((select string_agg(distinct f ->> 'code', ', ') from jsonb_array_elements(s.findings) as f),
                    'nobody says why') as codes
    from billing.staged_invoices as s
    where s.source = billing.credited_source(c.source) and s.kind = 'invoice' and s.number = a.value ->> 0
    order by s.state = 'posted' desc, s.state in ('gone', 'excluded'), s.id desc limit 1) as t on true
where c.state in ('ready', 'held') and c.applications is not null
  and (c.state = 'ready' or c.findings @> '[{"code": "CREDIT_TARGET_UNKNOWN"}]')
  and t.state is distinct from 'posted';
