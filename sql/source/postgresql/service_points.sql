-- One row per service point and time in which an account is supplied there. The columns are a contract: see ../README.md.
SELECT
    p.nmi,
    p.valid_from,
    p.valid_until,
    p.zone,
    p.service,
    p.customer_class AS class,
    p.market,
    p.utility,
    s.account,
    s.supplied_from,
    s.supplied_until,
    GREATEST(p.updated_at, s.updated_at) AS updated_at
FROM supply_points AS p
LEFT OUTER JOIN supplies AS s ON s.nmi = p.nmi
