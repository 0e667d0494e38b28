"""Input folders, runs over them, and what the tables hold afterwards, without numbers that depend on the order."""

from decimal import Decimal
from pathlib import Path
from typing import Any

from billing_assets.foundation.database.connection import Connection
from billing_assets.foundation.files.folder import OpenFolder
from billing_assets.foundation.files.local import LocalFolder
from billing_assets.foundation.x12.partners import Partner
from billing_assets.metering.import_engine import engine
from billing_assets.metering.import_engine.engine import ImportRun
from billing_assets.metering.import_engine.settings import InputFolder, MeteringSettings
from billing_assets.metering.import_engine.taking import Source
from billing_assets.metering.importing import import_connection, loader_of, settle
from billing_assets.work_queue.working import WorkPolicy
from proving.market.contents import rows

LEASE_SECONDS = 1.0


def source(path: Path, *, stable_seconds: float = 0, open_folder: OpenFolder | None = None) -> Source:
    """A folder as the settings name it; by default its senders rename what is complete."""
    return Source("market", open_folder or (lambda: LocalFolder(path)), stable_seconds=stable_seconds)


def run(
    url: str,
    *sources: Source,
    worker: str = "worker",
    partners: tuple[Partner, ...] = (),
    folder: InputFolder | None = None,
) -> ImportRun:
    """One run over folders, as the asset and the command make it."""
    settings = MeteringSettings(folders={"market": folder or InputFolder(path=Path("unused"))}, partners=partners)
    policy = WorkPolicy(LEASE_SECONDS, retry_seconds=0.1)
    with import_connection(url) as connection:
        found = engine.run(url, connection, sources, loader_of(settings), worker, policy)
        settle(connection)
    return found


def fill(folder: Path, files: dict[str, bytes]) -> Path:
    """A folder with files."""
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


def there(folder: Path) -> dict[str, set[str]]:
    """The names in a folder and in those inside it, by folder."""
    found: dict[str, set[str]] = {}
    for path in folder.rglob("*"):
        if path.is_file():
            found.setdefault(path.parent.relative_to(folder).as_posix(), set()).add(path.name)
    return found


def tables(state: Connection) -> dict[str, list[tuple[Any, ...]]]:
    """What was taken in: files by content, messages by what they say, readings; nothing that depends on when."""
    return rows(state, "files", "messages", "intervals", "registers")


def sums(state: Connection) -> tuple[dict[int, Decimal], dict[int, Decimal], dict[int, Decimal]]:
    """By file: the sum of its streams by its reader, of its messages, and of the readings in the tables."""
    of_files = state.execute(
        "select file, sum(quantity - repeated_sum) as total from billing.raw_streams group by file order by file"
    )
    of_messages = state.execute(
        "select file, sum(quantity) as total from billing.raw_messages where readings > 0 group by file order by file"
    )
    of_tables = state.execute(
        """
        select m.file, sum(r.total) as total from (
            select message, (select sum(v) from unnest(values) as v) / power(10::numeric, decimals) as total
            from billing.interval_readings
            union all select message, coalesce((facts ->> 'Quantity')::numeric, quantity)
            from billing.register_readings) as r
        join billing.raw_messages as m on m.id = r.message group by m.file order by m.file"""
    )
    return tuple({row["file"]: row["total"].normalize() for row in one} for one in (of_files, of_messages, of_tables))  # type: ignore[return-value]
