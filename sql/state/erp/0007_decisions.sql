-- What people decided: who, when, from where and why. One log for all rooms; their tables name the decision.

create table billing.decisions (
    id bigint generated always as identity primary key,
    subject text not null check (subject ~ '^[a-z_]+$'),
    reference text not null,
    decision text not null,
    decided_by text not null check (decided_by ~ '\S'),
    why text not null,
    decided_from text not null check (decided_from ~ '\S'),
    decided_at timestamptz not null default clock_timestamp(),
    checks bigint unique,
    made_by text,
    unique (id, decided_by),
    constraint says_why check (why ~ '\S' or subject in ('late_fee', 'collection_stop', 'audit')),
    constraint checks_a_decision foreign key (checks, made_by) references billing.decisions (id, decided_by) match full,
    constraint checked_by_another check (lower(btrim(made_by)) is distinct from lower(btrim(decided_by)))
);
comment on table billing.decisions is 'What people decided, who, when, from where and why; append-only';
comment on column billing.decisions.subject is 'What kind of thing was decided about: month, drift, difference, …';
comment on column billing.decisions.reference is 'Which one: a month, the kind and number of a document, …';
comment on column billing.decisions.decided_from is 'User and machine, the file, or the journal';
comment on column billing.decisions.checks is 'The decision that this one checks, where two people are needed';
comment on column billing.decisions.made_by is 'Who made the decision that is checked: never the same person';
create index decisions_reference on billing.decisions (subject, reference);
create trigger append_only before update or delete or truncate on billing.decisions
    for each statement execute function billing.append_only();

alter table billing.month_closings
    drop column acted_by, drop column why, drop column acted_at,
    add column decision_id bigint not null references billing.decisions;
comment on table billing.month_closings is 'What was done to a month, on which figures; append-only';
comment on column billing.month_closings.decision_id is 'Who did it, when and why';
comment on column billing.month_closings.taken_from_journal_at is
    'When the row was taken in again from the journal, after an earlier database had been put back; the decision has its own time';

alter table billing.accepted_drifts
    drop column accepted_by, drop column why, drop column accepted_at,
    add column decision_id bigint not null references billing.decisions;

alter table billing.accepted_differences
    drop column decided_by, drop column why, drop column decided_at,
    add column decision_id bigint not null references billing.decisions;

-- Of a voided invoice's credit memo: confirmed or declined by a person, or withdrawn as the void was taken back.
drop view billing.corrections;
alter table billing.proposed_credit_memos
    drop column decided_by, drop column decided_at, drop column why,
    add column decision_id bigint references billing.decisions,
    add column withdrawn_at timestamptz,
    add constraint decided_by_a_person check (coalesce(decision in ('confirmed', 'declined'), false) = (decision_id is not null)),
    add constraint withdrawn_by_staging check ((decision is not distinct from 'withdrawn') = (withdrawn_at is not null));
comment on column billing.proposed_credit_memos.withdrawn_at is 'When staging saw that the void was taken back';
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

-- Of a transaction that was found in NetSuite.
drop view billing.found_without_document;
drop view billing.found_here;
alter table billing.found_transactions
    drop column decided_by, drop column why, drop column decided_at,
    add column decision_id bigint references billing.decisions,
    add constraint decided_by_a_person check ((decision is null) = (decision_id is null));
create view billing.found_here as
select netsuite_id, external_id, kind, type, transaction_number, entity, customers, currency, total, tran_date, found_at,
    decision, decision_id, document
from billing.found_transactions where left_at is null;
comment on view billing.found_here is 'What was found in the account that the database belongs to now';
create view billing.found_without_document as
select f.* from billing.found_here as f
where f.decision is distinct from 'separate' and f.document is null and not exists (
    select from billing.staged_invoices as s where s.external_id = f.external_id and s.state <> 'gone');
comment on view billing.found_without_document is 'What was found and no document has its name: renumbered or deleted at the source since';

-- Of a late fee.
alter table billing.late_fees
    drop column decided_by, drop column decided_at, drop column why,
    add column decision_id bigint references billing.decisions,
    add constraint decided_by_somebody check ((state = 'proposed') = (decision_id is null));

-- Of a stop: who noted it and why. That it was ended is a decision about it, too.
alter table billing.collection_stops
    drop column noted_by, drop column noted_at, drop column note,
    add column decision_id bigint not null references billing.decisions;

-- Of an auditor; the comment is the reason.
drop view billing.audit_list;
alter table billing.audit_decisions
    drop column comment, drop column decided_by, drop column decided_at,
    add column decision_id bigint not null references billing.decisions;
create view billing.audit_list as
select
    q.reference, q.source, q.period, q.document, d.kind, d.number, d.status, d.state, d.document_date,
    current_date - coalesce(d.document_date, (q.period || '-01')::date) as age_days,
    q.branch, q.contract, q.customer, q.services, d.currency, d.total, q.findings, q.audited_at,
    s.decision, l.comment, l.decided_by, l.decided_at
from billing.audit_queue as q
left join billing.staged_invoices as d on d.id = q.document
left join lateral (
    select w.why as comment, w.decided_by, w.decided_at
    from billing.audit_decisions as a join billing.decisions as w on w.id = a.decision_id
    where a.source = q.source and a.reference = q.reference order by a.id desc limit 1) as l on true
left join lateral (
    select a.decision from billing.audit_decisions as a
    where a.source = q.source and a.reference = q.reference and a.decision <> 'comment'
    order by a.id desc limit 1) as s on true;
comment on view billing.audit_list is 'The audit queue with its documents as they stand now and the decisions so far';

-- After a restore, and where the database belongs to something else by a person's word.
alter table billing.restore_confirmations
    drop column confirmed_by, drop column why, drop column confirmed_at,
    add column decision_id bigint not null references billing.decisions;
comment on table billing.restore_confirmations is 'What a person confirmed after a restore; append-only';

alter table billing.bindings
    drop column decided_by, drop column why,
    add column decision_id bigint references billing.decisions;
comment on column billing.bindings.decision_id is 'Who moved it there and why; null: a run bound it, or the schema found it';
