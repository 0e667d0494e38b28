-- One row per customer: how it is reached when a payment reminder goes out. Leave the file out if none are to be sent.
-- The columns are a contract: see ../README.md. This file reads the sample billing system; copy it and edit it.
SELECT
    c.customer_no AS customer,
    c.name,
    c.email,
    c.language,
    c.country_code AS country,
    CAST(NULL AS nvarchar(20)) AS region,
    CAST(NULL AS nvarchar(20)) AS timezone
FROM dbo.customers AS c
