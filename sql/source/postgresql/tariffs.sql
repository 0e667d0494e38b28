-- One row per price and time in which it holds. The columns are a contract: see ../README.md.
SELECT
    t.tariff,
    t.component,
    t.place,
    t.valid_from,
    t.valid_until,
    t.price,
    t.unit,
    t.currency,
    t.updated_at
FROM tariff_components AS t
