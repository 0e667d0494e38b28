-- Requests to bill, the batches they become, their members, and what validation found in them.

create table billing.invoicing_transitions (
    subject   text not null,
    old_state text not null,
    new_state text not null,
    primary key (subject, old_state, new_state)
);
comment on table billing.invoicing_transitions is
    'Allowed moves of requests, batches, members, invoices and corrections; equal to TRANSITIONS of the rooms';
insert into billing.invoicing_transitions (subject, old_state, new_state)
select subject, o, n
from (values
    ('request', 'pending', array['planned', 'done', 'failed', 'cancelled']),
    ('request', 'planned', array['done', 'failed', 'cancelled']),
    ('batch', 'selected', array['pending_validation', 'released']),
    ('batch', 'pending_validation', array['validating', 'released']),
    ('batch', 'validating', array['in_review', 'pending_validation', 'empty', 'released']),
    ('batch', 'in_review', array['pending_validation', 'pending', 'empty', 'released']),
    ('batch', 'pending', array['processing', 'released']),
    ('batch', 'processing', array['pending', 'completed', 'error_occurred']),
    ('member', 'selected', array['clear', 'held', 'taken_out', 'released']),
    ('member', 'clear', array['selected', 'held', 'taken_out', 'released', 'invoiced', 'failed']),
    ('member', 'held', array['selected', 'clear', 'taken_out', 'released']),
    ('member', 'invoiced', array['discarded']),
    ('invoice', 'drafted', array['qa_hold', 'approved', 'discarded']),
    ('invoice', 'qa_hold', array['drafted', 'discarded']),
    ('invoice', 'approved', array['drafted', 'issued', 'discarded']),
    ('invoice', 'issued', array['cancelled']),
    ('invoice', 'cancelled', array['rebilled']),
    ('correction', 'opened', array['waiting', 'ready', 'withdrawn']),
    ('correction', 'waiting', array['ready', 'withdrawn']),
    ('correction', 'ready', array['done', 'withdrawn'])
) as allowed (subject, o, targets), unnest(targets) as n;

create function billing.follow_the_path() returns trigger language plpgsql as $$
begin
    if old.state is distinct from new.state and not exists (
        select from billing.invoicing_transitions as t
        where t.subject = tg_argv[0] and t.old_state = old.state and t.new_state = new.state
    ) then
        raise exception '% % may not go from % to %', tg_argv[0], old.id, old.state, new.state
            using errcode = 'check_violation';
    end if;
    return new;
end
$$;
comment on function billing.follow_the_path is 'Trigger: a state changes as invoicing_transitions allows, or not at all';


create table billing.invoice_requests (
    id         bigint      generated always as identity primary key,
    kind       text        not null default 'invoice' check (kind in ('invoice', 'final', 'estimate')),
    selection  text        not null check (selection in
        ('customer', 'bill_group', 'transaction_date_867', 'consumption_to', 'production_cycle')),
    parameters jsonb       not null,
    cut_off    date        not null,
    source     text        not null default 'manual' check (source in ('automatic', 'manual')),
    key        text        not null unique,
    priority   integer     not null default 0,
    state      text        not null default 'pending' check (state in
        ('pending', 'planned', 'done', 'failed', 'cancelled')),
    attempts   integer     not null default 0,
    why        text,
    decision   bigint      references billing.decisions,
    created_at timestamptz not null default clock_timestamp(),
    constraint a_person_says_why check (source = 'automatic' or decision is not null)
);
comment on table billing.invoice_requests is 'What is to be billed, never how: the queue of the invoice engine';
comment on column billing.invoice_requests.key is 'Of selection, parameters, cut-off and kind: the same is requested once';
comment on column billing.invoice_requests.why is 'Why it failed';
create index invoice_requests_open on billing.invoice_requests (priority desc, id) where state in ('pending', 'planned');
create trigger follow_the_path before update on billing.invoice_requests
    for each row execute function billing.follow_the_path('request');

create table billing.invoice_batches (
    id             bigint      generated always as identity primary key,
    request        bigint      not null references billing.invoice_requests,
    bill_group     text        not null,
    cut_off        date        not null,
    is_automatic   boolean     not null,
    retries        bigint      references billing.invoice_batches,
    state          text        not null default 'selected' check (state in ('selected', 'pending_validation', 'validating',
        'in_review', 'pending', 'processing', 'completed', 'error_occurred', 'empty', 'released')),
    selected       integer     not null default 0,
    created_at     timestamptz not null default clock_timestamp(),
    validated_at   timestamptz,
    finished_at    timestamptz,
    queue_state    text        not null default 'waiting' check (queue_state in ('waiting', 'claimed', 'done', 'parked')),
    queue_epoch    bigint      not null default 0,
    queue_attempts integer     not null default 0,
    queue_due      timestamptz not null default clock_timestamp(),
    queue_worker   text,
    queue_why      text
);
comment on table billing.invoice_batches is 'Members of one bill group that are validated and invoiced together';
comment on column billing.invoice_batches.retries is 'The batch whose failed members these are';
comment on column billing.invoice_batches.selected is 'Members at planning: the sum of all outcomes';
create index invoice_batches_queue on billing.invoice_batches (queue_due, id)
    where queue_state in ('waiting', 'claimed') and state in ('pending', 'processing');
