"""Delivering a batch of files to a folder, by the posting core: each file once, read back by its hash."""

from typing import NamedTuple

from billing_assets.file_exchange import outbox
from billing_assets.file_exchange.outbox import FileReport, Outbox
from billing_assets.file_exchange.settings import FolderSettings, SftpFolderSettings
from billing_assets.file_exchange.sink import FolderSink
from billing_assets.foundation.database.connection import Connection
from billing_assets.foundation.files.folder import OpenFolder
from billing_assets.foundation.files.local import LocalFolder
from billing_assets.foundation.settings import SettingsError, readable_by_others, variable
from billing_assets.posting.answers import Unavailable
from billing_assets.posting.batch_lease import LeasePolicy, Patience, holding
from billing_assets.posting.lanes import Lanes
from billing_assets.posting.look_up import AbsencePolicy
from billing_assets.posting.run import RunPolicy, post_through_outages

_LANES = 2
_OUTAGE_SECONDS = 60.0
_READ_BACK_SECONDS = 5.0


class Place(NamedTuple):
    """A folder that files go to. `account`: whose lanes its uploads use. `timeout_seconds`: of one answer."""

    open_folder: OpenFolder
    account: str
    timeout_seconds: float


class Delivered(NamedTuple):
    """What a run did. `sent`: files that it uploaded. `stopped`: why it ended early, if it did."""

    batch: str
    files: list[FileReport]
    sent: int
    stopped: str | None

    @property
    def is_done(self) -> bool:
        """Whether the whole batch is in the folder as it was sent."""
        return all(one.is_done for one in self.files)

    def what_is_left(self) -> str:
        """In words: which files are not delivered, and why."""
        left = [
            f"{one.name}: {one.said or 'it was not read back from the folder yet.'}"
            for one in self.files
            if not one.is_done
        ]
        return " ".join([*([self.stopped] if self.stopped else []), *left])


def run_policy(timeout_seconds: float, lease_seconds: float) -> RunPolicy:
    """How a run delivers. The server may still rename what it was asked to for as long as we would have waited."""
    absence = AbsencePolicy(lease_seconds + timeout_seconds, _READ_BACK_SECONDS)
    return RunPolicy(_LANES, _OUTAGE_SECONDS, lease_seconds, absence)


def place(settings: FolderSettings, setting: str) -> Place:
    """The folder that a setting (by its name) names, here or on a server. Raises SettingsError."""
    if (path := settings.path) is None:
        return sftp_place(settings, setting)
    return Place(lambda: LocalFolder(path), f"folder {path}", 0.0)


def sftp_place(settings: SftpFolderSettings, setting: str) -> Place:
    """The folder on a server that a setting (by its name) names. Raises SettingsError where it names none, or the key
    file is open to others."""
    if settings.host is None or settings.user is None:
        host = variable(f"{setting}.host")
        raise SettingsError(f"{host} is not set: it names the SFTP server that files are delivered to.")
    key = settings.key_file
    if key is not None:
        try:
            if readable_by_others(key.stat()):
                raise SettingsError(f"{key} holds a private key and others can read it. Run: chmod 600 {key}")
        except OSError as error:
            raise SettingsError(f"{variable(f'{setting}.key_file')}: {key}: {error.strerror}.") from None
    # Imported here: paramiko would add a quarter of a second to every command and every run.
    from billing_assets.foundation.files.sftp import SftpFolder, SftpServer  # noqa: PLC0415

    server = SftpServer(
        settings.host,
        settings.user,
        settings.host_keys,
        settings.port,
        key,
        settings.password.get_secret_value() if settings.password else None,
        settings.timeout_seconds,
    )
    account = f"sftp {settings.host}:{settings.port}"
    return Place(lambda: SftpFolder(server, settings.folder), account, settings.timeout_seconds)


def deliver(
    url: str,
    connection: Connection,
    files: Outbox,
    batch: str,
    place: Place,
    lease_seconds: float,
    run_id: str,
    patience: Patience,
) -> Delivered:
    """Delivers what is left of a batch; of one that is delivered it sends nothing.

    Raises BegunElsewhereError, LockHeldError, FolderError where the login is refused while a file is looked up, and
    StaleLockError when another run took over.
    """
    policy = run_policy(place.timeout_seconds, lease_seconds)
    lease_policy = LeasePolicy(lease_seconds, policy.absence.counts_after_seconds)
    sent, stopped = 0, None
    with (
        holding(
            url, connection, files.ledger, batch, run_id, lease_policy, retry_rejected=True, patience=patience
        ) as lease,
        Lanes(url, place.account, _LANES, lease_seconds=lease_seconds) as lanes,
        FolderSink(files, batch, place.open_folder) as sink,
    ):
        try:
            result = post_through_outages(url, sink, lanes, lease, policy)
            sent, stopped = result.sent, result.stopped
        except Unavailable as error:
            stopped = str(error)
    return Delivered(batch, outbox.files(connection, files.ledger, batch), sent, stopped)
