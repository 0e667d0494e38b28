-- X12: the control numbers of what we send to trading partners

create table billing.x12_control_numbers (
    partner text   not null check (partner ~ '\S'),
    kind    text   not null check (kind in ('ISA', 'GS')),
    last    bigint not null check (last > 0),
    primary key (partner, kind)
);
comment on table billing.x12_control_numbers is
    'The last control number of each partner; taken in the transaction that stores the interchange, so that none is missing';
comment on column billing.x12_control_numbers.kind is 'ISA: interchanges (ISA13); GS: groups (GS06)';

create function billing.guard_x12_control_number() returns trigger language plpgsql as $$
begin
    if (new.partner, new.kind) is distinct from (old.partner, old.kind) or new.last < old.last then
        raise exception 'control numbers of % never go back', old.partner using errcode = 'check_violation';
    end if;
    return new;
end
$$;
comment on function billing.guard_x12_control_number is 'Trigger: a number is never given twice';
create trigger guard_x12_control_number before update on billing.x12_control_numbers
    for each row execute function billing.guard_x12_control_number();
create trigger never_dropped before delete or truncate on billing.x12_control_numbers
    for each statement execute function billing.append_only();
