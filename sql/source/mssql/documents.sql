-- One row per invoice, credit memo or adjustment. The columns are a contract: see ../README.md.
-- This file reads the sample's schema on SQL Server; copy it and edit it for your own billing system.
-- created_at is datetime2 in UTC here. CHAR columns come with trailing blanks: RTRIM kind, status and currency.
SELECT
    i.id AS document_id,
    i.number,
    CASE i.kind WHEN 'I' THEN 'invoice' WHEN 'C' THEN 'credit_memo' WHEN 'A' THEN 'adjustment' ELSE i.kind END AS kind,
    i.status,
    i.created_at,
    i.document_date,
    i.due_date,
    i.customer_no AS customer,
    i.country AS branch,
    i.currency,
    i.terms,
    i.po_number AS purchase_order,
    i.memo,
    i.applies_to,
    i.contract_no AS contract,
    i.total
FROM dbo.invoices AS i
