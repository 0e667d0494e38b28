-- What the invoice engine issued, from our own database: always closed, and never another. A cancel is a credit memo
-- that names the invoice it cancels. What is below zero is a credit memo too, and its cancel an invoice.
SELECT
    i.id AS document_id,
    i.number AS number,
    CASE WHEN i.total < 0 OR (i.total = 0 AND i.kind = 'cancel') THEN 'credit_memo' ELSE 'invoice' END AS kind,
    'closed' AS status,
    i.issued_at AS created_at,
    i.invoice_date AS document_date,
    i.due_date AS due_date,
    i.account AS customer,
    i.issuer AS branch,
    i.currency AS currency,
    CAST(NULL AS text) AS terms,
    CAST(NULL AS text) AS purchase_order,
    CASE
        WHEN c.id IS NOT NULL THEN 'Cancels ' || c.number
        WHEN r.id IS NOT NULL THEN 'Replaces ' || r.number
    END AS memo,
    CASE WHEN i.total < 0 THEN c.number END AS applies_to,
    i.total AS total,
    1 AS version,
    i.period_start AS period_start,
    i.period_end AS period_end
FROM billing.utility_invoices AS i
LEFT JOIN billing.utility_invoices AS c ON c.id = i.cancels
LEFT JOIN billing.utility_invoices AS r ON r.id = i.replaces
WHERE i.number IS NOT NULL
