-- Corrections: what became of each, and that a cancel mirrors what it cancels.

alter table billing.invoice_corrections
    add column message    bigint      references billing.usage_messages,
    add column part_of    bigint      references billing.invoice_corrections,
    add column outcome    text        check (outcome in ('cancelled', 'rebilled', 'noted', 'adjusted')),
    add column batch      bigint      references billing.invoice_batches,
    add column code       text,
    add column why        text,
    add column ended_at   timestamptz,
    add constraint done_has_an_outcome check ((state = 'done') = (outcome is not null)),
    add constraint kept_back_says_why check ((code is null) = (why is null));
comment on column billing.invoice_corrections.message is 'The usage, or charges, that are billed again';
comment on column billing.invoice_corrections.part_of is 'The correction whose rebill has the days of this invoice, too';
comment on column billing.invoice_corrections.outcome is
    'noted: it was billed alike; adjusted: the difference is on the next bill';
comment on column billing.invoice_corrections.batch is 'The batch of its documents';
comment on column billing.invoice_corrections.code is 'What keeps it from being done: a person looks';
create index invoice_corrections_original on billing.invoice_corrections (original);
create index invoice_corrections_ended on billing.invoice_corrections (ended_at) where outcome = 'cancelled';
create trigger never_dropped before delete or truncate on billing.invoice_corrections
    for each statement execute function billing.append_only();
create index utility_invoices_replaces on billing.utility_invoices (replaces) where replaces is not null;

create function billing.guard_cancel() returns trigger language plpgsql as $$
begin
    if exists (
        select from billing.utility_invoices as i
        where i.id = new.cancels and (i.kind, i.account, i.currency, i.period_start, i.period_end, -i.net, -i.tax)
            is distinct from ('invoice', new.account, new.currency, new.period_start, new.period_end, new.net, new.tax))
    or exists (
        select from (select * from billing.utility_invoice_lines where invoice = new.cancels) as o
        full join (select * from billing.utility_invoice_lines where invoice = new.id) as c using (position)
        where (o.code, -o.quantity, o.price, -o.amount) is distinct from (c.code, c.quantity, c.price, c.amount))
    or exists (
        select from (select * from billing.utility_invoice_taxes where invoice = new.cancels) as o
        full join (select * from billing.utility_invoice_taxes where invoice = new.id) as c using (position)
        where (o.code, o.rate, o.is_inside, -o.base, -o.amount) is distinct from
            (c.code, c.rate, c.is_inside, c.base, c.amount))
    then
        raise exception 'cancel % is not invoice % with the opposite sign', new.id, new.cancels
            using errcode = 'check_violation', constraint = 'cancel_mirrors';
    end if;
    return null;
end
$$;
comment on function billing.guard_cancel is 'Trigger at commit: cancel and original are 0.00, each line and each tax';
create constraint trigger cancel_mirrors after insert on billing.utility_invoices
    deferrable initially deferred for each row when (new.kind = 'cancel') execute function billing.guard_cancel();


-- An invoice that charges what the new usage would: that takes the place of the old one on it, and no document is made

alter table billing.invoiced_usage
    add column replaced_by text,
    add constraint replaced_on_the_same_invoice foreign key (invoice, replaced_by)
        references billing.invoiced_usage (invoice, version) deferrable initially deferred;
comment on column billing.invoiced_usage.replaced_by is 'What took its place on the same invoice';
alter table billing.invoiced_charges
    add column replaced_by bigint,
    add constraint replaced_on_the_same_invoice foreign key (invoice, replaced_by)
        references billing.invoiced_charges (invoice, message) deferrable initially deferred;
comment on column billing.invoiced_charges.replaced_by is 'What took its place on the same invoice';

create or replace function billing.guard_invoiced() returns trigger language plpgsql as $$
begin
    if to_jsonb(new) - array['is_live', 'replaced_by'] is distinct from to_jsonb(old) - array['is_live', 'replaced_by']
        or (new.is_live and not old.is_live)
        or to_jsonb(new)->'replaced_by' is distinct from to_jsonb(old)->'replaced_by'
            and not (old.is_live and not new.is_live) then
        raise exception 'what is on invoice % stays: it is freed once, and never taken back', old.invoice
            using errcode = 'check_violation';
    end if;
    if not new.is_live and to_jsonb(new)->>'replaced_by' is null and exists (
        select from billing.utility_invoices as i where i.id = new.invoice and i.state not in ('discarded', 'cancelled', 'rebilled')
    ) then
        raise exception 'usage of invoice % is freed with the invoice, not before', old.invoice using errcode = 'check_violation';
    end if;
    return new;
end
$$;


-- What is on the account's next bill: differences too small for a bill of their own

create table billing.invoice_adjustments (
    id           bigint      generated always as identity primary key,
    correction   bigint      not null references billing.invoice_corrections,
    original     bigint      not null references billing.utility_invoices,
    account      text        not null,
    currency     text        not null,
    period_start date        not null,
    period_end   date        not null,
    amount       numeric     not null,
    taxes        json        not null,
    invoice      bigint      references billing.utility_invoices,
    was_on       bigint      references billing.utility_invoices,
    held_at      timestamptz not null default clock_timestamp(),
    unique (correction, original),
    constraint has_days check (period_end > period_start)
);
comment on table billing.invoice_adjustments is 'Differences that wait for the account''s next bill, and on which they are';
comment on column billing.invoice_adjustments.amount is 'Of the line; taxes that the prices include are in it';
comment on column billing.invoice_adjustments.taxes is 'Code, jurisdiction, rate, base, amount, is_inside: by how much each tax changes';
comment on column billing.invoice_adjustments.was_on is 'The invoice that was discarded or cancelled since';
create index invoice_adjustments_original on billing.invoice_adjustments (original);
create index invoice_adjustments_held on billing.invoice_adjustments (account) where invoice is null;
create index invoice_adjustments_invoice on billing.invoice_adjustments (invoice) where invoice is not null;
create trigger never_dropped before delete or truncate on billing.invoice_adjustments
    for each statement execute function billing.append_only();

create function billing.guard_held_difference() returns trigger language plpgsql as $$
begin
    if to_jsonb(new) - array['invoice', 'was_on'] is distinct from to_jsonb(old) - array['invoice', 'was_on'] then
        raise exception 'what adjustment % says never changes', old.id using errcode = 'check_violation';
    end if;
    if old.invoice is not null and new.invoice is distinct from old.invoice and exists (
        select from billing.utility_invoices as i where i.id = old.invoice and i.state not in ('discarded', 'cancelled', 'rebilled')
    ) then
        raise exception 'adjustment % is on invoice %', old.id, old.invoice using errcode = 'check_violation';
    end if;
    return new;
end
$$;
comment on function billing.guard_held_difference is 'Trigger: an adjustment is on one live invoice, and free with that alone';
create trigger guard_held_difference before update on billing.invoice_adjustments
    for each row execute function billing.guard_held_difference();
