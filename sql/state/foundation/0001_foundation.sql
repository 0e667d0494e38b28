-- What every area uses: append-only tables, runs at work, what the database belongs to, restored backups, alerts.
-- Everything of ours is in the schema `billing`.

create function billing.append_only() returns trigger language plpgsql as $$
begin
    raise exception '% is append-only: no %', tg_table_name, lower(tg_op) using errcode = 'check_violation';
end
$$;
comment on function billing.append_only is 'Trigger for tables whose rows are never changed or never deleted: refuses the statement';


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


-- What the database belongs to

create table billing.bindings (
    id         bigint      generated always as identity primary key,
    subject    text        not null check (subject in ('account', 'host', 'environment', 'source', 'prefix')),
    name       text        not null default '',
    value      text        not null,
    run_id     text,
    decided_by text        check (decided_by ~ '\S'),
    why        text        check (why ~ '\S'),
    bound_at   timestamptz not null default clock_timestamp(),
    constraint named_where_there_are_several check ((name <> '') = (subject in ('source', 'prefix'))),
    constraint decided_by_somebody check ((decided_by is null) = (why is null))
);
comment on table billing.bindings is
    'What the database belongs to: NetSuite account and host, environment, the sources'' databases, the prefixes of '
    'external ids. The last row of a subject and name counts; append-only';
comment on column billing.bindings.name is 'Of a source: its name. Of a prefix: the kind of document';
comment on column billing.bindings.value is
    'Of a source every value counts that was ever bound: the database itself, and copies that a person confirmed';
comment on column billing.bindings.run_id is 'The run that bound it, by its first attempt or first staging';
comment on column billing.bindings.decided_by is 'The person who moved it there; null: a run bound it';
create index bindings_last on billing.bindings (subject, name, id desc);
-- Two first stagings at the same time bind one database once.
create unique index bindings_of_a_source on billing.bindings (subject, name, value) where subject = 'source';
create trigger append_only before update or delete or truncate on billing.bindings
    for each statement execute function billing.append_only();


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
    confirmed_by text        not null check (confirmed_by ~ '\S'),
    why          text        not null check (why ~ '\S'),
    confirmed_at timestamptz not null default clock_timestamp(),
    sent_until   date,
    unique nulls not distinct (restore, what, period),
    constraint only_of_reminders check (sent_until is null or what = 'reminders'),
    constraint month_has_period check ((what = 'month') = (period is not null))
);
comment on table billing.restore_confirmations is 'What a person confirmed after a restore, who and why; append-only';
comment on column billing.restore_confirmations.sent_until is
    'The day up to which every reminder that fell due counts as sent, because a person said so';
create trigger append_only before update or delete or truncate on billing.restore_confirmations
    for each statement execute function billing.append_only();


-- Alerts

create table billing.alerts (
    cause         text        primary key,
    title         text        not null,
    message       text        not null,
    severity      text        not null check (severity in ('warning', 'critical')),
    first_seen_at timestamptz not null,
    last_seen_at  timestamptz not null,
    last_told_at  timestamptz,
    repeats       integer     not null default 0,
    claim         uuid,
    claimed_at    timestamptz
);
comment on table billing.alerts is 'Who was told about what and when: one message per cause within the window';
comment on column billing.alerts.last_told_at is 'When people were last told: by a channel, or in the log where none is set';
comment on column billing.alerts.repeats is 'How often the cause came up since then without a message';
comment on column billing.alerts.claim is 'The process that sends the message now; a dead one loses it after two minutes';
