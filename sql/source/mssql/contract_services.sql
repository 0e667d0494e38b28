-- Optional: what each contract is charged for. One row per contract, service and time. See ../README.md.
-- This file reads the sample's schema on SQL Server; copy it and edit it for your own, or leave it out.
SELECT
    s.contract_no AS contract,
    c.customer_no AS customer,
    c.country AS branch,
    s.service,
    s.description,
    s.starts_on,
    s.ends_on,
    s.charged,
    s.expected_amount
FROM dbo.contract_services AS s
JOIN dbo.contracts AS c ON c.contract_no = s.contract_no
