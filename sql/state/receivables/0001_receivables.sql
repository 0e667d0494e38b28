-- What customers owe, as last read; the stops that keep an invoice out of collection; late fees as proposals.

create table billing.open_receivables (
    source         text        not null,
    transaction_id text        not null,
    kind           text        not null check (kind in ('invoice', 'credit_memo', 'payment')),
    number         text        not null,
    external_id    text,
    customer       text        not null,
    branch         text        not null,
    currency       text        not null,
    document_date  date        not null,
    due_date       date        not null,
    total          numeric     not null,
    open_amount    numeric     not null,
    read_at        timestamptz not null,
    primary key (source, transaction_id)
);
comment on table billing.open_receivables is 'Open invoices, and credit memos and payments that are not used up, as last read';
comment on column billing.open_receivables.source is '`netsuite`, or the name of the billing system where balances come from it';
comment on column billing.open_receivables.transaction_id is 'NetSuite''s internal id, or the billing system''s document id';
comment on column billing.open_receivables.number is 'The number in billing where we know it, else NetSuite''s transaction number';
comment on column billing.open_receivables.open_amount is 'Signed as total: credit memos and payments are negative';
create index open_receivables_customer on billing.open_receivables (customer);
create index open_receivables_due on billing.open_receivables (due_date) where kind = 'invoice';

create table billing.receivables_runs (
    id             bigint      generated always as identity primary key,
    source         text        not null,
    run_id         text        not null,
    read_at        timestamptz not null,
    finished_at    timestamptz not null default clock_timestamp(),
    counts         jsonb       not null,
    proposed_as_of date
);
comment on table billing.receivables_runs is 'Each reading of the balances: what was open per kind and currency, ours and from elsewhere';
comment on column billing.receivables_runs.proposed_as_of is 'The day for which late fees were proposed from this reading, the latest one';

create table billing.collection_stops (
    id          bigint generated always as identity primary key,
    customer    text   not null,
    number      text,
    reason      text   not null check (reason in ('dispute', 'payment_plan', 'other')),
    starts_on   date   not null,
    ends_on     date   check (ends_on >= starts_on),
    decision_id bigint not null references billing.decisions
);
comment on table billing.collection_stops is
    'No reminder and no late fee while one is in force, for one invoice or (number is null) all of a customer';
create index collection_stops_customer on billing.collection_stops (customer);

create table billing.late_fees (
    id                bigint      generated always as identity primary key,
    invoice           text        not null unique,
    source            text        not null,
    transaction_id    text        not null,
    number            text        not null,
    customer          text        not null,
    branch            text        not null,
    currency          text        not null,
    rule              text        not null,
    percent           numeric     not null,
    due_date          date        not null,
    penalised_balance numeric     not null check (penalised_balance > 0),
    fee               numeric     not null check (fee > 0),
    as_of             date        not null,
    state             text        not null default 'proposed' check (state in ('proposed', 'approved', 'declined')),
    proposed_at       timestamptz not null default clock_timestamp(),
    decision_id       bigint      references billing.decisions,
    exported_at       timestamptz,
    constraint decided_by_somebody check ((state = 'proposed') = (decision_id is null)),
    constraint exported_when_approved check (exported_at is null or state = 'approved')
);
comment on table billing.late_fees is 'Proposed penalties for late payment: one per invoice for ever, never posted by us';
comment on column billing.late_fees.invoice is 'External id of the invoice where we know it, else source and transaction id';
comment on column billing.late_fees.due_date is 'The day by which the rule wants the invoice paid, not earlier than the one on it';
create index late_fees_proposed on billing.late_fees (id) where state = 'proposed';

create function billing.guard_late_fee() returns trigger language plpgsql as $$
begin
    if old.state <> 'proposed' and (to_jsonb(new) - 'exported_at') is distinct from (to_jsonb(old) - 'exported_at') then
        raise exception 'the late fee on % is %, and that never changes', old.number, old.state using errcode = 'check_violation';
    end if;
    if tg_op = 'DELETE' then
        return old;
    end if;
    return new;
end
$$;
create trigger guard_late_fee before update or delete on billing.late_fees
    for each row execute function billing.guard_late_fee();
