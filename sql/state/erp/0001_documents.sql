-- The life of a document from the billing system to NetSuite: its states, its batch, and the document itself.

-- Allowed moves

create table billing.state_transitions (
    old_state text not null,
    new_state text not null,
    primary key (old_state, new_state)
);
comment on table billing.state_transitions is 'Allowed moves of a document; equal to TRANSITIONS in erp/documents/documents.py';

insert into billing.state_transitions (old_state, new_state)
select o, n
from (values
    ('open', array['held', 'excluded', 'ready', 'gone']),
    ('held', array['open', 'excluded', 'ready', 'gone']),
    ('excluded', array['open', 'held', 'ready', 'gone']),
    ('ready', array['open', 'held', 'excluded', 'gone', 'batched']),
    ('batched', array['open', 'held', 'excluded', 'ready', 'gone', 'locked']),
    ('locked', array['posting', 'batched', 'ready', 'held']),
    ('posting', array['posted', 'rejected', 'differs', 'locked']),
    ('rejected', array['open', 'held', 'excluded', 'ready', 'gone', 'locked']),
    ('differs', array['posted', 'rejected']),
    ('gone', array['open', 'held', 'excluded', 'ready'])
) as allowed (o, targets), unnest(targets) as n;


-- Batches

create table billing.locked_batches (
    partition_key  text        primary key,
    period         text        not null,
    sequence       integer     not null,
    state          text        not null default 'planned' check (state in ('planned', 'running', 'attention', 'posted')),
    documents      integer     not null,
    total          numeric     not null,
    planned_at     timestamptz not null default clock_timestamp(),
    epoch          bigint      not null default 0,
    run_id         text,
    leased_at      timestamptz,
    locked_until   timestamptz,
    rests          boolean     not null default true,
    requests       integer     not null default 0,
    requested_at   timestamptz,
    unknown_due_at timestamptz,
    finished_at    timestamptz,
    unique (period, sequence)
);
comment on table billing.locked_batches is 'Batches of documents; each is a dynamic partition, and is locked by one run at a time';
comment on column billing.locked_batches.partition_key is 'Period and sequence: 2010-11-0042';
comment on column billing.locked_batches.epoch is 'Counts the locks; every write about a locked document carries it';
comment on column billing.locked_batches.leased_at is
    'When the lease was taken or last renewed; one from the future is none, so a clock that was set back keeps no dead run''s lease';
comment on column billing.locked_batches.locked_until is 'When the lease ends unless the run renews it';
comment on column billing.locked_batches.rests is
    'Whether the next run waits for the setting batches.retry_seconds: not where what was in the way has gone already';
comment on column billing.locked_batches.requests is
    'Runs asked for so far; part of the run key, so that a new request is never taken for an old one';
comment on column billing.locked_batches.unknown_due_at is
    'When absence from NetSuite begins to count for the attempts without an outcome';
create index locked_batches_unfinished on billing.locked_batches (partition_key) where state <> 'posted';


-- Documents

