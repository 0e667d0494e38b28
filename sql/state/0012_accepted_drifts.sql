-- What somebody accepted that the billing system changed after posting; credit memos whose invoice is not on its way.

create table billing.accepted_drifts (
    id bigint generated always as identity primary key,
    document bigint not null references billing.staged_invoices,
    drift jsonb not null,
    accepted_by text not null check (accepted_by ~ '\S'),
    why text not null check (why ~ '\S'),
    accepted_at timestamptz not null default clock_timestamp()
);
comment on table billing.accepted_drifts is 'Changes after posting that somebody answers for, so that a month can be closed; append-only';
comment on column billing.accepted_drifts.drift is 'staged_invoices.drift when it was accepted: it counts only as long as that is the same';
create index accepted_drifts_document on billing.accepted_drifts (document);
create trigger append_only before update or delete or truncate on billing.accepted_drifts
    for each statement execute function billing.append_only();

create view billing.kept_back_credits as
select id, period, string_agg(invoice || ': ' || why, ' ' order by invoice) as why
from billing.waiting_credits where state = 'ready'
group by id, period
having bool_or(coalesce(invoice_state, '') not in ('ready', 'batched', 'locked', 'posting'));
comment on view billing.kept_back_credits is 'Credit memos that are ready and wait for an invoice that is not on its way itself, and for which';
