-- What a month came to in the billing system when staging last compared it, so that a document which appears with an old
-- creation date, or changes long after it was posted, shows by the totals of its month.

create table billing.compared_months (
    source text not null,
    month text not null check (month ~ '^([0-9]{4}-(0[1-9]|1[0-2]))?$'),
    tallies jsonb not null,
    unexplained jsonb not null,
    compared_at timestamptz not null default clock_timestamp(),
    primary key (source, month)
);
comment on table billing.compared_months is 'By month of the document date (empty: none that can be read): its totals when it was last compared';
comment on column billing.compared_months.tallies is 'What the billing system counted and added up, by status';
comment on column billing.compared_months.unexplained is 'By how much that differed from staging although all documents of the month had been compared, e.g. for one that is held as it cannot be read';

create table billing.full_comparisons (
    source text primary key,
    compared_at timestamptz not null
);
comment on table billing.full_comparisons is 'When every document of the months that are not closed for good was last compared';

-- Documents that are posted in a later month than their own, by their own.
create index staged_invoices_late on billing.staged_invoices (document_date) where posting_date is not null;
