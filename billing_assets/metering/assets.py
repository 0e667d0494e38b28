"""Files of the market, the messages in them, and the readings: as they come in."""

from datetime import UTC, datetime, timedelta

import dagster as dg

from billing_assets.foundation.dagster_helpers.failing import explained, failure
from billing_assets.foundation.dagster_helpers.presentation import Shown, table
from billing_assets.foundation.runtime import Runtime
from billing_assets.metering.import_engine import engine, reports
from billing_assets.metering.import_engine.engine import ImportRun
from billing_assets.metering.import_engine.reports import FileReportRow, MessageCount
from billing_assets.metering.import_engine.settings import MeteringSettings
from billing_assets.metering.importing import import_connection, loader_of, settle, sources_of, worker
from billing_assets.metering.usage.settings import UsageSettings
from billing_assets.work_queue.working import WorkPolicy

GROUP = "import_engine"
_FILES = ["id", "file", "folder", "sender", "state", "format", "readings", "sum", "codes", "messages", "why"]
_CHECKED_DAYS = 2
_OWNERS = ["team:billing-operations"]


@dg.asset(
    name="raw_files",
    group_name=GROUP,
    kinds={"file", "postgres"},
    owners=_OWNERS,
    description="Files of the input folders that are complete: their bytes stored with hash, name, sender and time of "
    "arrival before anything is read. Safe to repeat: no file is taken twice.",
)
@explained
def raw_files(context: dg.AssetExecutionContext, billing: dg.ResourceParam[Runtime]) -> dg.MaterializeResult:
    """Takes what is complete."""
    found = ImportRun()
    settings = billing.settings.of(MeteringSettings)
    with import_connection(billing.database_url) as connection:
        engine.take_all(connection, sources_of(settings), found)
        files = reports.files(connection, found.taken)
    metadata: dict[str, Shown] = {
        "files_taken": len(found.taken),
        "still_growing": found.waiting,
        "bytes": sum(one.size for one in files),
        "dagster/row_count": len(found.taken),
        "files": table((one._asdict() for one in files), ["id", "file", "folder", "sender", "size", "sha256"]),
    }
    if found.faults:
        raise failure(
            " ".join(str(fault) for fault in found.faults),
            billing.settings.alerts,
            to_do="What the other folders had is stored. Fix the folder that the reason names; its files are taken by "
            "the next run.",
            chapter="input-folders",
            metadata=metadata,
        )
    return dg.MaterializeResult(metadata=metadata)


@dg.asset(
    name="market_messages",
    deps=["raw_files"],
    group_name=GROUP,
    kinds={"postgres"},
    owners=_OWNERS,
    description="What stored files hold, read and checked: every file is accepted, held, refused or a duplicate as a "
    "whole, with its findings; then it is moved to archive/ or error/. Safe to repeat and side by side: each file is "
    "read once.",
)
@explained
def market_messages(context: dg.AssetExecutionContext, billing: dg.ResourceParam[Runtime]) -> dg.MaterializeResult:
    """Reads what waits, and moves what was read."""
    url, settings = billing.database_url, billing.settings.of(MeteringSettings)
    found = ImportRun()
    with import_connection(url) as connection:
        policy = WorkPolicy(settings.lease_seconds)
        engine.read_waiting(url, connection, loader_of(settings), worker(), policy, found)
        engine.move_all(connection, sources_of(settings), found)
        files = reports.files(connection, list(found.read))
        messages = reports.messages_of(connection, list(found.read))
    metadata: dict[str, Shown] = {
        **{f"files_{state}": many for state, many in sorted(found.states.items())},
        "files_moved": found.moved,
        "dagster/row_count": sum(one.messages for one in messages),
        "messages": table((one._asdict() for one in messages), list(MessageCount._fields)),
        "files": table((_row(one) for one in files), _FILES),
    }
    if parked := [one for one in files if one.state == "received"]:
        raise failure(
            " ".join(one.why or f"File {one.id} ({one.file}) could not be read." for one in parked),
            billing.settings.alerts,
            to_do="All other files are read. The bytes of these are kept (`billing metering file ID --save FILE`): "
            "report them with the reason.",
            chapter="input-folders",
            metadata=metadata,
        )
    return dg.MaterializeResult(metadata=metadata)


def _row(one: FileReportRow) -> dict[str, object]:
    said = ", ".join(f"{many} {state}" for state, many in sorted(one.messages.items()))
    return one._asdict() | {"codes": ", ".join(one.counts), "messages": said}


@dg.asset(
    name="meter_readings",
    deps=["market_messages"],
    group_name=GROUP,
    kinds={"postgres"},
    owners=_OWNERS,
    description="Versions of readings by stream and day, one of which counts; and usage and charges in pairs. What "
    "waited for master data that is there by now is freed. Safe to repeat.",
)
@explained
def meter_readings(context: dg.AssetExecutionContext, billing: dg.ResourceParam[Runtime]) -> dg.MaterializeResult:
    """Frees what waited, and pairs what came."""
    with import_connection(billing.database_url) as connection:
        freed = settle(connection, billing.settings.of(UsageSettings).options())
    return dg.MaterializeResult(metadata={"messages_freed": freed, "dagster/row_count": freed})


@dg.asset_check(
    asset="market_messages",
    name="files_are_in_their_messages",
    description="Counts and sums of every accepted or held file of the last two days equal those of its messages, held "
    "ones too.",
    blocking=False,
)
@explained
def files_are_in_their_messages(billing: dg.ResourceParam[Runtime]) -> dg.AssetCheckResult:
    """Σ file = Σ messages."""
    with billing.state() as connection:
        found = reports.differences(connection, datetime.now(UTC) - timedelta(days=_CHECKED_DAYS))
    return dg.AssetCheckResult(
        passed=not found,
        severity=dg.AssetCheckSeverity.ERROR,
        metadata={"differences": table((one._asdict() for one in found), list(reports.Difference._fields))},
    )


@dg.asset_check(
    asset="raw_files",
    name="every_folder_gets_files",
    description="The last file of every input folder came within the hours that the settings name for it "
    "(`silent_after_hours`).",
)
@explained
def every_folder_gets_files(billing: dg.ResourceParam[Runtime]) -> dg.AssetCheckResult:
    """Lists folders with their last file."""
    ours, now = billing.settings.of(MeteringSettings), datetime.now(UTC)
    with billing.state() as connection:
        last = reports.last_arrivals(connection)
        silent = reports.silent_folders(connection, ours, now)
    rows = [{"folder": name, "last_file": last.get(name), "is_silent": name in silent} for name in ours.folders]
    return dg.AssetCheckResult(
        passed=not silent,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"folders": table(rows, ["folder", "last_file", "is_silent"])},
    )
