-- Staging: how far the billing system was read, what its months came to, and credit memos with what they wait for.

create table billing.watermarks (
    source                 text        primary key,
    last_successful_run_at timestamptz not null
);
comment on table billing.watermarks is 'Per source: the clock of the billing database when the last successful staging began';

create table billing.staging_runs (
    id          bigint      generated always as identity primary key,
    source      text        not null,
    run_id      text        not null,
    since       timestamptz,
    watermark   timestamptz not null,
    finished_at timestamptz not null default clock_timestamp(),
    counts      jsonb       not null
);
comment on table billing.staging_runs is 'Each staging that ended well, and how many documents were new, changed, held and so on';
comment on column billing.staging_runs.since is 'Documents created since then were read as new ones; null: all';
create index staging_runs_latest on billing.staging_runs (source, id desc);


-- Months as the billing system adds them up

-- A document that appears with an old creation date, or changes long after it was posted, shows by the totals of its month.
create table billing.compared_months (
    source      text        not null,
    month       text        not null check (month ~ '^([0-9]{4}-(0[1-9]|1[0-2]))?$'),
    tallies     jsonb       not null,
    unexplained jsonb       not null,
    compared_at timestamptz not null default clock_timestamp(),
    primary key (source, month)
);
comment on table billing.compared_months is
    'By month of the document date (empty: none that can be read): its totals when it was last compared';
comment on column billing.compared_months.tallies is 'What the billing system counted and added up, by status';
comment on column billing.compared_months.unexplained is
    'By how much that differed from staging although all documents of the month had been compared, e.g. for one that is '
    'held as it cannot be read';

create table billing.full_comparisons (
    source      text        primary key,
    compared_at timestamptz not null
);
comment on table billing.full_comparisons is 'When every document of the months that are not closed for good was last compared';


-- Credit memos

create function billing.credited_source(source text) returns text language sql immutable parallel safe as
    $$ select regexp_replace(source, '/corrections$', '') $$;
comment on function billing.credited_source is
    'The source whose invoices a credit memo of this source is applied to: corrections are of a source of their own';

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
                    'no finding says why') as codes
    from billing.staged_invoices as s
    where s.source = billing.credited_source(c.source) and s.kind = 'invoice' and s.number = a.value ->> 0
    order by s.state = 'posted' desc, s.state in ('gone', 'excluded'), s.id desc limit 1) as t on true
where c.state in ('ready', 'held') and c.applications is not null
  and (c.state = 'ready' or c.findings @> '[{"code": "CREDIT_TARGET_UNKNOWN"}]')
  and t.state is distinct from 'posted';
comment on view billing.waiting_credits is
    'Credit memos that wait for an invoice: one row for each invoice that is not in NetSuite, and why it is not';

create view billing.kept_back_credits as
select id, period, string_agg(invoice || ': ' || why, ' ' order by invoice) as why
from billing.waiting_credits where state = 'ready'
group by id, period
having bool_or(coalesce(invoice_state, '') not in ('ready', 'batched', 'locked', 'posting'));
comment on view billing.kept_back_credits is
    'Credit memos that are ready and wait for an invoice that is not on its way itself, and for which';

create table billing.proposed_credit_memos (
    id           bigint      generated always as identity primary key,
    document     bigint      not null references billing.staged_invoices,
    total        numeric     not null,
    proposed_at  timestamptz not null default clock_timestamp(),
    decision     text        check (decision in ('confirmed', 'declined', 'withdrawn')),
    decision_id  bigint      references billing.decisions,
    withdrawn_at timestamptz,
    correction   bigint      references billing.staged_invoices,
    constraint decided_by_a_person check (
        coalesce(decision in ('confirmed', 'declined'), false) = (decision_id is not null)),
    constraint withdrawn_by_staging check ((decision is not distinct from 'withdrawn') = (withdrawn_at is not null)),
    constraint confirmed_with_its_document check ((decision is not distinct from 'confirmed') = (correction is not null))
);
comment on table billing.proposed_credit_memos is
    'Invoices that were voided after they were posted, and what a person decided: nothing is sent unless confirmed';
comment on column billing.proposed_credit_memos.total is 'Of the credit memo: the whole invoice with its sign turned';
comment on column billing.proposed_credit_memos.decision is
    'Null: a person has still to decide. Withdrawn: the void was taken back first';
comment on column billing.proposed_credit_memos.withdrawn_at is 'When staging saw that the void was taken back';
comment on column billing.proposed_credit_memos.correction is 'The credit memo that was made, once confirmed';
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
    coalesce(p.decision, 'proposed') as decision,
    coalesce(w.decided_by, case when p.withdrawn_at is not null then 'staging' end) as decided_by,
    coalesce(w.decided_at, p.withdrawn_at) as decided_at,
    coalesce(w.why, case when p.withdrawn_at is not null then 'The void was taken back in the billing system.' end) as why,
    c.number as correction, c.state as correction_state, c.period as correction_period
from billing.proposed_credit_memos as p
join billing.staged_invoices as d on d.id = p.document
left join billing.decisions as w on w.id = p.decision_id
left join billing.staged_invoices as c on c.id = p.correction;
comment on view billing.corrections is 'Proposed credit memos for invoices voided after posting, with what became of each';
