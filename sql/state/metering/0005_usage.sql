-- Usage (867) and charges (810): which belong together, what cancels and replaces what, what may be billed.

-- Allowed moves and the words for them

create table billing.usage_transitions (
    old_state text not null,
    new_state text not null,
    primary key (old_state, new_state)
);
comment on table billing.usage_transitions is
    'Allowed moves of usage and charges; equal to TRANSITIONS in metering/usage/states.py';

insert into billing.usage_transitions (old_state, new_state)
select o, n
from (values
    ('accepted', array['duplicate', 'held', 'waiting', 'ready', 'superseded']),
    ('duplicate', array['held', 'waiting', 'ready', 'superseded']),
    ('held', array['duplicate', 'waiting', 'ready', 'superseded', 'rejected']),
    ('waiting', array['duplicate', 'held', 'ready', 'superseded', 'rejected']),
    ('ready', array['duplicate', 'held', 'waiting', 'superseded', 'billed']),
    ('superseded', array['duplicate', 'held', 'waiting', 'ready']),
    ('billed', array['restated']),
    ('restated', array['billed'])
) as allowed (o, targets), unnest(targets) as n;

create table billing.usage_codes (
    code       text    primary key,
    meaning    text    not null check (meaning ~ '\S'),
    to_do      text    not null check (to_do ~ '\S'),
    releasable boolean not null default false
);
comment on table billing.usage_codes is
    'Why usage and charges are held or wait, in sentences for a clerk; equal to CODES in metering/usage/states.py';
comment on column billing.usage_codes.releasable is 'Whether a person may let it pass, with a reason';
insert into billing.usage_codes (code, meaning, to_do, releasable) values
    ('WAIT_CHARGES',
     'The charges for this usage have not come, or cannot be billed yet.',
     'Nothing for some days; then ask the utility for the 810, or see why it is held.', false),
    ('ORPHAN_CHARGES',
     'The usage for these charges has not come.',
     'Nothing for some days; then ask the utility for the 867, or confirm a suggested pair.', false),
    ('WAIT_USAGE',
     'The usage of these charges cannot be billed yet.',
     'See why the usage waits or is held.', false),
    ('CANCEL_WITHOUT_ORIGINAL',
     'It cancels a message that has not come.',
     'Ask the utility for the original, or reject the cancel.', false),
    ('REPLACE_WITHOUT_CANCEL',
     'A replacement came for a message that is not cancelled.',
     'Nothing for some days: the cancel releases it; then ask the utility for the cancel.', false),
    ('HALF_CANCEL',
     'Of usage and charges that belong together only one is cancelled.',
     'Ask the utility for the other cancel. Release the half that is left if it is to stay.', true),
    ('DUP_PERIOD',
     'There is another message for the same period.',
     'Reject one of the two, or ask the utility to cancel one; release it if both are to be billed.', true),
    ('PERIOD_OVERLAP',
     'Its period overlaps that of another message.',
     'Reject one of the two, or ask the utility to cancel one; release it if both are to be billed.', true),
    ('NO_PERIOD',
     'It has no service period.',
     'Reject it: the utility sends another.', false),
    ('BAD_PERIOD',
     'Its period has no days, or ends before it starts.',
     'Reject it: the utility sends another.', false),
    ('VERSION_CONFLICT',
     'Another message has the same id and other content.',
     'Reject one of the two: a correction has an id of its own.', false),
    ('REPLACE_UNKNOWN',
     'It replaces a message that is not known.',
     'Ask the utility for the original. Release it if the original was billed elsewhere.', true),
    ('NO_SERVICE_POINT',
     'Master data has no such service point in its period.',
     'Load it, and the message is freed; or reject it if the point is not ours.', false),
    ('PAIR_ESI',
     'The charges name the usage of another service point.',
     'Reject the charges, or the usage if that has the wrong point.', false),
    ('ACTUAL_STAGED',
     'It is estimated, and an actual for the same period is there.',
     'Ask the utility to cancel the estimate, or reject one of the two.', false),
    ('DUP_TRANSACTION',
     'The same message came before.',
     'Nothing: it is counted and ignored.', false),
    ('ALREADY_CANCELLED',
     'What it cancels was cancelled before.',
     'Nothing: it is counted and ignored.', false);


-- Messages

