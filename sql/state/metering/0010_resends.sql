-- An interchange that a partner refused, or that got lost, is sent again by a person's decision: the same bytes, the same number.

create table billing.interchange_resends (
    interchange bigint      not null references billing.outbound_interchanges,
    number      integer     not null check (number >= 1),
    decision    bigint      not null references billing.decisions,
    noted_at    timestamptz not null default clock_timestamp(),
    primary key (interchange, number)
);
comment on table billing.interchange_resends is 'Interchanges that are sent again, each time by a decision; append-only';
create trigger append_only before update or delete or truncate on billing.interchange_resends
    for each statement execute function billing.append_only();

alter table billing.outbound_files add column resend integer not null default 0;
comment on column billing.outbound_files.resend is 'Which sending again it is (interchange_resends.number); 0: the first';
alter table billing.outbound_files drop constraint outbound_files_interchange_key;
alter table billing.outbound_files add constraint each_sending_once unique (interchange, resend);

create view billing.interchange_sendings as
select i.id as interchange, i.partner, i.control, i.name, i.sha256, length(i.content) as size, i.made_at as noted_at, 0 as resend
from billing.outbound_interchanges as i
union all
select i.id, i.partner, i.control, regexp_replace(i.name, '(\.[^.]*)?$', '-again-' || r.number || '\1'), i.sha256,
    length(i.content), r.noted_at, r.number
from billing.interchange_resends as r join billing.outbound_interchanges as i on i.id = r.interchange;
comment on view billing.interchange_sendings is 'Each time that an interchange is to be sent, under a name of its own';

create or replace function billing.guard_outbound_interchange() returns trigger language plpgsql as $$
begin
    if (new.partner, new.type, new.control, new.name, new.content, new.sha256, new.answers)
        is distinct from (old.partner, old.type, old.control, old.name, old.content, old.sha256, old.answers)
        or old.acknowledged_at is not null and new.acknowledged_at is distinct from old.acknowledged_at
            and not exists (
                select from billing.interchange_resends as r
                where r.interchange = old.id and r.noted_at > old.acknowledged_at)
    then
        raise exception 'interchange % of % never changes', old.control, old.partner using errcode = 'check_violation';
    end if;
    return new;
end
$$;
comment on function billing.guard_outbound_interchange is
    'The first word of a partner counts, and the first after each sending again';
