-- Credit memos: what each is applied to and was applied to, which of them wait for an invoice and why, and the credit
-- memos that correct invoices which were voided after they had been posted.

alter table billing.staged_invoices add column applications jsonb;
alter table billing.staged_invoices add column applied jsonb;
comment on column billing.staged_invoices.applications is 'What a credit memo is applied to: array of [invoice number, amount or null for as much as is open]';
comment on column billing.staged_invoices.applied is 'What was sent to be applied: array of [invoice number, amount], never more than was open; null where nothing was to be';

-- Each by its partial index; what is posted was applied in the old way. A version that still runs elsewhere may write
-- more of them: their next staging by this one sees it.
update billing.staged_invoices set applications = jsonb_build_array(jsonb_build_array(applies_to, null))
where state in ('open', 'held', 'excluded', 'ready', 'batched', 'rejected') and kind = 'credit_memo' and applies_to is not null;
update billing.staged_invoices set applications = jsonb_build_array(jsonb_build_array(applies_to, null))
where state in ('locked', 'posting') and kind = 'credit_memo' and applies_to is not null;

create function billing.guard_applications() returns trigger language plpgsql as $$
begin
    raise exception 'document % % is posted and never changes', old.kind, old.number using errcode = 'check_violation';
end
$$;
create trigger guard_applications before update on billing.staged_invoices for each row
    when (old.state = 'posted' and (old.applications is distinct from new.applications or old.applied is distinct from new.applied))
    execute function billing.guard_applications();

create index staged_invoices_credits on billing.staged_invoices (id) where state in ('ready', 'held') and applications is not null;
create index staged_invoices_applied on billing.staged_invoices (id) where applied is not null;
-- Voided before they were posted: in the source they are still there, and a void may be taken back.
create index staged_invoices_voided on billing.staged_invoices (source, id) where state = 'gone' and status = 'void';

create function billing.credited_source(source text) returns text language sql immutable parallel safe as
    $$ select regexp_replace(source, '/corrections$', '') $$;
comment on function billing.credited_source is 'The source whose invoices a credit memo of this source is applied to: corrections are of a source of their own';

create view billing.waiting_credits as
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
comment on view billing.waiting_credits is 'Credit memos that wait for an invoice: one row for each invoice that is not in NetSuite, and why it is not';

create table billing.proposed_credit_memos (
    id bigint generated always as identity primary key,
    document bigint not null references billing.staged_invoices,
    total numeric not null,
    proposed_at timestamptz not null default clock_timestamp(),
    decision text check (decision in ('confirmed', 'declined', 'withdrawn')),
    decided_by text,
    decided_at timestamptz,
    why text,
    correction bigint references billing.staged_invoices,
    constraint decided_by_somebody check (
        (decision is null) = (decided_at is null) and (decision is null) = (decided_by is null)
        and (decision is null) = (why is null)),
    constraint confirmed_with_its_document check ((decision is not distinct from 'confirmed') = (correction is not null))
);
comment on table billing.proposed_credit_memos is 'Invoices that were voided after they were posted, and what a person decided: nothing is sent unless confirmed';
comment on column billing.proposed_credit_memos.total is 'Of the credit memo: the whole invoice with its sign turned';
comment on column billing.proposed_credit_memos.decision is 'Null: a person has still to decide. Withdrawn: the void was taken back first';
create unique index proposed_once on billing.proposed_credit_memos (document) where decision is null;
create unique index confirmed_once on billing.proposed_credit_memos (document) where decision = 'confirmed';
create index proposed_credit_memos_document on billing.proposed_credit_memos (document);

create function billing.guard_decision() returns trigger language plpgsql as $$
begin
    raise exception 'what was decided about a proposed credit memo stays' using errcode = 'check_violation';
end
$$;
create trigger guard_decision before update on billing.proposed_credit_memos for each row
    when (old.decision is not null) execute function billing.guard_decision();
create trigger never_dropped before delete or truncate on billing.proposed_credit_memos
    for each statement execute function billing.append_only();

create view billing.corrections as
select
    p.id, d.source, d.number, d.period, d.branch, d.currency, p.total, p.proposed_at,
    coalesce(p.decision, 'proposed') as decision, p.decided_by, p.decided_at, p.why,
    c.number as correction, c.state as correction_state, c.period as correction_period
from billing.proposed_credit_memos as p
join billing.staged_invoices as d on d.id = p.document
left join billing.staged_invoices as c on c.id = p.correction;
comment on view billing.corrections is 'Proposed credit memos for invoices voided after posting, with what became of each';
