-- One row per register of a device and time in which its terms hold. The columns are a contract: see ../README.md.
SELECT
    d.device_id,
    d.nmi,
    d.serial_number,
    d.installed_from,
    d.installed_until,
    g.register,
    g.suffix,
    g.digits,
    g.decimals,
    g.multiplier,
    g.unit,
    g.direction,
    g.valid_from,
    g.valid_until,
    CASE WHEN g.updated_at > d.updated_at THEN g.updated_at ELSE d.updated_at END AS updated_at
FROM dbo.metering_devices AS d
INNER JOIN dbo.metering_registers AS g ON g.device_id = d.device_id
