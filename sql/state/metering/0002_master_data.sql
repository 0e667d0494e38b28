-- Service points and what is measured there, as master data says it; from when until when, and what was said before.
--
-- A row counts from `valid_from` until before `valid_until` (null: open). What is corrected is not changed: the row gets
-- `replaced_at`, and another takes its place. No account has more than its id here.

create table billing.service_points (
    id          bigint      generated always as identity primary key,
    point       text        not null check (point ~ '\S'),
    valid_from  date        not null,
    valid_until date,
    zone        text        not null default 'UTC',
    service     text        not null default 'electricity',
    class       text        not null default '',
    market      text        not null default '',
    utility     text        not null default '',
    recorded_at timestamptz not null default clock_timestamp(),
    replaced_at timestamptz,
    constraint begins_before_it_ends check (valid_until > valid_from)
);
comment on table billing.service_points is 'Where energy is delivered: an NMI, an ESI ID, a usage point';
comment on column billing.service_points.zone is 'IANA time zone of its bills and its local days';
comment on column billing.service_points.class is 'Customer class: which rules and parameters validate it';
comment on column billing.service_points.utility is 'Who owns the wires: DUNS number or name';
create unique index service_points_now on billing.service_points (point, valid_from) where replaced_at is null;

create table billing.meters (
    id          bigint      generated always as identity primary key,
    point       text        not null,
    serial      text        not null check (serial ~ '\S'),
    valid_from  date        not null,
    valid_until date,
    recorded_at timestamptz not null default clock_timestamp(),
    replaced_at timestamptz,
    constraint begins_before_it_ends check (valid_until > valid_from)
);
comment on table billing.meters is 'Which meter is at which point';
create unique index meters_now on billing.meters (point, serial, valid_from) where replaced_at is null;

create table billing.registers (
    id          bigint      generated always as identity primary key,
    point       text        not null,
    serial      text        not null,
    register    text        not null,
    suffix      text        not null default '',
    digits      smallint    check (digits between 1 and 15),
    decimals    smallint    not null default 0 check (decimals between 0 and 9),
    multiplier  numeric     not null default 1 check (multiplier > 0),
    unit        text        not null default '',
    direction   text        not null default 'consumption' check (direction in ('consumption', 'generation')),
    valid_from  date        not null,
    valid_until date,
    recorded_at timestamptz not null default clock_timestamp(),
    replaced_at timestamptz,
    constraint begins_before_it_ends check (valid_until > valid_from)
);
comment on table billing.registers is 'The registers of a meter, and what its dials show';
comment on column billing.registers.suffix is 'The stream that its reads are of';
comment on column billing.registers.digits is 'Dials before the decimal point; null: as many as a read shows';
create unique index registers_now on billing.registers (point, serial, register, valid_from) where replaced_at is null;

create table billing.stream_terms (
    id             bigint      generated always as identity primary key,
    point          text        not null,
    suffix         text        not null,
    unit           text        not null default '',
    length_seconds integer     not null default 0 check (length_seconds >= 0),
    billed         boolean     not null default true,
    direction      text        not null default 'consumption' check (direction in ('consumption', 'generation')),
    valid_from     date        not null,
    valid_until    date,
    recorded_at    timestamptz not null default clock_timestamp(),
    replaced_at    timestamptz,
    constraint begins_before_it_ends check (valid_until > valid_from)
);
comment on table billing.stream_terms is 'What a stream of a point should look like, and whether it is billed';
comment on column billing.stream_terms.unit is 'Empty: any. length_seconds: 0 for register reads';
create unique index stream_terms_now on billing.stream_terms (point, suffix, valid_from) where replaced_at is null;

create table billing.supply_periods (
    id          bigint      generated always as identity primary key,
    point       text        not null,
    account     text        not null check (account ~ '\S'),
    valid_from  date        not null,
    valid_until date,
    source      text        not null default 'master data',
    message     bigint      references billing.raw_messages,
    recorded_at timestamptz not null default clock_timestamp(),
    replaced_at timestamptz,
    constraint begins_before_it_ends check (valid_until > valid_from)
);
comment on table billing.supply_periods is 'Which account (by its id alone) is supplied at a point, from when until when';
comment on column billing.supply_periods.message is 'The 814 that says so; null: master data';
create unique index supply_periods_now on billing.supply_periods (point, valid_from) where replaced_at is null;
create index supply_periods_account on billing.supply_periods (account) where replaced_at is null;

create function billing.guard_master_data() returns trigger language plpgsql as $$
begin
    if old.replaced_at is not null
        or to_jsonb(new) - 'replaced_at' is distinct from to_jsonb(old) - 'replaced_at' then
        raise exception 'a row of % is replaced by another, never changed', tg_table_name
            using errcode = 'check_violation';
    end if;
    return new;
end
$$;
do $$
declare
    one text;
begin
    foreach one in array array['service_points', 'meters', 'registers', 'stream_terms', 'supply_periods'] loop
        execute format('create trigger guard before update on billing.%I
            for each row execute function billing.guard_master_data()', one);
        execute format('create trigger never_dropped before delete or truncate on billing.%I
            for each statement execute function billing.append_only()', one);
    end loop;
end
$$;
