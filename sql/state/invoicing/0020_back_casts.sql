-- Back-casting: which versions of series an invoice was rated with, and what newer ones change.

create table billing.invoice_series (
    invoice bigint  not null references billing.utility_invoices,
    kind    text    not null check (kind in ('price', 'profile')),
    name    text    not null,
    version integer not null,
    primary key (invoice, kind, name)
);
comment on table billing.invoice_series is 'The versions of series that an invoice was rated with; append-only';
insert into billing.invoice_series (invoice, kind, name, version)
select i.id, case k.kind when 'profiles' then 'profile' else 'price' end, series.key, (series.value->>'version')::int
from billing.utility_invoices as i
cross join unnest(array['price_series', 'profiles']) as k (kind)
cross join lateral json_each(coalesce(i.rated->'case'->'context'->k.kind, '{}')) as series;
create index invoice_series_older on billing.invoice_series (kind, name, version);
create trigger append_only before update or delete or truncate on billing.invoice_series
    for each statement execute function billing.append_only();

create table billing.back_casts (
    id         bigint      generated always as identity primary key,
    invoice    bigint      not null references billing.utility_invoices,
    versions   text        not null check (versions ~ '\S'),
    old_amount numeric     not null,
    new_amount numeric     not null,
    outcome    text        not null check (outcome in
        ('logged', 'adjusted', 'to_rebill', 'supplemented', 'written_off')),
    adjustment bigint      unique references billing.account_adjustments,
    noted_at   timestamptz not null default clock_timestamp(),
    unique (invoice, versions),
    constraint charged_by_an_adjustment check ((outcome in ('adjusted', 'supplemented')) = (adjustment is not null))
);
comment on table billing.back_casts is 'An invoice rated again by newer versions of series; append-only';
comment on column billing.back_casts.versions is 'Of all series of the invoice: the same is rated again once';
comment on column billing.back_casts.old_amount is 'What was billed last, true-ups included; without tax';
comment on column billing.back_casts.outcome is
    'logged: too small, or too late; to_rebill: is to be cancelled and billed again; supplemented: by a document of its own';
create trigger append_only before update or delete or truncate on billing.back_casts
    for each statement execute function billing.append_only();

create view billing.back_casts_to_rebill as
select b.id as back_cast, b.invoice, i.number, i.account, b.new_amount - b.old_amount as change, b.noted_at
from billing.back_casts as b join billing.utility_invoices as i on i.id = b.invoice
where b.outcome = 'to_rebill' and i.state = 'issued' and not exists (
    select from billing.back_casts as later where later.invoice = b.invoice and later.id > b.id);
comment on view billing.back_casts_to_rebill is 'Invoices that newer prices want cancelled and billed again';
