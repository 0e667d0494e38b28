-- One row per register read, in its newest version, with the read of the register before it. The columns are a contract:
-- see ../README.md. This file reads the sample's schema (metering_sample.sql); copy it and edit it for your own system.
-- updated_at is the newest change of either read: a read that comes late changes the one after it, too.
SELECT
    r.reading_id,
    d.nmi,
    r.device_id,
    d.serial_number,
    r.register,
    g.suffix,
    r.read_at,
    r.value,
    g.unit,
    r.quality,
    r.reason,
    r.version,
    r.previous_at,
    r.previous_value,
    r.previous_quality,
    g.multiplier,
    g.digits,
    CASE WHEN r.previous_updated_at > r.updated_at THEN r.previous_updated_at ELSE r.updated_at END AS updated_at
FROM (
    SELECT
        n.*,
        LAG(n.read_at) OVER (PARTITION BY n.device_id, n.register ORDER BY n.read_at) AS previous_at,
        LAG(n.value) OVER (PARTITION BY n.device_id, n.register ORDER BY n.read_at) AS previous_value,
        LAG(n.quality) OVER (PARTITION BY n.device_id, n.register ORDER BY n.read_at) AS previous_quality,
        LAG(n.updated_at) OVER (PARTITION BY n.device_id, n.register ORDER BY n.read_at) AS previous_updated_at
    FROM (
        SELECT
            v.*,
            ROW_NUMBER() OVER (PARTITION BY v.device_id, v.register, v.read_at ORDER BY v.version DESC) AS place
        FROM dbo.register_reads AS v
    ) AS n
    WHERE n.place = 1
) AS r
INNER JOIN dbo.metering_devices AS d ON d.device_id = r.device_id
INNER JOIN dbo.metering_registers AS g
    ON g.device_id = r.device_id AND g.register = r.register
    AND g.valid_from <= CAST(r.read_at AS date)
    AND (g.valid_until IS NULL OR g.valid_until > CAST(r.read_at AS date))
