-- The life of a document (DESIGN §4) from the billing system to NetSuite. Everything lives in schema `billing`.

create table billing.state_transitions (
    old_state text not null,
    new_state text not null,
    primary key (old_state, new_state)
);
comment on table billing.state_transitions is 'Allowed moves of a document; equal to TRANSITIONS in domain/documents.py';

insert into billing.state_transitions (old_state, new_state)
select o, n
from (values
    ('open', array['held', 'excluded', 'ready', 'gone']),
    ('held', array['open', 'excluded', 'ready', 'gone']),
    ('excluded', array['open', 'held', 'ready', 'gone']),
    ('ready', array['open', 'held', 'excluded', 'gone', 'batched']),
    ('batched', array['open', 'held', 'excluded', 'ready', 'gone', 'locked']),
    ('rejected', array['open', 'held', 'excluded', 'ready', 'gone', 'locked']),
    ('locked', array['posting', 'batched', 'ready', 'held']),
    ('posting', array['posted', 'rejected', 'locked']),
    ('gone', array['open', 'held', 'excluded', 'ready'])
) as allowed (o, targets), unnest(targets) as n;

create table billing.watermarks (
    source text primary key,
    last_successful_run_at timestamptz not null
);
comment on table billing.watermarks is 'Per source: the clock of the billing database when the last successful staging began';

create table billing.staging_runs (
    id bigint generated always as identity primary key,
    source text not null,
    run_id text not null,
    since timestamptz,
    watermark timestamptz not null,
    finished_at timestamptz not null default clock_timestamp(),
    counts jsonb not null
);
create index staging_runs_latest on billing.staging_runs (source, id desc);

create table billing.locked_batches (
    partition_key text primary key,
    period text not null,
    sequence integer not null,
    state text not null default 'planned' check (state in ('planned', 'running', 'attention', 'posted')),
    documents integer not null,
    total numeric not null,
    planned_at timestamptz not null default clock_timestamp(),
    epoch bigint not null default 0,
    run_id text,
    locked_until timestamptz,
    requests integer not null default 0,
    requested_at timestamptz,
    unknown_due_at timestamptz,
    finished_at timestamptz,
    unique (period, sequence)
);
comment on column billing.locked_batches.epoch is 'Counts the locks; every write about a locked document carries it';
comment on column billing.locked_batches.requests is 'Runs asked for so far; part of the run key, so that a new request is never taken for an old one';
comment on column billing.locked_batches.unknown_due_at is 'When absence from NetSuite begins to count for the attempts without an outcome';
create index locked_batches_unfinished on billing.locked_batches (partition_key) where state <> 'posted';

create table billing.staged_invoices (
    id bigint generated always as identity primary key,
    source text not null,
    document_id text not null,
    kind text not null,
    number text not null,
    status text not null,
    created_at timestamptz,
    document_date date,
    due_date date,
    period text,
    customer text,
    branch text,
    currency text,
    terms text,
    purchase_order text,
    memo text,
    applies_to text,
    total numeric,
    line_count integer not null,
    extra jsonb not null,
    lines jsonb not null,
    content_hash bytea not null,
    external_id text not null,
    state text not null check (state in
        ('open', 'held', 'excluded', 'ready', 'batched', 'locked', 'posting', 'posted', 'rejected', 'gone')),
    state_since timestamptz not null default clock_timestamp(),
    findings jsonb not null,
    batch text references billing.locked_batches,
    epoch bigint,
    netsuite_id text,
    transaction_number text,
    posted_at timestamptz,
    read_back_at timestamptz,
    difference text,
    drift jsonb,
    staged_at timestamptz not null default clock_timestamp(),
    unique (source, document_id),
    constraint complete_before_it_leaves check (
        state in ('open', 'held', 'excluded', 'gone')
        or (document_date is not null and period is not null and total is not null and currency is not null)),
    constraint sent_in_a_batch check (state not in ('batched', 'locked', 'posting', 'posted', 'rejected') or batch is not null),
    constraint posted_with_its_id check (state <> 'posted' or (netsuite_id is not null and posted_at is not null)),
    -- No two copies of a document can be on their way: the database refuses what a rule missed. Checked at the end of a
    -- statement, so that two documents may swap their numbers in one.
    constraint one_copy exclude using btree (external_id with =)
        where (state in ('ready', 'batched', 'locked', 'posting', 'posted', 'rejected')) deferrable
);
comment on table billing.staged_invoices is 'One row per invoice or credit memo seen in the billing system; exactly one state each';
comment on column billing.staged_invoices.total is 'Signed, tax included: credit memos are negative';
comment on column billing.staged_invoices.lines is 'Array of arrays in the order of domain.documents.Line; view staged_invoice_lines names the columns';
comment on column billing.staged_invoices.difference is 'What the read-back from NetSuite found different, if anything';
comment on column billing.staged_invoices.drift is 'What changed at the source after posting, if anything';

-- Lines go out of line early, so that a change of state rewrites a narrow row.
alter table billing.staged_invoices set (toast_tuple_target = 128, fillfactor = 80);

