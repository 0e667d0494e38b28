-- Tariffs and their versions, the series of prices and profiles that rating takes, and what people decided of them.
--
-- All of it is append-only: a loaded version never changes, and what becomes of it is a row of its own.

create table billing.tariffs (
    code     text        primary key check (code ~ '\S'),
    noted_at timestamptz not null default clock_timestamp()
);
comment on table billing.tariffs is 'Tariffs by the code that contracts name; what is in one, its versions say';
create trigger append_only before update or delete or truncate on billing.tariffs
    for each statement execute function billing.append_only();

create table billing.tariff_versions (
    id             bigint      generated always as identity primary key,
    tariff         text        not null references billing.tariffs,
    number         integer     not null check (number > 0),
    name           text        not null,
    currency       text        not null check (currency ~ '^[A-Z]{3}$'),
    market         text        not null,
    commodity      text        not null,
    customer_class text        not null,
    charges        integer     not null check (charges > 0),
    content        json        not null,
    content_hash   bytea       not null check (octet_length(content_hash) = 32),
    findings       jsonb       not null,
    format         text        not null check (format in ('json', 'urdb', 'cdr', 'csv', 'xlsx')),
    file           text        not null,
    file_hash      bytea       not null check (octet_length(file_hash) = 32),
    loaded_by      bigint      not null unique references billing.decisions,
    loaded_at      timestamptz not null default clock_timestamp(),
    unique (tariff, number)
);
comment on table billing.tariff_versions is 'Each content that a tariff was loaded with';
comment on column billing.tariff_versions.content is 'The tariff as docs/tariff-format.md says, as text: bytes are kept';
comment on column billing.tariff_versions.content_hash is 'SHA-256 of the content, as rated lines name it';
comment on column billing.tariff_versions.findings is 'What was found at load: warnings alone, an error loads nothing';
comment on column billing.tariff_versions.file is 'Name of the file that it came in, without its folder';
comment on column billing.tariff_versions.loaded_by is 'The decision of its maker';
create index tariff_versions_content on billing.tariff_versions (content_hash);
create trigger append_only before update or delete or truncate on billing.tariff_versions
    for each statement execute function billing.append_only();

create table billing.tariff_states (
    version  bigint      not null references billing.tariff_versions,
    state    text        not null check (state in ('approved', 'withdrawn')),
    decision bigint      not null unique references billing.decisions,
    noted_at timestamptz not null default clock_timestamp(),
    primary key (version, state)
);
comment on table billing.tariff_states is 'What became of a version after it was loaded; a draft has no row';
comment on column billing.tariff_states.decision is 'Of an approval: it checks the decision of the maker, as another person';
create trigger append_only before update or delete or truncate on billing.tariff_states
    for each statement execute function billing.append_only();

create function billing.tariff_state_follows() returns trigger language plpgsql as $$
begin
    -- Who approves and who withdraws at once wait for one another.
    perform pg_advisory_xact_lock(hashtextextended('billing.tariff_states', new.version));
    if exists (select from billing.tariff_states as s where s.version = new.version and s.state = 'withdrawn') then
        raise exception 'tariff version % is withdrawn', new.version
            using errcode = 'check_violation', constraint = 'withdrawn_is_the_end';
    end if;
    if new.state = 'approved' and not exists (
        select from billing.decisions as d join billing.tariff_versions as v on v.loaded_by = d.checks
        where d.id = new.decision and v.id = new.version) then
        raise exception 'tariff version %: this decision does not check its maker''s', new.version
            using errcode = 'check_violation', constraint = 'approved_by_another';
    end if;
    return new;
end
$$;
comment on function billing.tariff_state_follows is
    'Trigger: draft → approved → withdrawn, and the approval is another person''s than the maker''s';
create trigger follows before insert on billing.tariff_states
    for each row execute function billing.tariff_state_follows();