create table billing.usage_messages (
    message         bigint      primary key references billing.raw_messages,

    -- what it says
    kind            text        not null check (kind in ('usage', 'charges')),
    id              text        not null,
    purpose         text        not null check (purpose in ('00', '01', '05')),
    refers_to       text        not null default '',
    point           text        not null,
    period_start    date,
    period_end      date,
    content         text        not null,
    sent_at         timestamptz not null,
    arrived_at      timestamptz not null,
    amount          numeric     not null,
    is_estimated    boolean     not null default false,
    is_final        boolean     not null default false,
    cross_reference text        not null default '',
    needs_no_pair   boolean     not null default false,
    reader_codes    text[]      not null default '{}',
    control         text        not null default '',
    utility         text        not null default '',

    -- what became of it
    state           text        not null default 'accepted' check (state in
        ('accepted', 'duplicate', 'held', 'waiting', 'ready', 'superseded', 'rejected', 'billed', 'restated')),
    codes           text[]      not null default '{}',
    other           bigint      references billing.usage_messages,
    since           timestamptz not null,
    is_live         boolean     not null default false,
    gap_from        date,
    replaces        bigint      references billing.usage_messages,
    cancelled_by    bigint      references billing.usage_messages,

    constraint says_why check (state not in ('held', 'waiting', 'duplicate') or cardinality(codes) > 0)
);
comment on table billing.usage_messages is
    'One row per 867 and 810 whose form is good; exactly one state each. Its set is in raw_messages';
comment on column billing.usage_messages.id is 'Of usage BPT02, of charges the invoice number BIG02';
comment on column billing.usage_messages.purpose is '00 original, 01 cancel, 05 replacement';
comment on column billing.usage_messages.refers_to is 'The id of what it cancels or replaces';
comment on column billing.usage_messages.period_end is 'The day of the read: the next period starts on it';
comment on column billing.usage_messages.content is
    'Hash of what it says, without control numbers and its own date: equal ones are the same message';
comment on column billing.usage_messages.amount is 'kWh of usage; of charges the total in its currency';
comment on column billing.usage_messages.cross_reference is 'Of charges: the id of their usage';
comment on column billing.usage_messages.needs_no_pair is
    'Miscellaneous charges, or usage for which the utility sends no charges';
comment on column billing.usage_messages.reader_codes is 'What its reader holds it for, such as SUM_CHECK';
comment on column billing.usage_messages.codes is
    'Why it is in its state, the main reason first; usage_codes has the sentences';
comment on column billing.usage_messages.other is 'The message that it hangs on: its pair, its cancel, what it doubles';
comment on column billing.usage_messages.since is 'When the message came that put it into its state';
comment on column billing.usage_messages.is_live is 'Whether it is the version that counts for its period';
comment on column billing.usage_messages.gap_from is 'End of the period before it, where days are missing between them';
create index usage_messages_point on billing.usage_messages (point);
create index usage_messages_id on billing.usage_messages (id) where kind = 'usage' and purpose <> '01';
create index usage_messages_named on billing.usage_messages (cross_reference)
    where kind = 'charges' and cross_reference <> '';
create index usage_messages_unsettled on billing.usage_messages (message) where state = 'accepted';
create index usage_messages_open on billing.usage_messages (kind, state, since)
    where state in ('held', 'waiting', 'ready');
create index usage_messages_gaps on billing.usage_messages (period_start) where gap_from is not null;

create index received_interchanges_file on billing.received_interchanges (file);
create index raw_messages_usage on billing.raw_messages (id)
    where type in ('867', '810') and state in ('accepted', 'held');

create table billing.usage_history (
    id      bigint      generated always as identity primary key,
    subject text        not null check (subject in ('message', 'pair', 'candidate')),
    message bigint      not null references billing.usage_messages,
    other   bigint      references billing.usage_messages,
    state   text        not null,
    codes   text[]      not null default '{}',
    at      timestamptz not null default clock_timestamp()
);
comment on table billing.usage_history is
    'Every state that a message, a pair or a candidate was in, the oldest first; append-only';
comment on column billing.usage_history.message is 'Of a pair: the usage';
comment on column billing.usage_history.other is 'What it hangs on; of a pair the charges, of a candidate what was billed';
create index usage_history_message on billing.usage_history (message);
create trigger append_only before update or delete or truncate on billing.usage_history
    for each statement execute function billing.append_only();

create trigger never_dropped before delete or truncate on billing.usage_messages
    for each statement execute function billing.append_only();

create function billing.guard_usage() returns trigger language plpgsql as $$
begin
    if (new.message, new.kind, new.id, new.purpose, new.refers_to, new.point, new.period_start, new.period_end, new.content,
        new.sent_at, new.arrived_at, new.amount, new.is_estimated, new.is_final, new.cross_reference, new.needs_no_pair,
        new.reader_codes, new.control, new.utility)
       is distinct from
       (old.message, old.kind, old.id, old.purpose, old.refers_to, old.point, old.period_start, old.period_end, old.content,
        old.sent_at, old.arrived_at, old.amount, old.is_estimated, old.is_final, old.cross_reference, old.needs_no_pair,
        old.reader_codes, old.control, old.utility)
    then
        raise exception 'what % % says never changes', old.kind, old.id using errcode = 'check_violation';
    end if;
    if old.state <> new.state and not exists (
        select from billing.usage_transitions as t where t.old_state = old.state and t.new_state = new.state
    ) then
        raise exception '% % may not go from % to %', old.kind, old.id, old.state, new.state
            using errcode = 'check_violation';
    end if;
    return new;
