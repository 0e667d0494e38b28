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
        where (o.code, o.rate, -o.base, -o.amount) is distinct from (c.code, c.rate, c.base, c.amount))
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
