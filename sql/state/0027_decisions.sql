-- What people decided: who, when, from where and why. One log for all rooms; their tables name the decision.

create table billing.decisions (
    id bigint generated always as identity primary key,
    subject text not null check (subject ~ '^[a-z_]+$'),
    reference text not null,
    decision text not null,
    decided_by text not null check (decided_by ~ '\S'),
    why text not null,
    decided_from text not null check (decided_from ~ '\S'),
    decided_at timestamptz not null default clock_timestamp(),
    checks bigint unique,
    made_by text,
    unique (id, decided_by),
    constraint says_why check (why ~ '\S'),
    constraint checks_a_decision foreign key (checks, made_by) references billing.decisions (id, decided_by) match full,
    constraint checked_by_another check (lower(btrim(made_by)) is distinct from lower(btrim(decided_by)))
);
comment on table billing.decisions is 'What people decided, who, when, from where and why; append-only';
comment on column billing.decisions.subject is 'What kind of thing was decided about: month, drift, difference, …';
comment on column billing.decisions.reference is 'Which one: a month, the kind and number of a document, …';
comment on column billing.decisions.decided_from is 'User and machine, the file, or the journal';
comment on column billing.decisions.checks is 'The decision that this one checks, where two people are needed';
comment on column billing.decisions.made_by is 'Who made the decision that is checked: never the same person';
create index decisions_reference on billing.decisions (subject, reference);
create trigger append_only before update or delete or truncate on billing.decisions
    for each statement execute function billing.append_only();

alter table billing.month_closings
    drop column acted_by, drop column why, drop column acted_at,
    add column decision_id bigint not null references billing.decisions;
comment on table billing.month_closings is 'What was done to a month, on which figures; append-only';
comment on column billing.month_closings.decision_id is 'Who did it, when and why';
comment on column billing.month_closings.taken_from_journal_at is
    'When the row was taken in again from the journal, after an earlier database had been put back; the decision has its own time';

alter table billing.accepted_drifts
    drop column accepted_by, drop column why, drop column accepted_at,
    add column decision_id bigint not null references billing.decisions;

alter table billing.accepted_differences
    drop column decided_by, drop column why, drop column decided_at,
    add column decision_id bigint not null references billing.decisions;