end
$$;
create trigger guard_usage before update on billing.usage_messages
    for each row execute function billing.guard_usage();

create function billing.note_usage() returns trigger language plpgsql as $$
begin
    insert into billing.usage_history (subject, message, other, state, codes)
    values ('message', new.message, new.other, new.state, new.codes);
    return null;
end
$$;
create trigger note_arrival after insert on billing.usage_messages
    for each row execute function billing.note_usage();
create trigger note_move after update on billing.usage_messages
    for each row when ((old.state, old.codes, old.other) is distinct from (new.state, new.codes, new.other))
    execute function billing.note_usage();


-- Pairs

create table billing.usage_pairs (
    usage    bigint      not null references billing.usage_messages,
    charges  bigint      not null references billing.usage_messages,
    found_by text        not null check (found_by in ('confirmed', 'reference', 'period', 'overlap')),
    state    text        not null check (state in ('paired', 'suggested', 'ended')),
    since    timestamptz not null default clock_timestamp(),
    primary key (usage, charges)
);
comment on table billing.usage_pairs is 'Usage and charges that belong together, or did; never deleted';
comment on column billing.usage_pairs.found_by is
    'A person, the reference of the charges, equal periods; overlap: nearly equal ones, a person confirms';
create unique index usage_pairs_usage on billing.usage_pairs (usage) where state = 'paired';
create unique index usage_pairs_charges on billing.usage_pairs (charges) where state = 'paired';
create index usage_pairs_of_charges on billing.usage_pairs (charges);
create trigger never_dropped before delete or truncate on billing.usage_pairs
    for each statement execute function billing.append_only();

create function billing.note_usage_pair() returns trigger language plpgsql as $$
begin
    insert into billing.usage_history (subject, message, other, state, codes)
    values ('pair', new.usage, new.charges, new.state, array[new.found_by]);
    return null;
end
$$;
create trigger note_pair after insert or update on billing.usage_pairs
    for each row execute function billing.note_usage_pair();


-- What invoicing may have to do

create table billing.usage_candidates (
    kind       text        not null check (kind in ('credit', 'rebill', 'restatement')),
    message    bigint      not null references billing.usage_messages,
    original   bigint      not null references billing.usage_messages,
    cause      bigint      not null references billing.usage_messages,
    state      text        not null check (state in ('waiting', 'due', 'recorded', 'withdrawn', 'taken')),
    due_at     timestamptz,
    old_amount numeric,
    new_amount numeric,
    since      timestamptz not null default clock_timestamp(),
    taken_by   text,
    primary key (kind, message),
    constraint taken_says_by_what check ((state = 'taken') = (taken_by is not null))
);
comment on table billing.usage_candidates is
    'Proposals to invoicing about what is on an invoice: one credit of what was cancelled, one rebill of its replacement';
comment on column billing.usage_candidates.message is 'Of a credit what was billed, else its replacement';
comment on column billing.usage_candidates.original is 'What was billed: a rebill takes its price version';
comment on column billing.usage_candidates.cause is 'The cancel, or the replacement';
comment on column billing.usage_candidates.due_at is
    'Until when a credit waits for the replacement and for the other cancel';
comment on column billing.usage_candidates.old_amount is 'kWh that were billed; new_amount: kWh of the replacement';
comment on column billing.usage_candidates.taken_by is 'What invoicing made of it';
create index usage_candidates_original on billing.usage_candidates (original);
create index usage_candidates_open on billing.usage_candidates (state, due_at) where state in ('waiting', 'due');
create trigger never_dropped before delete or truncate on billing.usage_candidates
    for each statement execute function billing.append_only();

create function billing.guard_usage_candidate() returns trigger language plpgsql as $$
begin
    if old.state = 'taken' then
        raise exception 'the % of message % is taken and never changes', old.kind, old.message
            using errcode = 'check_violation';
    end if;
    return new;
end
$$;
create trigger guard_usage_candidate before update on billing.usage_candidates
    for each row execute function billing.guard_usage_candidate();

create function billing.note_usage_candidate() returns trigger language plpgsql as $$
begin
    insert into billing.usage_history (subject, message, other, state, codes)
    values ('candidate', new.message, new.original, new.state, array[new.kind]);
    return null;
