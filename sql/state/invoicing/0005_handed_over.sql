-- What staging asks of issued invoices: by when they were issued, and by the month of their date.

create index utility_invoices_issued on billing.utility_invoices (issued_at) where number is not null;
create index utility_invoices_dated on billing.utility_invoices (invoice_date) where number is not null;
