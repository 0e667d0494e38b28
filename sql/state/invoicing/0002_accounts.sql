-- Who is billed, by what agreement, in which group and when. Rows count from `valid_from` until before `valid_until` (null: open);
-- what is corrected is replaced by another row and kept, as in metering's master data.

create table billing.bill_groups (
    id            bigint      generated always as identity primary key,
    bill_group    text        not null check (bill_group ~ '\S'),
    valid_from    date        not null,
    valid_until   date,
    name          text        not null default '',
    issuer        text        not null check (issuer ~ '^[A-Z0-9]{1,12}$'),
    currency      text        not null check (currency ~ '^[A-Z]{3}$'),
    automated     boolean     not null default false,
    instructions  text[]      not null default '{}' check (instructions <@ array['do_not_print', 'extra_postage',
        'same_envelope', 'summary_billing', 'insert_required', 'post_card']),
    max_batch     integer     not null default 200 check (max_batch between 1 and 10000),
    ceiling       numeric     check (ceiling > 0),
    strict        boolean     not null default false,
    checks_off    text[]      not null default '{}',
    due_days      integer     not null default 16 check (due_days between 0 and 120),
    without_charges boolean   not null default false,
    recorded_at   timestamptz not null default clock_timestamp(),
    replaced_at   timestamptz,
    constraint begins_before_it_ends check (valid_until > valid_from)
);
comment on table billing.bill_groups is 'Groups of accounts that are billed together, with what is special about them';
comment on column billing.bill_groups.issuer is 'Whose invoices these are: numbers are unique to it';
comment on column billing.bill_groups.automated is 'Whether batches go on by themselves while no error is open';
comment on column billing.bill_groups.ceiling is 'A larger total is approved by a person; null: none is too large';
comment on column billing.bill_groups.strict is 'Whether warnings, too, wait for a person';
comment on column billing.bill_groups.checks_off is 'Codes of validations that are not run';
comment on column billing.bill_groups.due_days is 'Days from invoice date to due date';
comment on column billing.bill_groups.without_charges is 'Whether usage may be billed before the utility''s charges have come';
create unique index bill_groups_now on billing.bill_groups (bill_group, valid_from) where replaced_at is null;

create table billing.bill_cycles (
    id            bigint      generated always as identity primary key,
    bill_group    text        not null,
    cycle         text        not null check (cycle ~ '\S'),
    valid_from    date        not null,
    valid_until   date,
    estimate_from date        not null,
    read_on       date        not null,
    invoice_date  date        not null,
    recorded_at   timestamptz not null default clock_timestamp(),
    replaced_at   timestamptz,
    constraint begins_before_it_ends check (valid_until > valid_from)
);
comment on table billing.bill_cycles is 'Windows in which a group is billed: every night from valid_from until before valid_until';
comment on column billing.bill_cycles.estimate_from is 'First day on which usage may be estimated';
create unique index bill_cycles_now on billing.bill_cycles (bill_group, cycle, valid_from) where replaced_at is null;

create table billing.accounts (
    id             bigint      generated always as identity primary key,
    account        text        not null check (account ~ '\S'),
    valid_from     date        not null,
    valid_until    date,
    bill_group     text        not null,
    customer_class text        not null default '',
    billing_model  text        not null default 'supplier_consolidated' check (billing_model in
        ('supplier_consolidated', 'bill_ready', 'rate_ready', 'dual')),
    delivery       text        not null default 'paper' check (delivery in ('paper', 'email', 'both', 'none')),
    tax_codes      text[]      not null default '{}',
    is_taxed       boolean     not null default true,
    exempt_until   date,
    plan           text        not null default 'none' check (plan in ('none', 'budget', 'average')),
    language       text        not null default 'en',
    address_fault  text        not null default '',
    email_bounces  integer     not null default 0 check (email_bounces >= 0),
    status         text        not null default 'active' check (status in ('active', 'ending', 'ended')),
    recorded_at    timestamptz not null default clock_timestamp(),
    replaced_at    timestamptz,
    constraint begins_before_it_ends check (valid_until > valid_from)
);
comment on table billing.accounts is 'Customers'' accounts by their ids, with what billing needs of them; no names, no addresses';
comment on column billing.accounts.tax_codes is 'Codes of the places whose taxes apply';
comment on column billing.accounts.address_fault is 'Why paper cannot be delivered; empty: it can';
create unique index accounts_now on billing.accounts (account, valid_from) where replaced_at is null;
create index accounts_group on billing.accounts (bill_group) where replaced_at is null;

create table billing.agreements (
    id          bigint      generated always as identity primary key,
    point       text        not null,
    account     text        not null,
    valid_from  date        not null,
    valid_until date,
    tariff      text        not null check (tariff ~ '\S'),
    rate_class  text        not null default '',
    needs_approval boolean  not null default false,
    recorded_at timestamptz not null default clock_timestamp(),
    replaced_at timestamptz,
    constraint begins_before_it_ends check (valid_until > valid_from)
);
comment on table billing.agreements is 'By which tariff an account is billed at a service point, from when until when';
comment on column billing.agreements.rate_class is 'Rate class of the utility; empty: not compared';
comment on column billing.agreements.needs_approval is 'Whether a person approves its usage before it is billed, as for index products';
create unique index agreements_now on billing.agreements (point, valid_from) where replaced_at is null;
create index agreements_account on billing.agreements (account) where replaced_at is null;

create table billing.account_holds (
    id        bigint      generated always as identity primary key,
    account   text        not null,
    until     date        not null,
    decision  bigint      not null unique references billing.decisions,
    ended_by  bigint      unique references billing.decisions,
    noted_at  timestamptz not null default clock_timestamp()
);
comment on table billing.account_holds is 'Accounts that are not billed for now: by whom and why says the decision';
create index account_holds_open on billing.account_holds (account) where ended_by is null;

do $$
declare
    one text;
begin
    foreach one in array array['bill_groups', 'bill_cycles', 'accounts', 'agreements'] loop
        execute format('create trigger guard before update on billing.%I
            for each row execute function billing.guard_master_data()', one);
        execute format('create trigger never_dropped before delete or truncate on billing.%I
            for each statement execute function billing.append_only()', one);
    end loop;
end
$$;
create trigger never_dropped before delete or truncate on billing.account_holds
    for each statement execute function billing.append_only();
