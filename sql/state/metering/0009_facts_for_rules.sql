-- What master data must say so that the rules TOU_SUM and TIME have something to look at.

alter table billing.stream_terms add column part_of text not null default '';
comment on column billing.stream_terms.part_of is
    'Of a register by time of use the suffix of the total that it is a part of; empty: it is none';

create table billing.meter_clocks (
    id          bigint      generated always as identity primary key,
    point       text        not null,
    serial      text        not null check (serial ~ '\S'),
    seconds     integer     not null,
    valid_from  date        not null,
    valid_until date,
    recorded_at timestamptz not null default clock_timestamp(),
    replaced_at timestamptz,
    constraint begins_before_it_ends check (valid_until > valid_from)
);
comment on table billing.meter_clocks is 'By how much a meter''s clock was off, from when it was compared until it was set';
comment on column billing.meter_clocks.seconds is 'Above 0: the clock is fast';
create unique index meter_clocks_now on billing.meter_clocks (point, serial, valid_from) where replaced_at is null;
create trigger guard before update on billing.meter_clocks
    for each row execute function billing.guard_master_data();
create trigger never_dropped before delete or truncate on billing.meter_clocks
    for each statement execute function billing.append_only();
