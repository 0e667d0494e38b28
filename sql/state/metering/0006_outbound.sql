-- Interchanges that we made, on their way to each partner's folder: the tables of that outbox of the posting core.

create table billing.outbound_batches (
    partition_key text primary key check (partition_key ~ '\S'),
    partner text not null,
    destination text,
    state text not null default 'planned' check (state in ('planned', 'running', 'attention', 'posted')),
    planned_at timestamptz not null default clock_timestamp(),
    epoch bigint not null default 0,
    run_id text,
    leased_at timestamptz,
    locked_until timestamptz,
    unknown_due_at timestamptz,
    finished_at timestamptz,
    rests boolean not null default true
);
comment on table billing.outbound_batches is 'Interchanges of one partner that are sent together; the batch of the posting core';
comment on column billing.outbound_batches.destination is 'Folder to which its last files were sent; null before the first was';

create table billing.outbound_files (
    id bigint generated always as identity primary key,
    batch text not null references billing.outbound_batches,
    interchange bigint not null unique references billing.outbound_interchanges,
    external_id text not null unique,
    sha256 bytea not null,
    size bigint not null,
    epoch bigint,
    state text not null default 'batched' check (state in
        ('batched', 'locked', 'posting', 'posted', 'rejected', 'differs')),
    remote_path text,
    remote_sha256 text,
    posted_at timestamptz,
    read_back_at timestamptz,
    difference text,
    unproven boolean not null default false,
    constraint posted_in_its_place check (state <> 'posted' or (remote_path is not null and posted_at is not null))
);
comment on table billing.outbound_files is 'An interchange as a file; it is delivered once under its name';
comment on column billing.outbound_files.external_id is 'The file''s name; no two files ever have the same';
comment on column billing.outbound_files.remote_sha256 is 'SHA-256 (hexadecimal) of what was read back from the folder';
create index outbound_files_batch on billing.outbound_files (batch);

create table billing.outbound_attempts (
    id bigint generated always as identity primary key,
    document bigint not null references billing.outbound_files,
    batch text not null,
    run_id text not null,
    epoch bigint not null,
    attempt integer not null,
    external_id text not null,
    payload_hash bytea not null,
    payload bytea,
    started_at timestamptz not null default clock_timestamp(),
    unique (document, attempt)
);
comment on table billing.outbound_attempts is 'The intent to deliver a file, committed before the upload begins';
comment on column billing.outbound_attempts.payload is 'Null: the content is in outbound_interchanges, and stays there';

create table billing.outbound_outcomes (
    id bigint generated always as identity primary key,
    attempt bigint not null references billing.outbound_attempts,
    run_id text not null,
    outcome text not null check (outcome in
        ('landed', 'exists', 'found', 'refused', 'conflict', 'retry', 'not_sent', 'unknown', 'absent')),
    http_status integer,
    code text,
    path text,
    detail text,
    remote_path text,
    remote_sha256 text,
    seconds numeric,
    recorded_at timestamptz not null default clock_timestamp()
);
comment on table billing.outbound_outcomes is 'What became of an attempt; several rows when the answer came late';
create index outbound_outcomes_attempt on billing.outbound_outcomes (attempt);

create trigger append_only before update or delete or truncate on billing.outbound_attempts
    for each statement execute function billing.append_only();
create trigger append_only before update or delete or truncate on billing.outbound_outcomes
    for each statement execute function billing.append_only();
create trigger never_dropped before delete or truncate on billing.outbound_batches
    for each statement execute function billing.append_only();
create trigger never_dropped before delete or truncate on billing.outbound_files
    for each statement execute function billing.append_only();

create trigger guard_outbox_file before update on billing.outbound_files
    for each row execute function billing.guard_outbox_file();
