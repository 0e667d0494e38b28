-- What was read of the customer's own systems, how far, and what follows from it beside readings.

create table billing.extractions (
    source       text        not null,
    resource     text        not null,
    watermark    timestamptz,
    extracted_at timestamptz,
    asked        text,
    etag         text,
    primary key (source, resource)
);
comment on table billing.extractions is 'How far each resource of a metering system was read';
comment on column billing.extractions.watermark is
    'The newest change that was seen, never beyond now; null: the source tells no changes, or was never read';
comment on column billing.extractions.asked is 'Of an API: the address that its mark of the answer (etag) is of';

create table billing.extracted_pieces (
    source     text  not null,
    resource   text  not null,
    piece      text  not null,
    hash       bytea not null check (length(hash) = 32),
    updated_at timestamptz,
    primary key (source, resource, piece)
);
comment on table billing.extracted_pieces is
    'Pieces that the next pass may read again, by the hash of their records: what is the same is dropped';
comment on column billing.extracted_pieces.piece is 'A read, a stream''s day, a price: by its key';

create table billing.extract_loads (
    file     bigint      primary key references billing.raw_files,
    resource text        not null,
    records  bigint      not null,
    held     bigint      not null default 0,
    sentence text        check (sentence ~ '\S'),
    noted_at timestamptz not null default clock_timestamp()
);
comment on table billing.extract_loads is 'What became of extracts of master data and prices; append-only';
comment on column billing.extract_loads.held is 'Records that do not count';
comment on column billing.extract_loads.sentence is 'Why they do not; null: all of them count';
create trigger append_only before update or delete or truncate on billing.extract_loads
    for each statement execute function billing.append_only();

create table billing.tariff_prices (
    id          bigint      generated always as identity primary key,
    tariff      text        not null check (tariff ~ '\S'),
    component   text        not null check (component ~ '\S'),
    place       text        not null default '',
    valid_from  date        not null,
    valid_until date,
    price       numeric     not null,
    unit        text        not null,
    currency    text        not null,
    file        bigint      not null references billing.raw_files,
    line        bigint      not null,
    state       text        not null check (state in ('counts', 'held')),
    code        text,
    sentence    text,
    recorded_at timestamptz not null default clock_timestamp(),
    replaced_at timestamptz,
    constraint begins_before_it_ends check (valid_until > valid_from),
    constraint held_says_why check ((state = 'held') = (code is not null and sentence is not null))
);
comment on table billing.tariff_prices is
    'Prices of tariffs by component and place; those that count have neither gap nor overlap. A row never changes: it is '
    'replaced by another';
comment on column billing.tariff_prices.place is 'Such as a network area; empty: everywhere';
comment on column billing.tariff_prices.valid_until is 'The first day that no longer counts; null: open';
comment on column billing.tariff_prices.file is 'The extract that it came in, and its line there';
create unique index tariff_prices_now on billing.tariff_prices (tariff, component, place, valid_from, state)
    where replaced_at is null;
create trigger guard before update on billing.tariff_prices
    for each row execute function billing.guard_master_data();
create trigger never_dropped before delete or truncate on billing.tariff_prices
    for each statement execute function billing.append_only();
