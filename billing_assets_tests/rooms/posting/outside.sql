-- A ledger of the posting core, and an outside system that survives the death of the runs that send to it.

create schema fake;
create table fake.batches (
    partition_key text primary key,
    region text,
    sequence integer,
    documents integer not null default 0,
    requests integer not null default 0,
    requested_at timestamptz,
    state text not null default 'planned',
    epoch bigint not null default 0,
    run_id text,
    leased_at timestamptz,
    locked_until timestamptz,
    unknown_due_at timestamptz,
    finished_at timestamptz,
    rests boolean not null default false
);
create table fake.items (
    id bigint generated always as identity primary key,
    batch text references fake.batches,
    region text not null default 'north',
    may_go boolean not null default true,
    epoch bigint not null default 0,
    state text not null default 'batched',
    external_id text not null unique,
    body text not null,
    system_id text,
    system_number text,
    posted_at timestamptz,
    read_back_at timestamptz,
    difference text,
    unproven boolean not null default false
);
create table fake.attempts (
    id bigint generated always as identity primary key,
    document bigint not null references fake.items,
    batch text not null,
    run_id text not null,
    epoch bigint not null,
    attempt integer not null,
    external_id text not null,
    payload_hash bytea not null,
    payload bytea,
    unique (document, attempt)
);
create table fake.outcomes (
    id bigint generated always as identity primary key,
    attempt bigint not null references fake.attempts,
    run_id text not null,
    outcome text not null,
    http_status integer,
    code text,
    path text,
    detail text,
    system_id text,
    system_number text,
    seconds numeric,
    recorded_at timestamptz not null default clock_timestamp()
);

create schema outside;
create table outside.records (  -- no unique key: this system takes whatever it is sent, as often as it is sent
    id bigint generated always as identity primary key,
    external_id text not null,
    body bytea not null,
    shows_at timestamptz not null
);
create table outside.requests (
    id bigint generated always as identity primary key,
    external_id text not null,
    run_id text not null,
    sent_at timestamptz not null default clock_timestamp()
);
create table outside.faults (  -- the next requests take the oldest ones, one each
    id bigint generated always as identity primary key,
    kind text not null
);
create table outside.switches (down boolean not null default false, lag_seconds double precision not null default 0);
insert into outside.switches default values;
