"""What the web UI shows of delivered files."""

from collections.abc import Sequence

import dagster as dg

from billing_assets.file_exchange.delivery import Delivered
from billing_assets.foundation.dagster_helpers.presentation import table

_COLUMNS = ["name", "state", "size", "sha256", "where", "delivered_at", "read_back_at", "said"]


def delivery_metadata(results: Sequence[Delivered]) -> dict[str, dg.MetadataValue | int | str]:
    """Which files are where, since when, and by what hash."""
    files = [one for result in results for one in result.files]
    metadata: dict[str, dg.MetadataValue | int | str] = {
        "files": table((one._asdict() for one in files), _COLUMNS),
        "files_sent": sum(result.sent for result in results),
        "bytes": sum(one.size for one in files),
        "dagster/row_count": sum(one.is_done for one in files),
    }
    if delivered := [one.delivered_at for one in files if one.delivered_at]:
        metadata["delivered_at"] = dg.MetadataValue.timestamp(max(delivered))
    return metadata
