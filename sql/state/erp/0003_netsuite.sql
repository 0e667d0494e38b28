-- Posting to NetSuite: what was tried and what came of it, the archive of that log, and what NetSuite has.

-- The log: append-only, for finance and support

create table billing.posting_attempts (
    id           bigint      generated always as identity primary key,
    document     bigint      not null references billing.staged_invoices,
    batch        text        not null,
    run_id       text        not null,
    epoch        bigint      not null,
    attempt      integer     not null,
    external_id  text        not null,
    payload_hash bytea       not null,
    started_at   timestamptz not null default clock_timestamp(),
    payload      bytea,
    unique (document, attempt)
);
comment on table billing.posting_attempts is 'The intent to post, committed before the request leaves';
comment on column billing.posting_attempts.attempt is 'Counts the attempts of the document';
comment on column billing.posting_attempts.payload is 'The request body as it was sent';
-- The close asks whether a transaction that nothing else names was once sent under that external id.
create index posting_attempts_external_id on billing.posting_attempts (external_id);

create table billing.posting_outcomes (
    id                 bigint      generated always as identity primary key,
    attempt            bigint      not null references billing.posting_attempts,
    run_id             text        not null,
    outcome            text        not null check (outcome in
        ('landed', 'exists', 'found', 'refused', 'conflict', 'retry', 'not_sent', 'unknown', 'absent')),
    http_status        integer,
    code               text,
    path               text,
    detail             text,
    netsuite_id        text,
    transaction_number text,
    seconds            numeric,
    recorded_at        timestamptz not null default clock_timestamp()
);
comment on table billing.posting_outcomes is 'What became of an attempt; several rows when the answer came late';
comment on column billing.posting_outcomes.path is 'The field that NetSuite names in its error';
comment on column billing.posting_outcomes.seconds is 'How long the answer took';
create index posting_outcomes_attempt on billing.posting_outcomes (attempt);


-- The archive: the log of documents that were posted long ago, by the month in which they were, which is detached with one
-- command

create table billing.archived_attempts (
    like billing.posting_attempts,
    posted_at timestamptz not null,
    primary key (document, attempt, posted_at)
) partition by range (posted_at);
comment on table billing.archived_attempts is 'Attempts whose document was posted long ago; partitions by month of posting';

create table billing.archived_outcomes (
    like billing.posting_outcomes,
    posted_at timestamptz not null,
    primary key (attempt, id, posted_at)
) partition by range (posted_at);
comment on table billing.archived_outcomes is 'The outcomes of archived_attempts, in partitions of the same months';

create function billing.open_archive(month date) returns void language plpgsql as $$
declare
    parent text;
    part text;
