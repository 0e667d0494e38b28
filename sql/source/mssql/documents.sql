-- One row per invoice, credit memo or adjustment. The columns are a contract: see ../README.md.
-- This file reads the sample's schema on SQL Server; copy it and edit it for your own billing system.
-- created_at is datetime2 in UTC here. CHAR columns come with trailing blanks: RTRIM kind, status and currency.
-- With a rowversion in each of the three tables (ALTER TABLE dbo.invoices ADD rv rowversion), delete every "--+" below:
-- the column version spares reading again what did not change. Why a sum and not a maximum: see ../README.md.
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
    --+ , CONCAT(CAST(i.rv AS bigint), '/', l.lines, '/', l.versions, '/', a.applied, '/', a.versions) AS version
FROM dbo.invoices AS i
--+ CROSS APPLY (
--+     SELECT COUNT(*) AS lines, SUM(CAST(CAST(r.rv AS bigint) AS decimal(38, 0))) AS versions
--+     FROM dbo.invoice_lines AS r WHERE r.invoice_id = i.id) AS l
--+ CROSS APPLY (
--+     SELECT COUNT(*) AS applied, SUM(CAST(CAST(r.rv AS bigint) AS decimal(38, 0))) AS versions
--+     FROM dbo.credit_applications AS r WHERE r.credit_id = i.id) AS a
