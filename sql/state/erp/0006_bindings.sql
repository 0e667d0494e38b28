-- What the database belongs to: NetSuite account and host, environment, billing databases, prefixes of external ids.

create table billing.bindings (
    id          bigint      generated always as identity primary key,
    subject     text        not null check (subject in ('account', 'host', 'environment', 'source', 'prefix')),
    name        text        not null default '',
    value       text        not null,
    run_id      text,
    decision_id bigint      references billing.decisions,
    bound_at    timestamptz not null default clock_timestamp(),
    constraint named_where_there_are_several check ((name <> '') = (subject in ('source', 'prefix')))
);
comment on table billing.bindings is
    'What the database belongs to: NetSuite account and host, environment, the sources'' databases, the prefixes of '
    'external ids. The last row of a subject and name counts; append-only';
comment on column billing.bindings.name is 'Of a source: its name. Of a prefix: the kind of document';
comment on column billing.bindings.value is
    'Of a source every value counts that was ever bound: the database itself, and copies that a person confirmed';
comment on column billing.bindings.run_id is 'The run that bound it, by its first attempt or first staging';
comment on column billing.bindings.decision_id is 'Who moved it there and why; null: a run bound it';
create index bindings_last on billing.bindings (subject, name, id desc);
-- Two first stagings at the same time bind one database once.
create unique index bindings_of_a_source on billing.bindings (subject, name, value) where subject = 'source';
create trigger append_only before update or delete or truncate on billing.bindings
    for each statement execute function billing.append_only();
