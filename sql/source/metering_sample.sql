-- The schema of a metering system that the shipped queries read: a sample for tests, in PostgreSQL's words.
CREATE TABLE supply_points (
    nmi text PRIMARY KEY,
    valid_from date NOT NULL,
    valid_until date,
    zone text NOT NULL,
    service text NOT NULL DEFAULT 'electricity',
    customer_class text,
    market text,
    utility text,
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE supplies (
    nmi text NOT NULL REFERENCES supply_points,
    account text NOT NULL,
    supplied_from date NOT NULL,
    supplied_until date,
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (nmi, supplied_from)
);
CREATE TABLE metering_devices (
    device_id text PRIMARY KEY,
    nmi text NOT NULL REFERENCES supply_points,
    serial_number text NOT NULL,
    installed_from date NOT NULL,
    installed_until date,
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE metering_registers (
    device_id text NOT NULL REFERENCES metering_devices,
    register text NOT NULL,
    suffix text NOT NULL,
    digits integer,
    decimals integer NOT NULL DEFAULT 0,
    multiplier numeric(9, 3) NOT NULL DEFAULT 1,
    unit text NOT NULL,
    direction text NOT NULL DEFAULT 'consumption',
    valid_from date NOT NULL,
    valid_until date,
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (device_id, register, valid_from)
);
CREATE TABLE register_reads (
    reading_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    device_id text NOT NULL REFERENCES metering_devices,
    register text NOT NULL,
    read_at timestamptz NOT NULL,
    value numeric(15, 3) NOT NULL,
    quality text NOT NULL,
    reason text,
    version integer NOT NULL DEFAULT 1,
    updated_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (device_id, register, read_at, version)
);
CREATE INDEX register_reads_changed ON register_reads (updated_at);
CREATE TABLE interval_values (
    nmi text NOT NULL,
    suffix text NOT NULL,
    serial_number text,
    unit text NOT NULL,
    day date NOT NULL,
    starts_at timestamptz NOT NULL,
    length_seconds integer NOT NULL,
    value numeric(15, 3) NOT NULL,
    quality text NOT NULL,
    reason text,
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (nmi, suffix, starts_at)
);
CREATE INDEX interval_values_changed ON interval_values (updated_at);
CREATE INDEX interval_values_days ON interval_values (nmi, suffix, day);
CREATE TABLE tariff_components (
    tariff text NOT NULL,
    component text NOT NULL,
    place text,
    valid_from date NOT NULL,
    valid_until date,
    price numeric(15, 6) NOT NULL,
    unit text NOT NULL,
    currency text NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now()
);
