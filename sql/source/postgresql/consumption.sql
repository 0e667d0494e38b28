-- One row per interval of a stream. The columns are a contract: see ../README.md. `day` is the local day of the point;
-- of a day in which one row changed the pipeline reads all rows.
SELECT
    i.nmi,
    i.suffix,
    i.serial_number,
    i.unit,
    i.day,
    i.starts_at,
    i.length_seconds,
    i.value,
    i.quality,
    i.reason,
    i.updated_at
FROM interval_values AS i