create table billing.staged_invoices (
    id                 bigint      generated always as identity primary key,

    -- what the billing system says
    source             text        not null,
    document_id        text        not null,
    kind               text        not null,
    number             text        not null,
    status             text        not null,
    created_at         timestamptz,
    document_date      date,
    posting_date       date,
    due_date           date,
    period             text,
    customer           text,
    branch             text,
    contract           text,
    currency           text,
    terms              text,
    purchase_order     text,
    memo               text,
    applies_to         text,
    applications       jsonb,
    total              numeric,
    line_count         integer     not null,
    extra              jsonb       not null,
    lines              jsonb       not null,
    content_hash       bytea       not null,
    source_digest      bytea,

    -- what we made of it
    external_id        text        not null,
    state              text        not null check (state in ('open', 'held', 'excluded', 'ready', 'batched', 'locked',
                                                             'posting', 'posted', 'rejected', 'differs', 'gone')),
    state_since        timestamptz not null default clock_timestamp(),
    findings           jsonb       not null,
    judged_under       bytea,
    batch              text        references billing.locked_batches,
    epoch              bigint,
    staged_at          timestamptz not null default clock_timestamp(),

    -- what NetSuite has
    applied            jsonb,
    netsuite_id        text,
    transaction_number text,
    posted_at          timestamptz,
    read_back_at       timestamptz,
    difference         text,
    unproven           boolean     not null default false,

    -- what changed after posting
    drift              jsonb,
    drifted_at         timestamptz,

    unique (source, document_id),
    constraint complete_before_it_leaves check (
        state in ('open', 'held', 'excluded', 'gone')
        or (document_date is not null and period is not null and total is not null and currency is not null)),
    constraint sent_in_a_batch check (
        state not in ('batched', 'locked', 'posting', 'posted', 'rejected', 'differs') or batch is not null),
    constraint posted_with_its_id check (state <> 'posted' or (netsuite_id is not null and posted_at is not null)),
    -- No two copies of a document can be on their way: the database refuses what a rule missed. Checked at the end of a
    -- statement, so that two documents may swap their numbers in one.
    constraint one_copy exclude using btree (external_id with =)
        where (state in ('ready', 'batched', 'locked', 'posting', 'posted', 'rejected', 'differs')) deferrable
)
with (
    -- Lines go out of line early, so that a change of state rewrites a narrow row.
    toast_tuple_target = 128, fillfactor = 80,
    -- A document leaves a dead row behind at each of its five moves, and dead entries in the indexes by which the next one
    -- is found. A share of the whole table, as is the default, would be ever more of them; and where they are few against
    -- the whole, the indexes would not be cleaned at all. All of it takes seconds among ten million documents.
    autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 50000, vacuum_index_cleanup = on,
    autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 50000
);
comment on table billing.staged_invoices is 'One row per invoice or credit memo seen in the billing system; exactly one state each';
comment on column billing.staged_invoices.document_id is 'The billing system''s own key; the number may occur twice';
comment on column billing.staged_invoices.posting_date is
    'Of a late document, whose own month was closed: the day under which it is posted instead';
comment on column billing.staged_invoices.period is
    'The month in which it is posted: that of the posting date, else of the document date';
comment on column billing.staged_invoices.contract is
    'Contract whose services the document charges, where the query says; a copy of extra.contract';
comment on column billing.staged_invoices.applications is
    'What a credit memo is applied to: array of [invoice number, amount or null for as much as is open]';
comment on column billing.staged_invoices.total is 'Signed, tax included: credit memos are negative';
comment on column billing.staged_invoices.extra is 'Further columns of the query, as text under their names';
comment on column billing.staged_invoices.lines is
    'Array of arrays in the order of erp.documents.documents.Line; view staged_invoice_lines names the columns';
comment on column billing.staged_invoices.content_hash is 'SHA-256 of the canonical content, lines included';
comment on column billing.staged_invoices.source_digest is
    'Computed by the billing database over header and lines when the document was read; null: read it again';
comment on column billing.staged_invoices.findings is 'What the rules found, each with its code; a held or excluded document has one';
comment on column billing.staged_invoices.judged_under is 'Digest of the mapping and the rules that the findings are of';
comment on column billing.staged_invoices.epoch is 'That of the lock under which a run has it, or last had it';
comment on column billing.staged_invoices.applied is
    'What was sent to be applied: array of [invoice number, amount], never more than was open; null where nothing was to be';
comment on column billing.staged_invoices.difference is 'What the read-back from NetSuite found different, if anything';
comment on column billing.staged_invoices.unproven is
    'NetSuite had it before any attempt that we know of, and its lines could not be compared';
comment on column billing.staged_invoices.drift is 'What changed at the source after posting, if anything';
comment on column billing.staged_invoices.drifted_at is 'When its drift last came, changed or went';

-- by state
create index staged_invoices_ready on billing.staged_invoices (period, id) where state = 'ready';
create index staged_invoices_batch on billing.staged_invoices (batch, id)
    where state in ('batched', 'locked', 'posting', 'rejected', 'differs');
create index staged_invoices_unread on billing.staged_invoices (batch)
    where state = 'posted' and (read_back_at is null or difference is not null);
create index staged_invoices_differs on billing.staged_invoices (source, id) where state = 'differs';
-- Every staging looks at all of these, and nearly all are as they were: the index holds what that takes.
create index staged_invoices_polled on billing.staged_invoices (source, id)
    include (document_id, source_digest, judged_under)
    where state in ('open', 'held', 'excluded', 'ready', 'batched', 'rejected');
