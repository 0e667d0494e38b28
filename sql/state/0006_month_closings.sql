-- Closing a month: soft (may be reopened) and hard (for good), who did it and why, and the pack that was signed.

create table billing.month_closings (
    id bigint generated always as identity primary key,
    period text not null check (period ~ '^[0-9]{4}-(0[1-9]|1[0-2])$'),
    action text not null check (action in ('soft_close', 'reopen', 'hard_close')),
    acted_by text not null check (acted_by ~ '\S'),
    why text not null check (why ~ '\S'),
    acted_at timestamptz not null default clock_timestamp(),
    figures bytea not null
);
comment on table billing.month_closings is 'Who closed or reopened a month, when and why; append-only';
comment on column billing.month_closings.figures is 'SHA-256 of the comparison that it was done on; its pack is in close_packs';
create trigger append_only before update or delete or truncate on billing.month_closings
    for each statement execute function billing.append_only();

create table billing.closed_months (
    period text primary key,
    state text not null check (state in ('soft', 'hard')),
    since timestamptz not null default clock_timestamp()
);
comment on table billing.closed_months is 'Months that are closed just now; one that is closed hard stays so';

create function billing.hard_close_stays() returns trigger language plpgsql as $$
begin
    if old.state = 'hard' then
        raise exception 'month % is closed for good', old.period using errcode = 'check_violation';
    end if;
    return case tg_op when 'DELETE' then old else new end;
end
$$;
create trigger hard_close_stays before update or delete on billing.closed_months
    for each row execute function billing.hard_close_stays();
create trigger never_emptied before truncate on billing.closed_months
    for each statement execute function billing.append_only();

-- The database refuses what staging missed: nothing more goes out in a month that is closed for good.
create function billing.guard_closed_month() returns trigger language plpgsql as $$
begin
    if exists (select from billing.closed_months where state = 'hard' and period >= new.period) then
        raise exception 'document % % belongs to %, which is closed', new.kind, new.number, new.period
            using errcode = 'check_violation';
    end if;
    return new;
end
$$;
create trigger guard_closed_month before insert on billing.staged_invoices
    for each row when (new.state = 'ready') execute function billing.guard_closed_month();
create trigger guard_closed_month_again before update on billing.staged_invoices
    for each row when (new.state = 'ready' and old.state <> 'ready') execute function billing.guard_closed_month();

alter table billing.staged_invoices add column posting_date date;
comment on column billing.staged_invoices.posting_date is 'Of a late document, whose own month was closed: the day under which it is posted instead';
comment on column billing.staged_invoices.period is 'The month in which it is posted: that of the posting date, else of the document date';

create table billing.close_packs (
    id bigint generated always as identity primary key,
    period text not null,
    figures bytea not null,
    compared_at timestamptz not null,
    workbook bytea not null,
    statement bytea not null,
    unique (period, figures)
);
comment on table billing.close_packs is 'The workbook (xlsx) and the statement (PDF) of a comparison; one that was closed on stays';
alter table billing.close_packs alter column workbook set storage external, alter column statement set storage external;

create table billing.month_figures (
    period text not null,
    currency text not null,
    documents_posted bigint not null,
    total_posted numeric not null,
    total_held numeric not null,
    days_to_post_median double precision,
    days_to_post_p95 double precision,
    compared_at timestamptz not null,
    primary key (period, currency)
);
comment on table billing.month_figures is 'What the last comparison of each month found, for the trend over months';