end
$$;
create trigger note_candidate after insert or update on billing.usage_candidates
    for each row execute function billing.note_usage_candidate();


-- What people and invoicing decided

create table billing.usage_decisions (
    id          bigint      generated always as identity primary key,
    message     bigint      not null references billing.usage_messages,
    what        text        not null check (what in ('release', 'reject', 'confirm', 'decline')),
    code        text,
    charges     bigint      references billing.usage_messages,
    answer      text,
    decision_id bigint      not null references billing.decisions,
    decided_at  timestamptz not null default clock_timestamp(),
    constraint releases_a_code check ((what = 'release') = (code is not null)),
    constraint is_about_a_pair check ((what in ('confirm', 'decline')) = (charges is not null)),
    constraint rejection_is_answered check ((what = 'reject') = (answer is not null))
);
comment on table billing.usage_decisions is 'What a clerk decided about usage and charges; append-only';
comment on column billing.usage_decisions.message is 'Of a pair: the usage';
comment on column billing.usage_decisions.answer is 'Code of the 824 that says so to the sender';
create index usage_decisions_message on billing.usage_decisions (message);
create index usage_decisions_charges on billing.usage_decisions (charges) where charges is not null;
create trigger append_only before update or delete or truncate on billing.usage_decisions
    for each statement execute function billing.append_only();

create table billing.usage_billed (
    message   bigint      primary key references billing.usage_messages,
    invoice   text        not null check (invoice ~ '\S'),
    billed_at timestamptz not null default clock_timestamp()
);
comment on table billing.usage_billed is 'Usage and charges that are on an invoice; append-only';
create trigger append_only before update or delete or truncate on billing.usage_billed
    for each statement execute function billing.append_only();


-- What may be billed, and what the rest waits for

create view billing.usage_explained as
select
    u.message, u.kind, u.id, u.purpose, u.point, u.period_start, u.period_end, u.amount, u.is_estimated, u.is_final,
    u.state, u.codes, u.since, u.state = 'ready' as is_ready, u.gap_from, u.replaces, u.sent_at, u.arrived_at,
    case
        when u.state in ('ready', 'billed') then null
        when u.state = 'accepted' then 'It is not settled yet.'
        else coalesce(c.meaning, u.codes[1] || ': its content is implausible; see its findings.')
            || case when o.message is null or o.message = u.message then ''
                else format(' See %s %s (%s%s).', o.kind, o.id, o.state, ', ' || o.codes[1]) end
    end as waits_for,
    case when u.state in ('held', 'waiting') then coalesce(c.to_do, 'See its findings; reject it, or release it.') end
        as to_do
from billing.usage_messages as u
left join billing.usage_codes as c on c.code = u.codes[1]
left join billing.usage_messages as o on o.message = u.other;
comment on view billing.usage_explained is 'Usage and charges with what each waits for, in a sentence';

create view billing.billable_usage as
select
    u.message, u.point, u.id, u.purpose, u.period_start, u.period_end, u.amount as kwh, m.quantities, u.is_estimated,
    u.is_final, u.state, u.is_ready, u.waits_for, u.codes, u.since, u.to_do, u.gap_from,
    p.charges, i.id as charges_id, i.amount as charges_total,
    r.original as rebills
from billing.usage_explained as u
join billing.raw_messages as m on m.id = u.message
left join billing.usage_pairs as p on p.usage = u.message and p.state = 'paired'
left join billing.usage_messages as i on i.message = p.charges
left join billing.usage_candidates as r on r.kind = 'rebill' and r.message = u.message and r.state <> 'withdrawn'
where u.kind = 'usage' and u.purpose <> '01' and u.state in ('accepted', 'held', 'waiting', 'ready');
comment on view billing.billable_usage is
    'Usage that is not on an invoice yet: ready, or waiting for what since when. rebills: billed before under that message';

create view billing.utility_charges as
select
    i.message, i.point, i.id, i.purpose, i.period_start, i.period_end, i.amount as total, i.is_final, i.state, i.is_ready,
    i.waits_for, i.codes, i.since, i.to_do,
    p.usage, u.id as usage_id, u.amount as kwh,
    r.original as rebills
from billing.usage_explained as i
left join billing.usage_pairs as p on p.charges = i.message and p.state = 'paired'
left join billing.usage_messages as u on u.message = p.usage
left join billing.usage_candidates as r on r.kind = 'rebill' and r.message = i.message and r.state <> 'withdrawn'
where i.kind = 'charges' and i.purpose <> '01' and i.state in ('accepted', 'held', 'waiting', 'ready');
comment on view billing.utility_charges is
    'Charges of utilities that are on no invoice yet: ready, or waiting for what since when';
