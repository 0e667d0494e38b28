-- Readings: versions of a stream's days and of its register reads. What a version says never changes; which one counts does.

create table billing.streams (
    id       bigint      generated always as identity primary key,
    point    text        not null,
    suffix   text        not null,
    register text        not null default '',
    noted_at timestamptz not null default clock_timestamp(),
    unique (point, suffix, register)
);
comment on table billing.streams is 'Every stream that data came for. What it should look like: stream_terms';
comment on column billing.streams.register is 'Of register reads the meter''s serial number: two meters may have one suffix';

create sequence billing.reading_versions;
comment on sequence billing.reading_versions is 'Ids of all versions of readings, intervals and register reads';

create table billing.interval_readings (
    id             bigint      not null default nextval('billing.reading_versions'),
    stream         bigint      not null,
    day            date        not null,
    message        bigint,
    origin         text        not null default 'message' check (origin in ('message', 'estimate', 'edit')),
    starts_at      timestamptz not null,
    length_seconds integer     not null check (length_seconds >= 0),
    values         bigint[]    not null,
    decimals       smallint    not null check (decimals between 0 and 18),
    unit           text        not null,
    serial         text        not null default '',
    quality        text        not null,
    runs           jsonb,
    reason         text        not null default '',
    reason_text    text        not null default '',
    costs          bigint[],
    cost_decimals  smallint    not null default 5 check (cost_decimals between 0 and 30),
    currency       text        not null default '',
    facts          jsonb,
    visits         jsonb,
    made_at        timestamptz,
    updated_at     timestamptz,
    loaded_at      timestamptz,
    content_hash   bytea       not null,
    newest_wins    boolean     not null default false,
    method         text        not null default '',
    inputs         jsonb,
    decision       bigint,
    state          text        not null check (state in ('current', 'superseded', 'held', 'rejected')),
    code           text,
    parts          int4multirange,
    ruling         text        check (ruling in ('accepted', 'rejected')),
    ruled_by       bigint,
    noted_at       timestamptz not null default clock_timestamp(),
    primary key (stream, day, id),
    constraint held_says_why check (state <> 'held' or code is not null),
    constraint from_a_message check ((origin = 'message') = (message is not null)),
    constraint edits_are_decided check (origin <> 'edit' or decision is not null),
    constraint only_current_in_parts check (parts is null or state = 'current')
) partition by range (day);
comment on table billing.interval_readings is
    'A day (or the part of one that a message has) of a stream, as one version: its intervals in arrays';
comment on column billing.interval_readings.stream is 'billing.streams; no reference, as a check a row would cost more';
comment on column billing.interval_readings.message is 'billing.raw_messages; null: an estimate or an edit';
comment on column billing.interval_readings.day is 'By the clock of the file that it came in';
comment on column billing.interval_readings.values is 'Times 10 to the minus `decimals` it is the quantity in `unit`';
comment on column billing.interval_readings.quality is 'Of all intervals, such as A or S14; V: `runs` has it of each';
comment on column billing.interval_readings.runs is '[[first, last, quality, reason, text], …], from 1, inclusive';
comment on column billing.interval_readings.length_seconds is '0: an interval without one, as a file had it; held';
comment on column billing.interval_readings.costs is 'Times 10 to the minus `cost_decimals` it is the cost in `currency`';
comment on column billing.interval_readings.facts is 'Of the record that names the stream, by the standard''s names';
comment on column billing.interval_readings.visits is 'What people did at the meter that day, by the standard''s names';
comment on column billing.interval_readings.made_at is 'When the message was made: the order in which versions count';
comment on column billing.interval_readings.updated_at is 'The provider''s version';
comment on column billing.interval_readings.loaded_at is 'When the market''s system had it';
comment on column billing.interval_readings.newest_wins is 'The sender may withdraw: its newest stamp wins over rank';
comment on column billing.interval_readings.inputs is 'Of an estimate: what it was made of';
comment on column billing.interval_readings.decision is 'Of an edit: who, and why';
comment on column billing.interval_readings.parts is
    'Intervals (from 1) for which this version counts, where several make the day; null: for all of its intervals';
comment on column billing.interval_readings.ruling is 'What a person decided about this version, by decision `ruled_by`';

