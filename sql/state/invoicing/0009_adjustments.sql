-- What is charged or credited without usage: memos, charges for the next bill, adjustments of a balance, one-off invoices.

alter table billing.utility_invoices
    drop constraint utility_invoices_kind_check,
    add constraint utility_invoices_kind_check check (kind in ('invoice', 'cancel', 'memo', 'one_off'));

insert into billing.invoicing_transitions (subject, old_state, new_state) values
    ('adjustment', 'waiting', 'open'), ('adjustment', 'waiting', 'withdrawn'),
    ('adjustment', 'open', 'posted'), ('adjustment', 'open', 'withdrawn');

create table billing.account_adjustments (
    id           bigint      generated always as identity primary key,
    kind         text        not null check (kind in
        ('debit_memo', 'credit_memo', 'special_charge', 'true_up', 'ar_adjustment', 'one_off')),
    account      text        not null,
    currency     text        not null check (currency ~ '^[A-Z]{3}$'),
    amount       numeric     not null check (amount <> 0),
    lines        json        not null,
    is_taxed     boolean     not null,
    reason       text        not null check (reason ~ '^[A-Z][A-Z0-9_]*$'),
    key          text        unique,
    needs_check  boolean     not null,
    state        text        not null default 'waiting' check (state in ('waiting', 'open', 'posted', 'withdrawn')),
    decision     bigint      unique references billing.decisions,
    checked      bigint      unique references billing.decisions,
    document     bigint      unique references billing.utility_invoices,
    noted_at     timestamptz not null default clock_timestamp(),
    since        timestamptz not null default clock_timestamp(),
    constraint a_person_or_a_key check (decision is not null or key is not null),
    constraint is_checked check (state in ('waiting', 'withdrawn') or not needs_check or checked is not null),
    constraint memos_have_their_sign check ((kind <> 'debit_memo' or amount > 0) and (kind <> 'credit_memo' or amount < 0)),
    constraint has_its_document check (
        (kind in ('debit_memo', 'credit_memo', 'one_off') and state = 'posted') = (document is not null))
);
comment on table billing.account_adjustments is 'What is charged or credited to an account without usage, by a person or for a key';
comment on column billing.account_adjustments.amount is 'Without tax; below zero: a credit';
comment on column billing.account_adjustments.lines is 'As a rating case has charges by hand, with their group';
comment on column billing.account_adjustments.reason is 'Code of the reason, such as GOODWILL';
comment on column billing.account_adjustments.key is 'Of what is made without a person: the same key makes nothing again';
comment on column billing.account_adjustments.state is
    'waiting: for another person; open: a charge that is held until the next bill (invoiced_adjustments: on which it is)';
create index account_adjustments_open on billing.account_adjustments (account) where state in ('waiting', 'open');
create trigger follow_the_path before update on billing.account_adjustments
    for each row execute function billing.follow_the_path('adjustment');
create trigger never_dropped before delete or truncate on billing.account_adjustments
    for each statement execute function billing.append_only();

create function billing.guard_adjustment() returns trigger language plpgsql as $$
begin
    if to_jsonb(new) - array['state', 'checked', 'document', 'since']
        is distinct from to_jsonb(old) - array['state', 'checked', 'document', 'since'] then
        raise exception 'adjustment % never changes: withdraw it and enter another', old.id using errcode = 'check_violation';
    end if;
    if new.checked is not null and not exists (
        select from billing.decisions as d where d.id = new.checked and d.checks = new.decision) then
        raise exception 'adjustment %: this decision does not check its maker''s', new.id
            using errcode = 'check_violation', constraint = 'checked_by_another';
    end if;
    return new;
end
$$;
create trigger guard before update on billing.account_adjustments
    for each row execute function billing.guard_adjustment();

create table billing.invoiced_adjustments (
    invoice    bigint  not null references billing.utility_invoices,
    adjustment bigint  not null references billing.account_adjustments,
    is_live    boolean not null default true,
    primary key (invoice, adjustment)
);
comment on table billing.invoiced_adjustments is 'Which bill a held charge is on; freed with the bill, it is held again';
create unique index invoiced_adjustments_once on billing.invoiced_adjustments (adjustment) where is_live;
create trigger guard_invoiced before update on billing.invoiced_adjustments
    for each row execute function billing.guard_invoiced();
create trigger never_dropped before delete or truncate on billing.invoiced_adjustments
    for each statement execute function billing.append_only();
