-- What keeps the work in a second independent of what was ever posted, and moves the log of what is long posted aside.

-- In the order of those who write: whoever is at work meanwhile is waited for, and never waits for us in a circle.
lock table billing.staged_invoices, billing.posting_attempts, billing.posting_outcomes in access exclusive mode;

-- The log of documents that were posted long ago, by the month in which they were: a month is detached with one command.
create table billing.archived_attempts (
    like billing.posting_attempts,
    posted_at timestamptz not null,
    primary key (document, attempt, posted_at)
) partition by range (posted_at);
create table billing.archived_outcomes (
    like billing.posting_outcomes,
    posted_at timestamptz not null,
    primary key (attempt, id, posted_at)
) partition by range (posted_at);
comment on table billing.archived_attempts is 'Attempts whose document was posted long ago; partitions by month of posting';
comment on table billing.archived_outcomes is 'The outcomes of archived_attempts, in partitions of the same months';

create function billing.open_archive(month date) returns void language plpgsql as $$
declare
    parent text;
    part text;
begin
    foreach parent in array array['archived_attempts', 'archived_outcomes'] loop
        part := parent || to_char(month, '_YYYY_MM');
        if to_regclass('billing.' || part) is null then  -- what is detached has another name
            execute format('create table billing.%I (like billing.%I including indexes)', part, parent);
            execute format('create trigger append_only before update or delete or truncate on billing.%I
                            for each statement execute function billing.append_only()', part);
            -- attached, not created as a partition: nobody who reads the log waits
            execute format('alter table billing.%I attach partition billing.%I for values from (%L) to (%L)', parent, part,
                           month::timestamp at time zone 'UTC', (month + interval '1 month') at time zone 'UTC');
        end if;
    end loop;
end
$$;
comment on function billing.open_archive is 'Makes the partitions of a month (its first day) where there are none';

create trigger append_only before update or delete or truncate on billing.archived_attempts
    for each statement execute function billing.append_only();
create trigger append_only before update or delete or truncate on billing.archived_outcomes
    for each statement execute function billing.append_only();

-- The log stays append-only, but for one thing: what stands in the archive, unchanged, of a document that is posted.
create function billing.only_archived_attempts_leave() returns trigger language plpgsql as $$
declare
    posted timestamptz := (select d.posted_at from billing.staged_invoices as d where d.id = old.document and d.state = 'posted');
begin
    if not exists (
        select from billing.archived_attempts as a
        where a.document = old.document and a.attempt = old.attempt and a.posted_at = posted
          and to_jsonb(a) - 'posted_at' = to_jsonb(old)
    ) then
        raise exception '% is append-only: only what is archived leaves', tg_table_name using errcode = 'check_violation';
    end if;
    return old;
end
$$;
create function billing.only_archived_outcomes_leave() returns trigger language plpgsql as $$
declare
    posted timestamptz := (
        select d.posted_at from billing.posting_attempts as a join billing.staged_invoices as d on d.id = a.document
        where a.id = old.attempt and d.state = 'posted');
begin
    if not exists (
        select from billing.archived_outcomes as o
        where o.attempt = old.attempt and o.id = old.id and o.posted_at = posted
          and to_jsonb(o) - 'posted_at' = to_jsonb(old)
    ) then
        raise exception '% is append-only: only what is archived leaves', tg_table_name using errcode = 'check_violation';
    end if;
    return old;
end
$$;
drop trigger append_only on billing.posting_attempts;
drop trigger append_only on billing.posting_outcomes;
create trigger append_only before update or truncate on billing.posting_attempts
    for each statement execute function billing.append_only();
create trigger append_only before update or truncate on billing.posting_outcomes
    for each statement execute function billing.append_only();
create trigger only_archived_leave before delete on billing.posting_attempts
    for each row execute function billing.only_archived_attempts_leave();
create trigger only_archived_leave before delete on billing.posting_outcomes
    for each row execute function billing.only_archived_outcomes_leave();

create or replace view billing.posting_log as
select
    d.source, d.kind, d.number, a.batch, a.run_id, a.attempt, a.epoch, a.external_id,
    a.started_at, o.recorded_at, o.outcome, o.http_status, o.code, o.path, o.detail,
    coalesce(o.netsuite_id, d.netsuite_id) as netsuite_id,
    coalesce(o.transaction_number, d.transaction_number) as transaction_number,
    o.seconds
from (
    select id, document, batch, run_id, epoch, attempt, external_id, started_at from billing.posting_attempts
    union all
    select id, document, batch, run_id, epoch, attempt, external_id, started_at from billing.archived_attempts
) as a
join billing.staged_invoices as d on d.id = a.document
left join (
    select attempt, outcome, http_status, code, path, detail, netsuite_id, transaction_number, seconds, recorded_at
    from billing.posting_outcomes
    union all
    select attempt, outcome, http_status, code, path, detail, netsuite_id, transaction_number, seconds, recorded_at
    from billing.archived_outcomes
) as o on o.attempt = a.id;

-- What is posted is counted when it is posted, as it never leaves: sums over everything need not read everything.
create table billing.posted_totals (
    source text not null,
    period text not null,
    kind text not null,
    currency text not null,
    documents bigint not null,
    total numeric not null
);
comment on table billing.posted_totals is 'Posted documents, counted: several rows of a kind add up, retention makes one of them';

create function billing.count_posted() returns trigger language plpgsql as $$
begin
    insert into billing.posted_totals values (new.source, new.period, new.kind, new.currency, 1, new.total);
    return null;
end
$$;
create trigger count_posted after update on billing.staged_invoices
    for each row when (new.state = 'posted' and old.state <> 'posted') execute function billing.count_posted();
create trigger count_inserted_as_posted after insert on billing.staged_invoices
    for each row when (new.state = 'posted') execute function billing.count_posted();

-- The table is locked: nothing is posted before this commits.
insert into billing.posted_totals
select source, period, kind, currency, count(*), sum(total)
from billing.staged_invoices where state = 'posted' group by 1, 2, 3, 4;

create view billing.document_totals as
with counted as (  -- each branch by its partial index
    select source, period, state, kind, currency, 1 as documents, total from billing.staged_invoices
    where state in ('open', 'held', 'excluded', 'ready', 'batched', 'rejected')
    union all
    select source, period, state, kind, currency, 1, total from billing.staged_invoices
    where state in ('locked', 'posting')
    union all
    select source, period, state, kind, currency, 1, total from billing.staged_invoices where state = 'gone'
    union all
    select source, period, 'posted', kind, currency, documents, total from billing.posted_totals)
select source, period, state, kind, currency, sum(documents)::bigint as documents, coalesce(sum(total), 0) as total
from counted group by 1, 2, 3, 4, 5;
comment on view billing.document_totals is 'All documents by source, month, state, kind and currency, however many were posted';

-- Staging compares again what was posted lately, in the order in which it was.
create index staged_invoices_posted on billing.staged_invoices (source, posted_at, id) where state = 'posted';
drop index billing.staged_invoices_drift;

-- A document leaves a dead row behind at each of its five moves, and dead entries in the indexes by which the next one is
-- found. A share of the whole table, as is the default, would be ever more of them; and where they are few against the
-- whole, the indexes would not be cleaned at all. All of it takes seconds among ten million documents.
alter table billing.staged_invoices set (
    autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 50000, vacuum_index_cleanup = on,
    autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 50000);