create view billing.tariff_versions_now as
select v.id, v.tariff, v.number, v.name, v.currency, v.market, v.commodity, v.customer_class, v.charges, v.content,
    v.content_hash, v.findings, v.format, v.file, v.loaded_at, v.loaded_by, maker.decided_by as maker,
    maker.why as made_why, approved.decided_by as approver, approved.decided_at as approved_at,
    withdrawn.decided_by as withdrawer, withdrawn.decided_at as withdrawn_at, withdrawn.why as withdrawn_why,
    case when withdrawn.id is not null then 'withdrawn' when approved.id is not null then 'approved' else 'draft' end
        as state,
    approved.id is not null and withdrawn.id is null and not exists (
        select from billing.tariff_versions as later
        join billing.tariff_states as a on (a.version, a.state) = (later.id, 'approved')
        where later.tariff = v.tariff and later.number > v.number
            and not exists (select from billing.tariff_states as w where (w.version, w.state) = (later.id, 'withdrawn')))
        as is_used
from billing.tariff_versions as v
join billing.decisions as maker on maker.id = v.loaded_by
left join billing.tariff_states as a on (a.version, a.state) = (v.id, 'approved')
left join billing.decisions as approved on approved.id = a.decision
left join billing.tariff_states as w on (w.version, w.state) = (v.id, 'withdrawn')
left join billing.decisions as withdrawn on withdrawn.id = w.decision;
comment on view billing.tariff_versions_now is
    'Versions with their state; used is the last one of a tariff that is approved and not withdrawn';


-- Series of prices, and profiles: values by instant, each load a version with what it changed

create table billing.rating_series (
    id       bigint      generated always as identity primary key,
    kind     text        not null check (kind in ('price', 'profile')),
    name     text        not null check (name ~ '\S'),
    minutes  integer     not null check (minutes between 1 and 1440 and 1440 % minutes = 0),
    noted_at timestamptz not null default clock_timestamp(),
    unique (kind, name)
);
comment on table billing.rating_series is 'Series that rating takes: prices per MWh, and weights of profiles';
comment on column billing.rating_series.minutes is 'Length of each value''s interval; its start is a multiple of it from midnight UTC';
create trigger append_only before update or delete or truncate on billing.rating_series
    for each statement execute function billing.append_only();

create table billing.rating_series_versions (
    series    bigint      not null references billing.rating_series,
    number    integer     not null check (number > 0),
    changed   integer     not null check (changed > 0),
    begins_at timestamptz not null,
    ends_at   timestamptz not null,
    file      text        not null,
    file_hash bytea       not null check (octet_length(file_hash) = 32),
    loaded_by bigint      not null references billing.decisions,
    loaded_at timestamptz not null default clock_timestamp(),
    primary key (series, number),
    constraint begins_before_it_ends check (ends_at > begins_at)
);
comment on table billing.rating_series_versions is 'Each load of a series that changed it';
comment on column billing.rating_series_versions.changed is 'Values that are new or other than before';
create trigger append_only before update or delete or truncate on billing.rating_series_versions
    for each statement execute function billing.append_only();

create table billing.rating_series_values (
    series    bigint      not null,
    starts_at timestamptz not null,
    version   integer     not null,
    value     numeric     not null,
    primary key (series, starts_at, version),
    foreign key (series, version) references billing.rating_series_versions
);
comment on table billing.rating_series_values is
    'At each instant the value of the highest version counts; of an earlier version of the series: the highest up to it';
create trigger append_only before update or delete or truncate on billing.rating_series_values
    for each statement execute function billing.append_only();

create view billing.price_series as
select s.name, s.minutes, v.number as version, v.changed, v.begins_at, v.ends_at, v.file, v.loaded_at
from billing.rating_series as s join billing.rating_series_versions as v on v.series = s.id where s.kind = 'price';
comment on view billing.price_series is 'Versions of series of prices';

create view billing.profiles as
select s.name, s.minutes, v.number as version, v.changed, v.begins_at, v.ends_at, v.file, v.loaded_at
from billing.rating_series as s join billing.rating_series_versions as v on v.series = s.id where s.kind = 'profile';
comment on view billing.profiles is 'Versions of profiles';
