-- The pack of a month's last comparison, whichever was made first; and posted documents whose drift changed lately.

alter table billing.close_packs add column last_compared_at timestamptz not null default clock_timestamp();
comment on column billing.close_packs.last_compared_at is 'When a comparison last came to these figures: the latest is the month''s pack';

alter table billing.staged_invoices add column drifted_at timestamptz;
comment on column billing.staged_invoices.drifted_at is 'When its drift last came, changed or went';
create index staged_invoices_drifted_at on billing.staged_invoices (drifted_at) where drifted_at is not null;
