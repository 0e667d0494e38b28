-- Which mapping was found to mean in NetSuite what it says, so that posting need not ask each time; and what finds
-- documents whose numbers differ only in blanks.

create table billing.proven_mappings (
    address text not null,
    mapping bytea not null,
    proven_at timestamptz not null default clock_timestamp(),
    unchecked jsonb not null default '{}',
    primary key (address, mapping)
);
comment on table billing.proven_mappings is 'Mappings none of whose ids was found to be another record in NetSuite';
comment on column billing.proven_mappings.address is 'The account''s REST address';
comment on column billing.proven_mappings.unchecked is 'What NetSuite did not let us compare: field to reason';

create function billing.without_blanks(number text) returns text language sql immutable parallel safe
return translate(number, U&' \0009\000A\000D\00A0\2007\2009\202F', '');
comment on function billing.without_blanks is 'A number without any blank, so that two that differ only in blanks are equal';

-- Of two such numbers at least one has a blank; those are few.
create index staged_invoices_number_with_blanks on billing.staged_invoices (source, kind, billing.without_blanks(number))
    where number <> billing.without_blanks(number);
