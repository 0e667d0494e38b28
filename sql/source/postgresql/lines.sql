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
    CAST(NULL AS text) AS tax_code,
    CAST(NULL AS numeric) AS tax_rate,
    CAST(NULL AS numeric) AS tax_amount,
    l.service
FROM invoice_lines AS l
