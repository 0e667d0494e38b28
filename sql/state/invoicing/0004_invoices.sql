-- Invoices to customers of the utility: drafts, what is on them, their numbers; corrections; who looked at what before release.

create table billing.number_ranges (
    issuer   text    not null check (issuer ~ '^[A-Z0-9]{1,12}$'),
    year     integer not null check (year between 2000 and 2999),
    next     bigint  not null default 1 check (next > 0),
    last     bigint  not null default 99999999 check (last > 0),
    primary key (issuer, year),
    constraint not_overdrawn check (next <= last + 1)
);
comment on table billing.number_ranges is
    'Invoice numbers: {issuer}{yy}{seq:08}, given inside the transaction that issues, so that none is left out';
create function billing.guard_number_range() returns trigger language plpgsql as $$
begin
    if new.next < old.next or (new.issuer, new.year) <> (old.issuer, old.year) then
        raise exception 'numbers of % % are never given again', old.issuer, old.year using errcode = 'check_violation';
    end if;
    return new;
end
$$;
create trigger guard_number_range before update on billing.number_ranges
    for each row execute function billing.guard_number_range();
create trigger never_dropped before delete or truncate on billing.number_ranges
    for each statement execute function billing.append_only();

create table billing.invoice_corrections (
    id         bigint      generated always as identity primary key,
    original   bigint      not null,
    reason     text        not null check (reason ~ '\S'),
    cause      bigint      references billing.usage_messages,
    state      text        not null default 'opened' check (state in ('opened', 'waiting', 'ready', 'done', 'withdrawn')),
    due_at     timestamptz,
    decision   bigint      references billing.decisions,
    opened_at  timestamptz not null default clock_timestamp()
);
comment on table billing.invoice_corrections is 'What cancels an issued invoice, and bills it again';
comment on column billing.invoice_corrections.cause is 'The message that says so; null: a person';
create unique index invoice_corrections_open on billing.invoice_corrections (original)
    where state in ('opened', 'waiting', 'ready');
create trigger follow_the_path before update on billing.invoice_corrections
    for each row execute function billing.follow_the_path('correction');

create table billing.utility_invoices (
    id              bigint      generated always as identity primary key,
    kind            text        not null default 'invoice' check (kind in ('invoice', 'cancel')),
    batch           bigint      references billing.invoice_batches,
    member          bigint      unique references billing.batch_members,
    account         text        not null,
    bill_group      text        not null,
    issuer          text        not null,
    currency        text        not null check (currency ~ '^[A-Z]{3}$'),
    source          text        not null check (source in ('automatic', 'manual')),
    period_start    date        not null,
    period_end      date        not null,
    is_estimated    boolean     not null default false,
    is_final        boolean     not null default false,
    tariff          text        not null default '',
    tariff_version  bigint      references billing.tariff_versions,
    rated           json        not null,
    net             numeric     not null,
    tax             numeric     not null,
    total           numeric     not null,
    balance_forward numeric     not null default 0,
    amount_due      numeric     not null,
    correction      bigint      references billing.invoice_corrections,
    cancels         bigint      references billing.utility_invoices,
    replaces        bigint      references billing.utility_invoices,
    usage_received_at timestamptz,
    rated_at        timestamptz not null default clock_timestamp(),
    deliver         boolean     not null default true,
    state           text        not null default 'drafted' check (state in
        ('drafted', 'qa_hold', 'approved', 'issued', 'discarded', 'cancelled', 'rebilled')),
    number          text,
    year            integer,
    sequence        bigint,
    invoice_date    date,
    due_date        date,
    issued_at       timestamptz,
    mailed_on       date,
    pdf_hash        bytea       check (octet_length(pdf_hash) = 32),
    einvoice_hash   bytea       check (octet_length(einvoice_hash) = 32),
    constraint has_days check (period_end > period_start),
    constraint adds_up check (net + tax = total),
    constraint issued_has_its_number check (
        (state in ('issued', 'cancelled', 'rebilled'))
        = (number is not null and issued_at is not null and invoice_date is not null and due_date is not null)),
    constraint a_cancel_names_its_invoice check ((kind = 'cancel') = (cancels is not null)),
    constraint number_once unique (issuer, number),
    constraint sequence_once unique (issuer, year, sequence)
);
comment on table billing.utility_invoices is 'Documents that the invoice engine made; what is issued never changes';
comment on column billing.utility_invoices.rated is 'What was rated (tariff, usage, period, context) and the answer, as text';
comment on column billing.utility_invoices.amount_due is 'Total and balance forward, or the amount of a budget plan';
comment on column billing.utility_invoices.deliver is 'Whether the customer gets it: a cancel whose rebill explains both is not delivered';
create unique index utility_invoices_cancelled_once on billing.utility_invoices (cancels)
    where cancels is not null and state <> 'discarded';
