-- What every area uses: append-only tables, decisions, runs at work, and the journal with what restored backups need.
-- Everything of ours is in the schema `billing`.

create function billing.append_only() returns trigger language plpgsql as $$
begin
    raise exception '% is append-only: no %', tg_table_name, lower(tg_op) using errcode = 'check_violation';
end
$$;
comment on function billing.append_only is 'Trigger for tables whose rows are never changed or never deleted: refuses the statement';


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
    constraint says_why check (why ~ '\S' or subject in ('late_fee', 'collection_stop', 'audit')),
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


-- Runs at work

-- A run of Dagster holds an advisory lock beside its row, and deletes the row at an orderly end. A row without its lock is a
-- run that died, on whatever machine.
create table billing.runs_at_work (
    run_id       text        primary key,
    began_at     timestamptz not null default clock_timestamp(),
    missed_since timestamptz
);
comment on table billing.runs_at_work is 'Runs of Dagster that are at work; one without its advisory lock has died';
comment on column billing.runs_at_work.missed_since is 'When the lock was first found missing; null: it is held';


-- A database that was put back to an earlier time: how it was noticed, what the journal outside the database gave back,
-- and what a person confirmed

create table billing.journal (
    one      boolean     primary key default true check (one),
    id       text        not null,
    database text        not null,
    since    timestamptz not null default clock_timestamp()
);
comment on table billing.journal is 'The journal (a folder outside the database) that belongs to this database; at most one row';
comment on column billing.journal.database is
    'Cluster, timeline and database in which it was last compared: another one there means a copy or a restored backup';

create table billing.journal_files (
    name  text   collate "C" primary key,
    bytes bigint not null
);
comment on table billing.journal_files is 'How far each file of the journal was compared with this database';

create table billing.restores (
    id         bigint      generated always as identity primary key,
    noticed_at timestamptz not null default clock_timestamp(),
    how        text        not null check (how in ('journal', 'netsuite')),
    covered    boolean     not null,
    facts      jsonb       not null default '{}'
);
comment on table billing.restores is 'Each time this database was found to have been put back to an earlier time; append-only';
comment on column billing.restores.how is 'What showed it: the journal, or transactions in NetSuite without an attempt of ours';
comment on column billing.restores.covered is
    'Whether the journal gave back the closes and reminders of the lost time; if not, people confirm them';
create trigger append_only before update or delete or truncate on billing.restores
    for each statement execute function billing.append_only();

create table billing.restore_confirmations (
    id           bigint      generated always as identity primary key,
    restore      bigint      not null references billing.restores,
    what         text        not null check (what in ('month', 'reminders', 'netsuite')),
    period       text        check (period ~ '^[0-9]{4}-(0[1-9]|1[0-2])$'),
    decision_id  bigint      not null references billing.decisions,
    sent_until   date,
    unique nulls not distinct (restore, what, period),
    constraint only_of_reminders check (sent_until is null or what = 'reminders'),
    constraint month_has_period check ((what = 'month') = (period is not null))
);
comment on table billing.restore_confirmations is 'What a person confirmed after a restore; append-only';
comment on column billing.restore_confirmations.sent_until is
    'The day up to which every reminder that fell due counts as sent, because a person said so';
create trigger append_only before update or delete or truncate on billing.restore_confirmations
    for each statement execute function billing.append_only();
