-- Close packs on their way to the folder that they are delivered to: the tables of that sink of the posting core.

create table billing.close_pack_deliveries (
    partition_key text primary key check (partition_key ~ '^[0-9]{4}-(0[1-9]|1[0-2])$'),
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
comment on table billing.close_pack_deliveries is 'One row per month whose close pack is delivered; the batch of the posting core';
comment on column billing.close_pack_deliveries.destination is 'Folder to which its last files were sent; null before the first was';

create table billing.close_pack_files (
    id bigint generated always as identity primary key,
    batch text not null references billing.close_pack_deliveries,
    pack bigint not null references billing.close_packs,
    part text not null check (part in ('workbook', 'statement')),
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
comment on table billing.close_pack_files is 'The files of a close pack; each is delivered once under its name';
comment on column billing.close_pack_files.external_id is 'The file''s name; no two files ever have the same';
comment on column billing.close_pack_files.remote_sha256 is 'SHA-256 (hexadecimal) of what was read back from the folder';
create index close_pack_files_batch on billing.close_pack_files (batch);

create table billing.close_pack_attempts (
    id bigint generated always as identity primary key,
    document bigint not null references billing.close_pack_files,
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
comment on table billing.close_pack_attempts is 'The intent to deliver a file, committed before the upload begins';
comment on column billing.close_pack_attempts.payload is 'Null: the content is in close_packs, and stays there';

create table billing.close_pack_outcomes (
    id bigint generated always as identity primary key,
    attempt bigint not null references billing.close_pack_attempts,
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
comment on table billing.close_pack_outcomes is 'What became of an attempt; several rows when the answer came late';
create index close_pack_outcomes_attempt on billing.close_pack_outcomes (attempt);

create trigger append_only before update or delete or truncate on billing.close_pack_attempts
    for each statement execute function billing.append_only();
create trigger append_only before update or delete or truncate on billing.close_pack_outcomes
    for each statement execute function billing.append_only();
create trigger never_dropped before delete or truncate on billing.close_pack_deliveries
    for each statement execute function billing.append_only();
create trigger never_dropped before delete or truncate on billing.close_pack_files
    for each statement execute function billing.append_only();

create trigger guard_outbox_file before update on billing.close_pack_files
    for each row execute function billing.guard_outbox_file();
