-- What this database belongs to: NetSuite account and host, environment, the sources' databases, the prefixes of external ids.

create table billing.bindings (
    id bigint generated always as identity primary key,
    subject text not null check (subject in ('account', 'host', 'environment', 'source', 'prefix')),
    name text not null default '',
    value text not null,
    run_id text,
    decided_by text check (decided_by ~ '\S'),
    why text check (why ~ '\S'),
    bound_at timestamptz not null default clock_timestamp(),
    constraint named_where_there_are_several check ((name <> '') = (subject in ('source', 'prefix'))),
    constraint decided_by_somebody check ((decided_by is null) = (why is null))
);
comment on table billing.bindings is 'What the database is bound to: the last row of a subject and name counts; append-only';
comment on column billing.bindings.name is 'Of a source: its name. Of a prefix: the kind of document';
comment on column billing.bindings.value is 'Of a source every value counts that was ever bound: the database itself, and copies that a person confirmed';
comment on column billing.bindings.run_id is 'The run that bound it, by its first attempt or first staging';
comment on column billing.bindings.decided_by is 'Who moved it there; null: a run bound it, or this migration found it';
create index bindings_last on billing.bindings (subject, name, id desc);
-- Two first stagings at once bind one database once.
create unique index bindings_of_a_source on billing.bindings (subject, name, value) where subject = 'source';
create trigger append_only before update or delete or truncate on billing.bindings
    for each statement execute function billing.append_only();

-- The close asks whether a transaction that nothing else names was once sent under that external id.
create index posting_attempts_external_id on billing.posting_attempts (external_id);

-- The prefixes that were used before there was this table: what stands before the number in an external id. The number as
-- domain/external_id.py writes it: a document that was renumbered since tells nothing.
insert into billing.bindings (subject, name, value)
with used as (
    select kind, number, external_id, id from billing.staged_invoices where state = 'posted'
    union all
    select d.kind, d.number, a.external_id, d.id
    from billing.posting_attempts as a join billing.staged_invoices as d on d.id = a.document
), named as (
    select u.kind, u.external_id, u.id,
        case when u.external_id ~ '__[0-9A-F]{64}$' then right(u.external_id, 66)
        when u.number ~ '^[A-Z0-9-]+$' then u.number
        else (
            select string_agg(case when c ~ '^[A-Z0-9-]$' then c
                else regexp_replace(upper(encode(convert_to(c, 'UTF8'), 'hex')), '(..)', '_\1', 'g') end, '' order by place)
            from regexp_split_to_table(u.number, '') with ordinality as characters (c, place)
        ) end as number
    from used as u where u.kind in ('invoice', 'credit_memo')
)
select 'prefix', kind, left(external_id, -length(number)) as prefix
from named
where right(external_id, length(number)) = number and length(external_id) > length(number)
group by 2, 3 order by max(id);
