-- One row per line of a document. The columns are a contract: see ../README.md.
-- The sample's prices include tax, so its tax columns are empty.
SELECT
    l.invoice_id AS document_id,
    l.line_no,
    l.stock_code AS item,
    l.description,
    l.quantity,
    l.price AS unit_price,
    l.amount,
    CAST(NULL AS nvarchar(20)) AS tax_code,
    CAST(NULL AS decimal(9, 4)) AS tax_rate,
    CAST(NULL AS decimal(19, 4)) AS tax_amount,
    l.service
FROM dbo.invoice_lines AS l