create index utility_invoices_open on billing.utility_invoices (batch) where state in ('drafted', 'qa_hold', 'approved');
create index utility_invoices_batch on billing.utility_invoices (batch);
create index utility_invoices_account on billing.utility_invoices (account, period_end);
create index utility_invoices_day on billing.utility_invoices (account, rated_at);
alter table billing.invoice_corrections
    add constraint corrects_an_invoice foreign key (original) references billing.utility_invoices;

create function billing.guard_invoice() returns trigger language plpgsql as $$
declare
    moving text[] := case when old.number is null
        then array['state', 'number', 'year', 'sequence', 'invoice_date', 'due_date', 'issued_at']
        else array['state', 'mailed_on', 'pdf_hash', 'einvoice_hash'] end;
begin
    if to_jsonb(new) - moving is distinct from to_jsonb(old) - moving then
        raise exception 'invoice % (%) never changes', coalesce(old.number, old.id::text), old.state
            using errcode = 'check_violation';
    end if;
    return new;
end
$$;
comment on function billing.guard_invoice is 'Trigger: what is on an invoice never changes; issuing gives it number and dates';
create trigger guard_invoice before update on billing.utility_invoices
    for each row execute function billing.guard_invoice();
create trigger follow_the_path before update on billing.utility_invoices
    for each row execute function billing.follow_the_path('invoice');
create trigger never_dropped before delete or truncate on billing.utility_invoices
    for each statement execute function billing.append_only();

create table billing.utility_invoice_lines (
    invoice       bigint  not null references billing.utility_invoices,
    position      integer not null check (position > 0),
    code          text    not null,
    bill_text     text    not null,
    point         text    not null default '',
    period_start  date    not null,
    period_end    date    not null,
    quantity      numeric not null,
    unit          text    not null,
    price         numeric,
    price_base    numeric,
    amount        numeric not null,
    tax_category  text,
    is_estimated  boolean not null default false,
    detail        json    not null,
    primary key (invoice, position)
);
comment on table billing.utility_invoice_lines is 'Lines as rating made them; append-only';
comment on column billing.utility_invoice_lines.detail is 'The whole line of the answer: version, season, window, block, evidence';

create table billing.utility_invoice_taxes (
    invoice      bigint  not null references billing.utility_invoices,
    position     integer not null check (position > 0),
    code         text    not null,
    jurisdiction text,
    rate         numeric not null,
    base         numeric not null,
    amount       numeric not null,
    primary key (invoice, position)
);
comment on table billing.utility_invoice_taxes is 'Taxes as rating made them; append-only';

do $$
declare
    one text;
