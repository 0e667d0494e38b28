-- Audit: contracts with their services, what of a month is still open, the queue, and what auditors decide.

create table billing.contract_services (
    source          text not null,
    contract        text not null,
    customer        text,
    branch          text,
    service         text not null,
    description     text,
    starts_on       date,
    ends_on         date,
    charged         text not null check (charged in ('monthly', 'usage', 'one_time')),
    expected_amount numeric
);
comment on table billing.contract_services is
    'What contracts are charged for, as the billing system says; read again by every audit';
create index contract_services_contract on billing.contract_services (source, contract, service);

-- The sums that audits compare, once per content of a document: a posted one never changes.
create table billing.document_charges (
    document     bigint    primary key references billing.staged_invoices,
    content_hash bytea     not null,
    services     text[]    not null,
    amounts      numeric[] not null
);
comment on table billing.document_charges is 'What a document charges per service, without tax; lines without a service are left out';
comment on column billing.document_charges.content_hash is 'That of the document when the sums were made';
comment on column billing.document_charges.amounts is 'In the order of services';

create table billing.month_invoices (
    document    bigint      primary key references billing.staged_invoices,
    period      text        not null,
    open_at     timestamptz,
    recorded_at timestamptz
);
comment on table billing.month_invoices is 'Documents of a month that a pending-invoice report has seen';
comment on column billing.month_invoices.open_at is 'The first report that saw the document open; null: it was closed by then';
comment on column billing.month_invoices.recorded_at is
    'The first report that saw it closed, and so an invoice of its month; null: it is still open';
create index month_invoices_open on billing.month_invoices (period) where recorded_at is null;

create table billing.audit_queue (
    id         bigint      generated always as identity primary key,
    source     text        not null,
    period     text        not null,
    document   bigint      references billing.staged_invoices,
    contract   text,
    reference  text        not null generated always as (coalesce(document::text, period || '/' || contract)) stored,
    customer   text,
    branch     text,
    services   text[]      not null,
    findings   jsonb       not null,
    audited_at timestamptz not null default clock_timestamp(),
    unique (source, period, reference)
);
comment on table billing.audit_queue is 'What an auditor looks at, of a month: made again by every audit of the month';
comment on column billing.audit_queue.document is
    'Null where the contract should have been charged and has no document in the month';

create table billing.audit_decisions (
    id          bigint      generated always as identity primary key,
    document    bigint      references billing.staged_invoices,
    source      text        not null,
    period      text        not null,
    contract    text,
    reference   text        not null generated always as (coalesce(document::text, period || '/' || contract)) stored,
    decision    text        not null check (decision in ('approve', 'hold', 'comment')),
    decision_id bigint      not null references billing.decisions,
    file_digest bytea       not null,
    file_row    integer     not null,
    unique (file_digest, file_row),
    -- about a document, or about a contract that has none in the month and so nothing to hold
    constraint audit_decisions_check check (document is not null or (contract is not null and decision <> 'hold'))
);
comment on table billing.audit_decisions is
    'What auditors decided, who and when: append-only; the last approve or hold of a document stands';
comment on column billing.audit_decisions.file_digest is
    'SHA-256 of the imported file: its rows count once, however often it is imported';
create index audit_decisions_reference on billing.audit_decisions (source, reference, id desc);
create trigger append_only before update or delete or truncate on billing.audit_decisions
    for each statement execute function billing.append_only();

create table billing.audit_holds (
    document bigint      primary key references billing.staged_invoices,
    finding  jsonb       not null,
    since    timestamptz not null default clock_timestamp()
);
comment on table billing.audit_holds is 'Documents that an auditor holds now; staging and posting heed it';

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
comment on view billing.audit_list is 'The audit queue with its documents as they are now and the decisions so far';