create table billing.register_readings (
    id            bigint      not null default nextval('billing.reading_versions'),
    stream        bigint      not null,
    day           date        not null,
    message       bigint,
    origin        text        not null default 'message' check (origin in ('message', 'estimate', 'edit')),
    begins_at     timestamptz,
    ends_at       timestamptz,
    begin_read    text        not null default '',
    end_read      text        not null default '',
    begin_quality text        not null default '',
    end_quality   text        not null default '',
    quantity      numeric     not null,
    unit          text        not null,
    serial        text        not null default '',
    direction     text        not null default '',
    explained     text        not null default '',
    facts         jsonb       not null default '{}',
    made_at       timestamptz,
    updated_at    timestamptz,
    loaded_at     timestamptz,
    content_hash  bytea       not null,
    newest_wins   boolean     not null default false,
    method        text        not null default '',
    inputs        jsonb,
    decision      bigint,
    state         text        not null check (state in ('current', 'superseded', 'held', 'rejected')),
    code          text,
    ruling        text        check (ruling in ('accepted', 'rejected')),
    ruled_by      bigint,
    noted_at      timestamptz not null default clock_timestamp(),
    primary key (stream, day, id),
    constraint held_says_why check (state <> 'held' or code is not null),
    constraint from_a_message check ((origin = 'message') = (message is not null)),
    constraint edits_are_decided check (origin <> 'edit' or decision is not null)
) partition by range (day);
comment on table billing.register_readings is
    'Two reads of a register and the quantity between them, as one version; versions of one period compete';
comment on column billing.register_readings.day is 'Of `ends_at`, in UTC';
comment on column billing.register_readings.begin_read is 'As on the dials, leading zeros too';
comment on column billing.register_readings.quantity is 'Billed: after multiplier and rollover, in the stream''s direction';
comment on column billing.register_readings.explained is 'How the reads explain the quantity; empty: not';
comment on column billing.register_readings.facts is 'The other fields of the record, by their names in the standard';

create index interval_readings_held on billing.interval_readings (code, stream) where state = 'held';
create index register_readings_held on billing.register_readings (code, stream) where state = 'held';

create function billing.guard_reading() returns trigger language plpgsql as $$
begin
    if to_jsonb(new) - array['state', 'code', 'parts', 'ruling', 'ruled_by', 'made_at']
        is distinct from to_jsonb(old) - array['state', 'code', 'parts', 'ruling', 'ruled_by', 'made_at'] then
        raise exception 'version % of a reading never changes', old.id using errcode = 'check_violation';
    end if;
    return new;
end
$$;
comment on function billing.guard_reading is
    'What a version says never changes: a correction is another version. made_at: the same message may come again';
create trigger guard_reading before update on billing.interval_readings
    for each row execute function billing.guard_reading();
create trigger guard_reading before update on billing.register_readings
    for each row execute function billing.guard_reading();
create trigger never_dropped before delete on billing.interval_readings
    for each row execute function billing.append_only();
create trigger never_dropped before delete on billing.register_readings
    for each row execute function billing.append_only();
create trigger never_emptied before truncate on billing.interval_readings
    for each statement execute function billing.append_only();
create trigger never_emptied before truncate on billing.register_readings
    for each statement execute function billing.append_only();

-- A month gets its partition with its first reading. Attached, not created as one: that would keep readers and writers of
-- all other months out until the end of the transaction.
create function billing.open_reading_month(of_table text, day date) returns void language plpgsql as $$
declare
    month date := date_trunc('month', day)::date;
    part text := format('%s_%s', of_table, to_char(month, 'YYYY_MM'));
begin
    if of_table not in ('interval_readings', 'register_readings') then
        raise exception '% has no months', of_table;
    end if;
    if to_regclass(format('billing.%I', part)) is not null then
        return;
    end if;
    perform pg_advisory_xact_lock(hashtextextended('billing reading months', 0));
    if to_regclass(format('billing.%I', part)) is not null then
        return;
    end if;
    execute format('create table billing.%I (like billing.%I including all)', part, of_table);
    execute format('alter table billing.%I attach partition billing.%I for values from (%L) to (%L)',
        of_table, part, month, (month + interval '1 month')::date);
end
$$;
comment on function billing.open_reading_month is 'Makes the partition of a day''s month where there is none yet';

create view billing.message_readings as
    select message, id, 'interval' as type, stream, day, state, code from billing.interval_readings
    where message is not null
    union all
    select message, id, 'register', stream, day, state, code from billing.register_readings
    where message is not null;
comment on view billing.message_readings is 'The version that a message became; name its stream and day, or all months are read';
