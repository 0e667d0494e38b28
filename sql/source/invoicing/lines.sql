-- Lines, and each tax as a line of its own after them: a tax has one base over many lines, and is not split between them.
-- Where quantity and price are not the amount (a minimum, a share of other lines), the line is one piece at its amount.
-- A tax that the prices include is a line too, and another takes it off them: the ledger needs both.
SELECT
    l.invoice AS document_id,
    l.position AS line_no,
    l.code AS item,
    l.bill_text AS description,
    CASE WHEN p.explains THEN l.quantity WHEN l.amount < 0 THEN -1 ELSE 1 END AS quantity,
    CASE WHEN p.explains THEN p.price ELSE abs(l.amount) END AS unit_price,
    l.amount AS amount,
    CAST(NULL AS text) AS tax_code,
    CAST(NULL AS numeric) AS tax_rate,
    CAST(NULL AS numeric) AS tax_amount,
    l.unit AS unit,
    nullif(l.point, '') AS service_point
FROM billing.utility_invoice_lines AS l
CROSS JOIN LATERAL (
    SELECT l.price / coalesce(l.price_base, 1) AS exact
) AS e
CROSS JOIN LATERAL (
    SELECT round(e.exact, 10) AS price,
        coalesce(abs(l.quantity * round(e.exact, 10) - l.amount) <= 0.005, false) AS explains
) AS p
UNION ALL
SELECT
    t.invoice,
    CAST((SELECT count(*) FROM billing.utility_invoice_lines AS n WHERE n.invoice = t.invoice) AS integer)
        + CAST(row_number() OVER (PARTITION BY t.invoice ORDER BY s.sign DESC, t.position) AS integer),
    CASE WHEN s.sign > 0 THEN t.code ELSE t.code || ':included' END,
    coalesce(t.jurisdiction || ' ', '') || t.code || CASE WHEN s.sign > 0 THEN '' ELSE ', included in the prices' END,
    CASE WHEN s.sign * t.amount < 0 THEN -1 ELSE 1 END,
    abs(t.amount),
    s.sign * t.amount,
    CAST(NULL AS text),
    CAST(NULL AS numeric),
    CAST(NULL AS numeric),
    CAST(NULL AS text),
    CAST(NULL AS text)
FROM billing.utility_invoice_taxes AS t
JOIN (VALUES (1), (-1)) AS s (sign) ON s.sign > 0 OR t.is_inside