create index invoice_batches_open on billing.invoice_batches (state, bill_group)
    where state not in ('completed', 'error_occurred', 'empty', 'released');
create trigger follow_the_path before update on billing.invoice_batches
    for each row execute function billing.follow_the_path('batch');
create trigger never_dropped before delete or truncate on billing.invoice_batches
    for each statement execute function billing.append_only();

create table billing.batch_members (
    id           bigint      generated always as identity primary key,
    batch        bigint      not null references billing.invoice_batches,
    account      text        not null,
    point        text        not null,
    channel      text        not null default 'general',
    period_start date        not null,
    period_end   date        not null,
    usage        bigint      references billing.usage_messages,
    charges      bigint      references billing.usage_messages,
    state        text        not null default 'selected' check (state in
        ('selected', 'clear', 'held', 'invoiced', 'failed', 'taken_out', 'released', 'discarded')),
    content      text,
    code         text,
    why          text,
    decision     bigint      references billing.decisions,
    since        timestamptz not null default clock_timestamp(),
    constraint has_days check (period_end > period_start),
    constraint unique_in_its_batch unique (batch, account, point, channel, period_start),
    constraint failed_says_why check (state <> 'failed' or (code is not null and why is not null)),
    constraint a_person_takes_out check (state <> 'taken_out' or decision is not null),
    constraint clear_was_validated check (state not in ('clear', 'invoiced') or content is not null)
);
comment on table billing.batch_members is 'A period of an account at a service point that is to be invoiced: one invoice each';
comment on column billing.batch_members.content is 'What usage and charges said when it was validated, as a hash';
create unique index batch_members_live on billing.batch_members (account, point, channel, period_start, period_end)
    where state in ('selected', 'clear', 'held');
create unique index batch_members_usage on billing.batch_members (usage) where state in ('selected', 'clear', 'held');
create index batch_members_of_usage on billing.batch_members (usage);
create trigger follow_the_path before update on billing.batch_members
    for each row execute function billing.follow_the_path('member');
create trigger never_dropped before delete or truncate on billing.batch_members
    for each statement execute function billing.append_only();

create table billing.invoice_findings (
    id          bigint      generated always as identity primary key,
    member      bigint      not null references billing.batch_members,
    code        text        not null,
    path        text        not null default '',
    severity    text        not null check (severity in ('error', 'warning', 'info')),
    sentence    text        not null check (sentence ~ '\S'),
    value       text        not null default '',
    state       text        not null default 'open' check (state in ('open', 'waived', 'gone')),
    decision    bigint      references billing.decisions,
    found_at    timestamptz not null default clock_timestamp(),
    resolved_at timestamptz,
    unique (member, code, path),
    constraint a_person_waives check (state <> 'waived' or decision is not null),
    constraint resolved_has_a_time check ((state = 'open') = (resolved_at is null))
);
comment on table billing.invoice_findings is 'What validation found in a member, and what became of it';
comment on column billing.invoice_findings.state is 'gone: the last validation no longer finds it; waived: a person lets it pass';
create index invoice_findings_open on billing.invoice_findings (member) where state = 'open';
create trigger never_dropped before delete or truncate on billing.invoice_findings
    for each statement execute function billing.append_only();

create view billing.invoice_batch_counts as
select b.id as batch, b.bill_group, b.state, b.selected,
    count(m.id)::int as members,
    count(*) filter (where m.state in ('selected', 'clear', 'held'))::int as open,
    count(*) filter (where m.state = 'held')::int as held,
    count(*) filter (where m.state = 'invoiced')::int as invoiced,
    count(*) filter (where m.state = 'failed')::int as failed,
    count(*) filter (where m.state = 'taken_out')::int as taken_out,
    count(*) filter (where m.state = 'released')::int as released,
    count(*) filter (where m.state = 'discarded')::int as discarded
from billing.invoice_batches as b left join billing.batch_members as m on m.batch = b.id
group by b.id;
comment on view billing.invoice_batch_counts is
    'Batches with their members by outcome: selected = open + invoiced + failed + taken out + released + discarded';
