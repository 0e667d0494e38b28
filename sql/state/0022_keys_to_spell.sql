-- A uniqueidentifier of SQL Server was spelled as the driver had it, in capitals mostly; now it is spelled in one way. Sources
-- with such keys are looked at by their next staging: where the key is a uniqueidentifier there, and no text in capitals, what
-- is staged takes the new spelling along. Else each document would be gone, and be there anew.

create table billing.keys_to_spell (source text primary key);
comment on table billing.keys_to_spell is 'Sources whose staged keys may have the spelling of an earlier version; a staging that has looked takes them out';

insert into billing.keys_to_spell
select distinct source from billing.staged_invoices
where document_id ~ '^[0-9A-F]{8}-([0-9A-F]{4}-){3}[0-9A-F]{12}$' and document_id ~ '[A-F]';

-- A key as it is compared: one that looks like a uniqueidentifier without regard to case.
create function billing.key_of(document_id text) returns text language sql immutable parallel safe as $$
    select case when document_id ~* '^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$' then lower(document_id) else document_id end
$$;

-- As before, but that the spelling of a key may change.
create or replace function billing.guard_document() returns trigger language plpgsql as $$
begin
    if old.state <> new.state then
        if not exists (
            select 1 from billing.state_transitions as t where t.old_state = old.state and t.new_state = new.state
        ) then
            raise exception 'document % % may not go from % to %', old.kind, old.number, old.state, new.state
                using errcode = 'check_violation';
        end if;
        new.state_since := clock_timestamp();
    end if;
    if old.state in ('posted', 'differs') and (
        (new.source, billing.key_of(new.document_id), new.kind, new.number, new.status, new.document_date, new.period, new.customer,
         new.branch, new.currency, new.applies_to, new.total, new.line_count, new.lines, new.content_hash,
         new.external_id, new.batch)
        is distinct from
        (old.source, billing.key_of(old.document_id), old.kind, old.number, old.status, old.document_date, old.period, old.customer,
         old.branch, old.currency, old.applies_to, old.total, old.line_count, old.lines, old.content_hash,
         old.external_id, old.batch)
        or old.state = 'posted' and (new.netsuite_id, new.posted_at, new.epoch)
            is distinct from (old.netsuite_id, old.posted_at, old.epoch)
    ) then
        raise exception 'document % % is in NetSuite and never changes', old.kind, old.number
            using errcode = 'check_violation';
    end if;
    return new;
end
$$;
