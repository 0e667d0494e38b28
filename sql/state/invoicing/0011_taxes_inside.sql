-- Taxes that are in the prices already: the lines have them, and the net amount does not.

alter table billing.utility_invoice_taxes add column is_inside boolean not null default false;
comment on column billing.utility_invoice_taxes.is_inside is 'Whether the lines have it already: prices include it';

create or replace function billing.guard_invoice_sums() returns trigger language plpgsql as $$
declare
    lines numeric;
    taxes numeric;
    inside numeric;
begin
    select coalesce(sum(amount), 0) into lines from billing.utility_invoice_lines where invoice = new.id;
    select coalesce(sum(amount), 0), coalesce(sum(amount) filter (where is_inside), 0) into taxes, inside
    from billing.utility_invoice_taxes where invoice = new.id;
    if lines - inside <> new.net or taxes <> new.tax then
        raise exception 'invoice %: lines % and taxes %, % of them inside, are not its net % and tax %',
            new.id, lines, taxes, inside, new.net, new.tax
            using errcode = 'check_violation', constraint = 'header_equals_lines';
    end if;
    return null;
end
$$;