begin
    foreach parent in array array['archived_attempts', 'archived_outcomes'] loop
        part := parent || to_char(month, '_YYYY_MM');
        if to_regclass('billing.' || part) is null then  -- what is detached has another name
            execute format('create table billing.%I (like billing.%I including indexes)', part, parent);
            execute format('create trigger append_only before update or delete or truncate on billing.%I
                            for each statement execute function billing.append_only()', part);
            -- attached, not created as a partition: readers of the log do not wait
            execute format('alter table billing.%I attach partition billing.%I for values from (%L) to (%L)', parent, part,
                           month::timestamp at time zone 'UTC', (month + interval '1 month') at time zone 'UTC');
        end if;
    end loop;
end
$$;
comment on function billing.open_archive is 'Makes the partitions of a month (its first day) where there are none';

create trigger append_only before update or truncate on billing.posting_attempts
    for each statement execute function billing.append_only();
create trigger append_only before update or truncate on billing.posting_outcomes
    for each statement execute function billing.append_only();
create trigger append_only before update or delete or truncate on billing.archived_attempts
    for each statement execute function billing.append_only();
create trigger append_only before update or delete or truncate on billing.archived_outcomes
    for each statement execute function billing.append_only();

-- One thing may be deleted from the log: what is in the archive, unchanged, of a document that is posted.
create function billing.only_archived_attempts_leave() returns trigger language plpgsql as $$
declare
    posted timestamptz := (select d.posted_at from billing.staged_invoices as d where d.id = old.document and d.state = 'posted');
begin
    if not exists (
        select from billing.archived_attempts as a
        where a.document = old.document and a.attempt = old.attempt and a.posted_at = posted
          and to_jsonb(a) - 'posted_at' = to_jsonb(old)
    ) then
        raise exception '% is append-only: only what is archived leaves', tg_table_name using errcode = 'check_violation';
    end if;
    return old;
end
$$;
create trigger only_archived_leave before delete on billing.posting_attempts
    for each row execute function billing.only_archived_attempts_leave();

create function billing.only_archived_outcomes_leave() returns trigger language plpgsql as $$
declare
    posted timestamptz := (
        select d.posted_at from billing.posting_attempts as a join billing.staged_invoices as d on d.id = a.document
        where a.id = old.attempt and d.state = 'posted');
begin
    if not exists (
        select from billing.archived_outcomes as o
        where o.attempt = old.attempt and o.id = old.id and o.posted_at = posted
          and to_jsonb(o) - 'posted_at' = to_jsonb(old)
    ) then
        raise exception '% is append-only: only what is archived leaves', tg_table_name using errcode = 'check_violation';
    end if;
    return old;
end
$$;
create trigger only_archived_leave before delete on billing.posting_outcomes
    for each row execute function billing.only_archived_outcomes_leave();

create view billing.posting_log as
select
    d.source, d.kind, d.number, a.batch, a.run_id, a.attempt, a.epoch, a.external_id,
    a.started_at, o.recorded_at, o.outcome, o.http_status, o.code, o.path, o.detail,
    coalesce(o.netsuite_id, d.netsuite_id) as netsuite_id,
    coalesce(o.transaction_number, d.transaction_number) as transaction_number,
    o.seconds
from (
    select id, document, batch, run_id, epoch, attempt, external_id, started_at from billing.posting_attempts
    union all
    select id, document, batch, run_id, epoch, attempt, external_id, started_at from billing.archived_attempts
) as a
join billing.staged_invoices as d on d.id = a.document
left join (
    select attempt, outcome, http_status, code, path, detail, netsuite_id, transaction_number, seconds, recorded_at
    from billing.posting_outcomes
    union all
    select attempt, outcome, http_status, code, path, detail, netsuite_id, transaction_number, seconds, recorded_at
    from billing.archived_outcomes
) as o on o.attempt = a.id;
comment on view billing.posting_log is 'Attempts and outcomes of every document, those of the archive included';


-- What NetSuite says about the mapping

-- So that posting need not ask each time.
create table billing.proven_mappings (
    address   text        not null,
    mapping   bytea       not null,
    proven_at timestamptz not null default clock_timestamp(),
    unchecked jsonb       not null default '{}',
    primary key (address, mapping)
);
comment on table billing.proven_mappings is 'Mappings none of whose ids was found to be another record in NetSuite';
comment on column billing.proven_mappings.address is 'The account''s REST address';
comment on column billing.proven_mappings.mapping is 'Digest of the mapping';
comment on column billing.proven_mappings.unchecked is 'What NetSuite did not let us compare: field to reason';


-- Documents that are in NetSuite, but not as they were sent

create table billing.accepted_differences (
    id          bigint      generated always as identity primary key,
    document    bigint      not null references billing.staged_invoices,
    netsuite_id text        not null,
    difference  text        not null,
    found       jsonb       not null,
    decision    text        not null check (decision in ('accepted', 'credited')),
    decision_id bigint      not null references billing.decisions
);
comment on table billing.accepted_differences is
    'Transactions in NetSuite that a person answers for although they are not as they were sent; append-only';
comment on column billing.accepted_differences.found is
    'What NetSuite had when it was decided: it counts only as long as that is the same';
create index accepted_differences_document on billing.accepted_differences (document);
create trigger append_only before update or delete or truncate on billing.accepted_differences
    for each statement execute function billing.append_only();


-- Transactions under our names that we have no attempt of: after a restored backup NetSuite is ahead of our database

create table billing.netsuite_looks (
    one          boolean     primary key default true check (one),
    seen_through bigint      not null,
    seen         bigint      not null,
    looked_at    timestamptz not null
);
comment on table billing.netsuite_looks is
    'How far NetSuite''s transactions under our names were compared with our attempts; at most one row';
comment on column billing.netsuite_looks.seen_through is
    'Internal id up to which all are known; a query may show a later one first, so it follows `seen` one look behind';
insert into billing.netsuite_looks (seen_through, seen, looked_at) values (0, 0, clock_timestamp());

create table billing.found_transactions (
    netsuite_id        text        not null,
    external_id        text        not null,
    kind               text,
    type               text        not null,
    transaction_number text,
    entity             text,
    customers          text[],
    currency           text,
    total              numeric,
    tran_date          date,
    found_at           timestamptz not null default clock_timestamp(),
    left_at            timestamptz,
    decision           text        check (decision in ('confirmed', 'matched', 'separate')),
    decision_id        bigint      references billing.decisions,
    document           bigint      references billing.staged_invoices,
    constraint decided_by_a_person check ((decision is null) = (decision_id is null)),
    constraint matched_with_its_document check ((decision is not distinct from 'matched') = (document is not null))
);
comment on table billing.found_transactions is
    'What NetSuite has under our names although our database has no attempt to post it; nothing is sent before a person '
    'confirmed the list';
comment on column billing.found_transactions.external_id is 'In capitals';
comment on column billing.found_transactions.customers is
    'The billing system''s customers whom the mapping gives this entity; null where it cannot be told';
comment on column billing.found_transactions.currency is 'ISO 4217 code by the mapping, else NetSuite''s internal id';
comment on column billing.found_transactions.total is 'Without sign, in the currency';
comment on column billing.found_transactions.left_at is
    'When the account that has it was moved away from; null: it is in the one that the database belongs to';
comment on column billing.found_transactions.document is 'Our document that a person matched with it';
-- Internal ids begin again in another account: what was found in one says nothing of the transactions of the next.
create unique index found_transactions_netsuite_id on billing.found_transactions (netsuite_id) where left_at is null;
create index found_transactions_external_id on billing.found_transactions (external_id);
create index found_transactions_alike on billing.found_transactions (total, currency, kind);
create trigger never_dropped before delete or truncate on billing.found_transactions
    for each statement execute function billing.append_only();

create view billing.found_here as
select netsuite_id, external_id, kind, type, transaction_number, entity, customers, currency, total, tran_date, found_at,
    decision, decision_id, document
from billing.found_transactions where left_at is null;
comment on view billing.found_here is 'What was found in the account that the database belongs to now';

create view billing.found_without_document as
select f.* from billing.found_here as f
where f.decision is distinct from 'separate' and f.document is null and not exists (
    select from billing.staged_invoices as s where s.external_id = f.external_id and s.state <> 'gone');
comment on view billing.found_without_document is
    'What was found and no document has its name: renumbered or deleted at the source since';