create index staged_invoices_gone on billing.staged_invoices (source, state_since) where state = 'gone';
-- Voided before they were posted: in the source they are still there, and a void may be taken back.
create index staged_invoices_voided on billing.staged_invoices (source, id) where state = 'gone' and status = 'void';
-- Staging compares again what was posted lately, in the order in which it was.
create index staged_invoices_posted on billing.staged_invoices (source, posted_at, id) where state = 'posted';

-- by name, month and batch
create index staged_invoices_number on billing.staged_invoices (source, kind, number);
create index staged_invoices_external_id on billing.staged_invoices (external_id);
create index staged_invoices_period on billing.staged_invoices (period, state);
create index staged_invoices_in_batch on billing.staged_invoices (batch) where batch is not null;

-- of the few
create index staged_invoices_credits on billing.staged_invoices (id) where state in ('ready', 'held') and applications is not null;
create index staged_invoices_applied on billing.staged_invoices (id) where applied is not null;
create index staged_invoices_drifted_at on billing.staged_invoices (drifted_at) where drifted_at is not null;
-- Documents that are posted in a later month than their own, by their own.
create index staged_invoices_late on billing.staged_invoices (document_date) where posting_date is not null;

create function billing.without_blanks(number text) returns text language sql immutable parallel safe
return translate(number, U&' \0009\000A\000D\00A0\2007\2009\202F', '');
comment on function billing.without_blanks is 'A number without any blank, so that two that differ only in blanks are equal';
-- Of two such numbers at least one has a blank; those are few.
create index staged_invoices_number_with_blanks on billing.staged_invoices (source, kind, billing.without_blanks(number))
    where number <> billing.without_blanks(number);


-- What the database refuses

create trigger never_dropped before delete or truncate on billing.staged_invoices
    for each statement execute function billing.append_only();

-- What is in NetSuite never changes with us, whether it is there as it was sent or not.
create function billing.guard_document() returns trigger language plpgsql as $$
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
create trigger guard_document before update on billing.staged_invoices
    for each row execute function billing.guard_document();

create function billing.guard_applications() returns trigger language plpgsql as $$
begin
    raise exception 'document % % is posted and never changes', old.kind, old.number using errcode = 'check_violation';
end
$$;
create trigger guard_applications before update on billing.staged_invoices for each row
    when (old.state = 'posted' and (old.applications is distinct from new.applications or old.applied is distinct from new.applied))
    execute function billing.guard_applications();


-- Totals

-- What is posted is counted when it is posted, as it never leaves: sums over everything need not read everything.
create table billing.posted_totals (
    source    text    not null,
    period    text    not null,
    kind      text    not null,
    currency  text    not null,
    documents bigint  not null,
    total     numeric not null
);
comment on table billing.posted_totals is 'Posted documents, counted: several rows of a kind add up, retention makes one of them';

create function billing.count_posted() returns trigger language plpgsql as $$
begin
    insert into billing.posted_totals values (new.source, new.period, new.kind, new.currency, 1, new.total);
    return null;
end
$$;
create trigger count_posted after update on billing.staged_invoices
    for each row when (new.state = 'posted' and old.state <> 'posted') execute function billing.count_posted();
create trigger count_inserted_as_posted after insert on billing.staged_invoices
    for each row when (new.state = 'posted') execute function billing.count_posted();

create view billing.document_totals as
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
comment on view billing.document_totals is 'All documents by source, month, state, kind and currency, however many were posted';


-- Lines

create view billing.staged_invoice_lines as
select
    d.id, d.source, d.kind, d.number, d.period,
    (l.value ->> 0)::bigint as line_no,
    l.value ->> 1 as item,
    l.value ->> 2 as description,
    (l.value ->> 3)::numeric as quantity,
    (l.value ->> 4)::numeric as unit_price,
    (l.value ->> 5)::numeric as amount,
    l.value ->> 6 as tax_code,
    (l.value ->> 7)::numeric as tax_rate,
    (l.value ->> 8)::numeric as tax_amount,
    l.value -> 9 ->> 'service' as service
from billing.staged_invoices as d, jsonb_array_elements(d.lines) as l;
comment on view billing.staged_invoice_lines is 'One row per charge on a document';
