-- Closing a month: soft (may be reopened) and hard (for good), and the pack that was signed.

create table billing.month_closings (
    id                    bigint      generated always as identity primary key,
    period                text        not null check (period ~ '^[0-9]{4}-(0[1-9]|1[0-2])$'),
    action                text        not null check (action in ('soft_close', 'reopen', 'hard_close')),
    decision_id           bigint      not null references billing.decisions,
    figures               bytea       not null,
    taken_from_journal_at timestamptz
);
comment on table billing.month_closings is 'What was done to a month, on which figures; append-only';
comment on column billing.month_closings.decision_id is 'Who did it, when and why';
comment on column billing.month_closings.figures is 'SHA-256 of the comparison that it was done on; its pack is in close_packs';
comment on column billing.month_closings.taken_from_journal_at is
    'When the row was taken in again from the journal, after an earlier database had been put back; the decision has its own time';
create trigger append_only before update or delete or truncate on billing.month_closings
    for each statement execute function billing.append_only();

create table billing.closed_months (
    period text        primary key,
    state  text        not null check (state in ('soft', 'hard')),
    since  timestamptz not null default clock_timestamp()
);
comment on table billing.closed_months is 'Months that are closed now; one that is closed hard stays so';

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

-- The database refuses what staging missed: nothing more goes out in a month that is closed for good. What NetSuite has
-- already is taken over in its own month, closed or not: nothing is sent for it.
create function billing.guard_closed_month() returns trigger language plpgsql as $$
begin
    if exists (select from billing.closed_months where state = 'hard' and period >= new.period) and not exists (
        select from billing.found_here as f
        where f.external_id = new.external_id and f.decision in ('confirmed', 'matched')
          and not exists (select from billing.posting_attempts as a where a.document = new.id)
    ) then
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

create table billing.close_packs (
    id               bigint      generated always as identity primary key,
    period           text        not null,
    figures          bytea       not null,
    compared_at      timestamptz not null,
    last_compared_at timestamptz not null default clock_timestamp(),
    workbook         bytea       not null,
    statement        bytea       not null,
    unique (period, figures)
);
comment on table billing.close_packs is 'The workbook (xlsx) and the statement (PDF) of a comparison; one that was closed on stays';
comment on column billing.close_packs.figures is 'SHA-256 of the comparison';
comment on column billing.close_packs.last_compared_at is
    'When a comparison last came to these figures: the latest is the month''s pack';
-- Both files are compressed already. (In `create table` only PostgreSQL 16 and later take it.)
alter table billing.close_packs alter column workbook set storage external, alter column statement set storage external;

create table billing.month_figures (
    period              text        not null,
    currency            text        not null,
    documents_posted    bigint      not null,
    total_posted        numeric     not null,
    total_held          numeric     not null,
    days_to_post_median double precision,
    days_to_post_p95    double precision,
    compared_at         timestamptz not null,
    primary key (period, currency)
);
comment on table billing.month_figures is 'What the last comparison of each month found, for the trend over months';

create table billing.accepted_drifts (
    id          bigint      generated always as identity primary key,
    document    bigint      not null references billing.staged_invoices,
    drift       jsonb       not null,
    decision_id bigint      not null references billing.decisions
);
comment on table billing.accepted_drifts is
    'Changes after posting that a person answers for, so that a month can be closed; append-only';
comment on column billing.accepted_drifts.drift is
    'staged_invoices.drift when it was accepted: it counts only as long as that is the same';
create index accepted_drifts_document on billing.accepted_drifts (document);
create trigger append_only before update or delete or truncate on billing.accepted_drifts
    for each statement execute function billing.append_only();