create index staged_invoices_ready on billing.staged_invoices (period, id) where state = 'ready';
create index staged_invoices_batch on billing.staged_invoices (batch, id) where state in ('batched', 'locked', 'posting', 'rejected');
create index staged_invoices_unread on billing.staged_invoices (batch) where state = 'posted' and (read_back_at is null or difference is not null);
create index staged_invoices_polled on billing.staged_invoices (source, id)
    where state in ('open', 'held', 'excluded', 'ready', 'batched', 'rejected');
create index staged_invoices_gone on billing.staged_invoices (source, state_since) where state = 'gone';
create index staged_invoices_drift on billing.staged_invoices (source, posted_at) where state = 'posted';
create index staged_invoices_number on billing.staged_invoices (source, kind, number);
create index staged_invoices_external_id on billing.staged_invoices (external_id);
create index staged_invoices_period on billing.staged_invoices (period, state);
create index staged_invoices_in_batch on billing.staged_invoices (batch) where batch is not null;

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
    (l.value ->> 8)::numeric as tax_amount
from billing.staged_invoices as d, jsonb_array_elements(d.lines) as l;

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
    if old.state = 'posted' and (
        (new.source, new.document_id, new.kind, new.number, new.status, new.document_date, new.period, new.customer,
         new.branch, new.currency, new.applies_to, new.total, new.line_count, new.lines, new.content_hash,
         new.external_id, new.netsuite_id, new.posted_at, new.batch, new.epoch)
        is distinct from
        (old.source, old.document_id, old.kind, old.number, old.status, old.document_date, old.period, old.customer,
         old.branch, old.currency, old.applies_to, old.total, old.line_count, old.lines, old.content_hash,
         old.external_id, old.netsuite_id, old.posted_at, old.batch, old.epoch)
    ) then
        raise exception 'document % % is posted and never changes', old.kind, old.number using errcode = 'check_violation';
    end if;
    return new;
end
$$;
create trigger guard_document before update on billing.staged_invoices
    for each row execute function billing.guard_document();

-- What was tried and what came of it: append-only, for finance and support.
create table billing.posting_attempts (
    id bigint generated always as identity primary key,
    document bigint not null references billing.staged_invoices,
    batch text not null,
    run_id text not null,
    epoch bigint not null,
    attempt integer not null,
    external_id text not null,
    payload_hash bytea not null,
    started_at timestamptz not null default clock_timestamp(),
    unique (document, attempt)
);
comment on table billing.posting_attempts is 'The intent to post, committed before the request leaves';

create table billing.posting_outcomes (
    id bigint generated always as identity primary key,
    attempt bigint not null references billing.posting_attempts,
    run_id text not null,
    outcome text not null check (outcome in
        ('landed', 'exists', 'found', 'refused', 'conflict', 'retry', 'not_sent', 'unknown', 'absent')),
    http_status integer,
    code text,
    path text,
    detail text,
    netsuite_id text,
    transaction_number text,
    seconds numeric,
    recorded_at timestamptz not null default clock_timestamp()
);
comment on table billing.posting_outcomes is 'What became of an attempt; several rows when the answer came late';
create index posting_outcomes_attempt on billing.posting_outcomes (attempt);

create function billing.append_only() returns trigger language plpgsql as $$
begin
    raise exception '% is append-only: no %', tg_table_name, lower(tg_op) using errcode = 'check_violation';
end
$$;
create trigger append_only before update or delete or truncate on billing.posting_attempts
    for each statement execute function billing.append_only();
create trigger append_only before update or delete or truncate on billing.posting_outcomes
    for each statement execute function billing.append_only();

create trigger never_dropped before delete or truncate on billing.staged_invoices
    for each statement execute function billing.append_only();

create view billing.posting_log as
select
    d.source, d.kind, d.number, a.batch, a.run_id, a.attempt, a.epoch, a.external_id,
    a.started_at, o.recorded_at, o.outcome, o.http_status, o.code, o.path, o.detail,
    coalesce(o.netsuite_id, d.netsuite_id) as netsuite_id,
    coalesce(o.transaction_number, d.transaction_number) as transaction_number,
    o.seconds
from billing.posting_attempts as a
join billing.staged_invoices as d on d.id = a.document
left join billing.posting_outcomes as o on o.attempt = a.id;

create table billing.alerts (
    cause text primary key,
    title text not null,
    message text not null,
    severity text not null check (severity in ('warning', 'critical')),
    first_seen_at timestamptz not null,
    last_seen_at timestamptz not null,
    last_told_at timestamptz,
    repeats integer not null default 0,
    claim uuid,
    claimed_at timestamptz
);
comment on table billing.alerts is 'Who was told about what and when: one message per cause within the window';
comment on column billing.alerts.last_told_at is 'When people were last told: by a channel, or in the log where none is set';
comment on column billing.alerts.repeats is 'How often the cause came up since then without a message';
comment on column billing.alerts.claim is 'The process that is sending just now; a dead one loses it after two minutes';
