-- What a document was when it was last read and judged, so that an unchanged one is not read again.
alter table billing.staged_invoices add column source_digest bytea;
alter table billing.staged_invoices add column judged_under bytea;
comment on column billing.staged_invoices.source_digest is 'Computed by the billing database over header and lines when the document was read; null: read it again';
comment on column billing.staged_invoices.judged_under is 'Digest of the mapping and the rules that the findings are of';
