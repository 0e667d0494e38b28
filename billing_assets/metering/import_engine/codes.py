"""All codes that a file can get, by what is read: the table that the documentation is made of."""

from billing_assets.metering.import_engine.csv_codes import CSV
from billing_assets.metering.import_engine.espi.espi_codes import ESPI
from billing_assets.metering.import_engine.extracts.codes import EXTRACTS, LOADS
from billing_assets.metering.import_engine.findings import Code
from billing_assets.metering.import_engine.interval_codes import INTERVALS
from billing_assets.metering.import_engine.nem.codes import NEM
from billing_assets.metering.import_engine.opening_codes import OPENING
from billing_assets.metering.import_engine.x12_sets.codes import CODES as X12_SETS
from billing_assets.metering.import_engine.x12_sets.codes import ENVELOPE

CODES: dict[str, dict[str, Code]] = {
    "any file": OPENING,
    "NEM12 and NEM13": NEM,
    "interval data": INTERVALS,
    "Green Button": ESPI,
    "CSV exports": CSV,
    "extracts": EXTRACTS,
    "extracts: prices and master data": LOADS,
    "X12: envelope and form": ENVELOPE,
    "X12: what a set means": X12_SETS,
}
