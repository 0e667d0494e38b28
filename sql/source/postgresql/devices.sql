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
    GREATEST(d.updated_at, g.updated_at) AS updated_at
FROM metering_devices AS d
INNER JOIN metering_registers AS g ON g.device_id = d.device_id
