-- One row per invoice that a credit memo settles. This file may be left out. The columns are a contract: see ../README.md.
SELECT
    a.credit_id AS document_id,
    a.invoice_number AS applies_to,
    a.amount
FROM dbo.credit_applications AS a
