"""The rooms of the area together: files into messages and readings, by the settings."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from billing_assets.file_exchange.delivery import place
from billing_assets.foundation.database.connection import Connection, connect
from billing_assets.foundation.files.local import LocalFolder
from billing_assets.foundation.settings import Settings
from billing_assets.foundation.x12.delimiters import Isa
from billing_assets.foundation.x12.partners import Partners
from billing_assets.metering.import_engine import extracts, message_store
from billing_assets.metering.import_engine.arrivals import MessageState
from billing_assets.metering.import_engine.engine import ImportRun, run
from billing_assets.metering.import_engine.exchange import checks, settle_interchanges
from billing_assets.metering.import_engine.loading import Loader
from billing_assets.metering.import_engine.messages import FileReport, Verdict
from billing_assets.metering.import_engine.options import DEFAULT, ReadOptions
from billing_assets.metering.import_engine.raw_bytes import opened
from billing_assets.metering.import_engine.settings import MeteringSettings
from billing_assets.metering.import_engine.store import RawFile
from billing_assets.metering.import_engine.taking import Source
from billing_assets.metering.import_engine.x12_sets.options import SetOptions
from billing_assets.metering.readings import extracted, master_store, rulings
from billing_assets.metering.readings.enrolments import load_enrolments
from billing_assets.metering.readings.intake import Intake, free_waiting
from billing_assets.metering.readings.master_data import read_folder
from billing_assets.metering.readings.master_store import Loaded
from billing_assets.metering.readings.rulings import Ruling
from billing_assets.metering.readings.store import Table
from billing_assets.metering.usage.facts import Options
from billing_assets.metering.usage.intake import settle_all
from billing_assets.metering.usage.settings import UsageSettings
from billing_assets.work_queue.working import WorkPolicy

_IDLE_TRANSACTION_SECONDS = 600.0
"""The longest that a reader may work between two rows: a file of the largest size that is refused at its end."""


def loader_of(settings: MeteringSettings) -> Loader:
    """How files are read: each by the options of the folder that it came in."""
    options = {name: one.options() for name, one in settings.folders.items()}
    newest = {name for name, one in settings.folders.items() if one.newest_stamp_wins}

    partners = Partners(settings.partners)

    def sets_of(isa: Isa) -> SetOptions:
        return settings.sets_of(partners.of(isa))

    def options_of(connection: Connection, file: RawFile) -> ReadOptions:
        of_folder = options.get(file.folder or "", DEFAULT)
        return replace(
            of_folder,
            x12_checks=checks(connection, partners),
            sets_by_sender=sets_of,
            extracts=file.folder is None,
        )

    def after(connection: Connection, file: RawFile, report: FileReport) -> None:
        settle_interchanges(connection, partners, file.id, report)
        if report.format == extracts.FORMAT and report.worst is not Verdict.REFUSE:
            with opened(connection, file) as content:
                extracted.load(connection, file.id, content)

    return Loader(
        open_take_in=lambda connection: Intake(connection).take_in,
        options=options_of,
        after=after,
        newest_wins=lambda folder: folder in newest,
        limits=settings.limits,
    )


def sources_of(settings: MeteringSettings) -> list[Source]:
    """The input folders. Raises SettingsError."""
    return [
        Source(
            name,
            place(one, f"metering.folders.{name}").open_folder,
            "folder" if one.path else "sftp",
            one.sender,
            one.stable_seconds,
            settings.max_file_bytes,
        )
        for name, one in settings.folders.items()
    ]


def named_folder(path: Path, settings: MeteringSettings) -> Source:
    """A folder on this machine that a person named: whatever is in it is complete."""
    name, most = str(path.resolve()), settings.max_file_bytes
    return Source(name, lambda: LocalFolder(path), "command", stable_seconds=0, max_bytes=most)


@contextmanager
def import_connection(url: str) -> Iterator[Connection]:
    """A connection for reading files: a reader may work longer between two rows than others may idle."""
    with connect(url, application="billing import", idle_transaction_seconds=_IDLE_TRANSACTION_SECONDS) as connection:
        yield connection


def import_files(url: str, settings: Settings, sources: list[Source], *, may_move: bool = True) -> ImportRun:
    """Takes files in and reads them, then frees what waited for master data that is there by now."""
    ours = settings.of(MeteringSettings)
    with import_connection(url) as connection:
        found = run(
            url, connection, sources, loader_of(ours), worker(), WorkPolicy(ours.lease_seconds), may_move=may_move
        )
        settle(connection, settings.of(UsageSettings).options())
    return found


def worker() -> str:
    """This process, as people find it."""
    return f"{socket.gethostname()} {os.getpid()}"


def settle(connection: Connection, options: Options | None = None) -> int:
    """Loads master data that 814s brought, frees messages that waited for some, and pairs usage and charges; how many
    messages were freed."""
    load_enrolments(connection)
    freed = sum(_free(connection, table) for table in Table)
    settle_all(connection, options=options)
    return freed


def _free(connection: Connection, table: Table) -> int:
    """In transactions of its own: killed in between, the next call goes on."""
    freed, after = 0, 0
    while True:
        with connection.transaction():
            found = free_waiting(connection, table, after)
            message_store.set_states(connection, found.states, of_readings=True)
        if found.last is None:
            return freed
        freed, after = freed + len(found.states), found.last


def decide_reading(connection: Connection, message: int, ruling: Ruling, by: str, why: str) -> list[MessageState]:
    """Has what a person decided about a held reading count; the messages whose state changed. Raises
    NotDecidableError."""
    with connection.transaction():
        states = rulings.decide_message(connection, message, ruling, by, why)
        message_store.set_states(connection, states, of_readings=True)
    return states


def load_master_data(connection: Connection, folder: Path, options: Options | None = None) -> tuple[list[Loaded], int]:
    """Loads the master data of a folder, all or none, and frees what waited for it; how many messages changed. Raises
    MasterDataError."""
    with connection.transaction():
        loaded = master_store.load(connection, read_folder(folder))
    return loaded, settle(connection, options)
