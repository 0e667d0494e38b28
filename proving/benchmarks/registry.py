"""Every measure, in the order of the page."""

from proving.benchmarks import (
    close,
    dagster_runs,
    history,
    invoicing,
    memory,
    metering,
    metering_espi,
    metering_import,
    metering_vee,
    metering_x12,
    peers,
    posting,
    rating,
    staging,
)
from proving.benchmarks.measure import Measure

_MODULES = [
    posting,
    dagster_runs,
    peers,
    staging,
    history,
    memory,
    close,
    metering,
    metering_espi,
    metering_x12,
    metering_vee,
    metering_import,
    rating,
    invoicing,
]

MEASURES: dict[str, Measure] = {one.name: one for module in _MODULES for one in module.MEASURES}
