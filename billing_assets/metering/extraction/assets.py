"""What was extracted from the customer's systems."""

import dagster as dg

from billing_assets.foundation.dagster_helpers.failing import explained, failure
from billing_assets.foundation.dagster_helpers.presentation import Shown
from billing_assets.foundation.runtime import Runtime
from billing_assets.metering.extraction.systems import extract_each, opened_systems
from billing_assets.metering.importing import import_connection


@dg.asset(
    name="metering_extracts",
    group_name="extraction",
    kinds={"sql", "api"},
    owners=["team:billing-operations"],
    description="Reads, consumption, tariffs and master data that are new or changed in the metering database and the "
    "API, as raw files, each stored once. The import reads them. Safe to repeat: what is known is dropped.",
)
@explained
def metering_extracts(billing: dg.ResourceParam[Runtime]) -> dg.MaterializeResult:
    """Extracts what is new."""
    with opened_systems(billing.settings) as systems, import_connection(billing.database_url) as connection:
        found = extract_each(connection, systems)
    lines = ["| source | resource | records | new | files |", "|---|---|---|---|---|"]
    lines += [
        f"| {one.source} | {one.resource} | {one.records:,} | {one.pieces:,} | {len(one.files) + len(one.bad)} |"
        for one in found.done
    ]
    metadata: dict[str, Shown] = {
        "records": sum(one.records for one in found.done),
        "new": sum(one.pieces for one in found.done),
        "extracts": dg.MetadataValue.md("\n".join(lines)),
    }
    if found.failed:
        raise failure(
            " ".join(f"{resource} of {source}: {error}" for source, resource, error in found.failed),
            billing.settings.alerts,
            to_do="Fix what the reason names; the next run reads on from where the last one ended. `billing doctor` "
            "looks at both systems.",
            metadata=metadata,
        )
    return dg.MaterializeResult(metadata=metadata)