begin
    foreach one in array array['utility_invoice_lines', 'utility_invoice_taxes'] loop
        execute format('create trigger append_only before update or delete or truncate on billing.%I
            for each statement execute function billing.append_only()', one);
    end loop;
end
$$;

create function billing.guard_invoice_sums() returns trigger language plpgsql as $$
declare
    lines numeric;
    taxes numeric;
begin
    select coalesce(sum(amount), 0) into lines from billing.utility_invoice_lines where invoice = new.id;
    select coalesce(sum(amount), 0) into taxes from billing.utility_invoice_taxes where invoice = new.id;
    if lines <> new.net or taxes <> new.tax then
        raise exception 'invoice %: lines % and taxes % are not its net % and tax %', new.id, lines, taxes, new.net, new.tax
            using errcode = 'check_violation', constraint = 'header_equals_lines';
    end if;
    return null;
end
$$;
comment on function billing.guard_invoice_sums is 'Trigger at commit: the header of an invoice equals its lines and taxes';
create constraint trigger header_equals_lines after insert on billing.utility_invoices
    deferrable initially deferred for each row execute function billing.guard_invoice_sums();


-- What is on which invoice: the guard against billing twice

create table billing.invoiced_streams (
    id      bigint generated always as identity primary key,
    point   text   not null,
    channel text   not null,
    unique (point, channel)
);
comment on table billing.invoiced_streams is
    'Numbers of (service point, channel): a range of one number stands for it where days are kept apart, without btree_gist';

create table billing.invoiced_usage (
    invoice bigint    not null references billing.utility_invoices,
    version text      not null,
    message bigint    references billing.usage_messages,
    stream  bigint    not null references billing.invoiced_streams,
    days    daterange not null check (not isempty(days) and lower_inc(days) and not upper_inc(days)),
    kwh     numeric   not null,
    is_live boolean   not null default true,
    primary key (invoice, version),
    constraint day_on_one_invoice exclude using gist (int8range(stream, stream, '[]') with &&, days with &&)
        where (is_live)
);
comment on table billing.invoiced_usage is 'Which version of usage is on which invoice; a day of a stream is on one live invoice';
comment on column billing.invoiced_usage.version is 'Of an 867 867/<message>: the version is on one live invoice';
create unique index invoiced_usage_version on billing.invoiced_usage (version) where is_live;
create index invoiced_usage_message on billing.invoiced_usage (message);
create index invoiced_usage_stream on billing.invoiced_usage (stream, upper(days) desc) where is_live;

create table billing.invoiced_charges (
    invoice bigint  not null references billing.utility_invoices,
    message bigint  not null references billing.usage_messages,
    total   numeric not null,
    is_live boolean not null default true,
    primary key (invoice, message)
);
comment on table billing.invoiced_charges is 'Which charges of the utility are on which invoice';
create unique index invoiced_charges_message on billing.invoiced_charges (message) where is_live;

create function billing.guard_invoiced() returns trigger language plpgsql as $$
begin
    if to_jsonb(new) - 'is_live' is distinct from to_jsonb(old) - 'is_live' or (new.is_live and not old.is_live) then
        raise exception 'what is on invoice % stays: it is freed once, and never taken back', old.invoice
            using errcode = 'check_violation';
    end if;
    if not new.is_live and exists (
        select from billing.utility_invoices as i where i.id = new.invoice and i.state not in ('discarded', 'cancelled', 'rebilled')
    ) then
        raise exception 'usage of invoice % is freed with the invoice, not before', old.invoice using errcode = 'check_violation';
    end if;
    return new;
end
$$;
do $$
declare
    one text;
begin
    foreach one in array array['invoiced_usage', 'invoiced_charges'] loop
        execute format('create trigger guard_invoiced before update on billing.%I
            for each row execute function billing.guard_invoiced()', one);
        execute format('create trigger never_dropped before delete or truncate on billing.%I
            for each statement execute function billing.append_only()', one);
    end loop;
end
$$;


-- Quality checks before release

create table billing.invoice_quality_findings (
    id          bigint      generated always as identity primary key,
    invoice     bigint      not null references billing.utility_invoices,
    code        text        not null,
    severity    text        not null check (severity in ('error', 'warning', 'info')),
    sentence    text        not null check (sentence ~ '\S'),
    value       text        not null default '',
    decision    bigint      references billing.decisions,
    found_at    timestamptz not null default clock_timestamp(),
    unique (invoice, code)
);
comment on table billing.invoice_quality_findings is 'What the quality checks found in a draft; decision: who looked at it and let it go';
create trigger never_dropped before delete or truncate on billing.invoice_quality_findings
    for each statement execute function billing.append_only();
