"""Delivering the pack of a month, by the posting core: each file once, read back by its hash."""

from typing import NamedTuple

from billing_assets.erp.close.store import closed_state
from billing_assets.erp.pack_delivery import store
from billing_assets.erp.pack_delivery.errors import NoPackError
from billing_assets.erp.pack_delivery.settings import PackDeliverySettings
from billing_assets.erp.pack_delivery.sink import PackSink
from billing_assets.erp.pack_delivery.store import PACKS, FileReport
from billing_assets.foundation.database.connection import Connection
from billing_assets.foundation.files.folder import OpenFolder
from billing_assets.foundation.settings import Settings, SettingsError, readable_by_others, variable
from billing_assets.posting.answers import Unavailable
from billing_assets.posting.lanes import Lanes
from billing_assets.posting.lease import LeasePolicy, Patience, holding
from billing_assets.posting.look_up import AbsencePolicy
from billing_assets.posting.run import RunPolicy, post_through_outages

_LANES = 2
_OUTAGE_SECONDS = 60.0
_READ_BACK_SECONDS = 5.0


class Delivered(NamedTuple):
    """What a run did. `sent`: files that it uploaded. `stopped`: why it ended early, if it did."""

    period: str
    files: list[FileReport]
    sent: int
    stopped: str | None

    @property
    def is_done(self) -> bool:
        """Whether the whole pack is in the folder as it was sent."""
        return all(one.is_done for one in self.files)

    def what_is_left(self) -> str:
        """In words: which files are not delivered, and why."""
        left = [
            f"{one.name}: {one.said or 'it was not read back from the folder yet.'}"
            for one in self.files
            if not one.is_done
        ]
        return " ".join([*([self.stopped] if self.stopped else []), *left])


def run_policy(settings: PackDeliverySettings, lease_seconds: float) -> RunPolicy:
    """How a run delivers. The server may still rename what it was asked to for as long as we would have waited."""
    absence = AbsencePolicy(lease_seconds + settings.timeout_seconds, _READ_BACK_SECONDS)
    return RunPolicy(_LANES, _OUTAGE_SECONDS, lease_seconds, absence)


def opener(settings: PackDeliverySettings) -> OpenFolder:
    """Opens the folder that the settings name. Raises SettingsError where they name none, or the key file is open to
    others."""
    if settings.host is None or settings.user is None:
        raise SettingsError(
            f"{variable('pack_delivery.host')} is not set: it names the SFTP server that close packs are delivered to."
        )
    key = settings.key_file
    if key is not None:
        try:
            if readable_by_others(key.stat()):
                raise SettingsError(f"{key} holds a private key and others can read it. Run: chmod 600 {key}")
        except OSError as error:
            raise SettingsError(f"{variable('pack_delivery.key_file')}: {key}: {error.strerror}.") from None
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
    return lambda: SftpFolder(server, settings.folder)


def deliver(
    url: str, connection: Connection, settings: Settings, period: str, run_id: str, patience: Patience
) -> Delivered:
    """Delivers what is left of the pack of a month; of one that is delivered it sends nothing.

    Raises SettingsError, NoPackError, BegunElsewhereError, LockHeldError, FolderError where the login is refused while
    a file is looked up, and StaleLockError when another run took over.
    """
    open_folder = opener(settings.of(PackDeliverySettings))
    if not store.register(connection, period):
        raise NoPackError(_why_no_pack(connection, period))
    seconds = settings.batches.lease_seconds
    policy = run_policy(settings.of(PackDeliverySettings), seconds)
    account = f"sftp {settings.of(PackDeliverySettings).host}:{settings.of(PackDeliverySettings).port}"
    lease_policy = LeasePolicy(seconds, policy.absence.counts_after_seconds)
    sent, stopped = 0, None
    with (
        holding(url, connection, PACKS, period, run_id, lease_policy, retry_rejected=True, patience=patience) as lease,
        Lanes(url, account, _LANES, lease_seconds=seconds) as lanes,
        PackSink(period, open_folder) as sink,
    ):
        try:
            result = post_through_outages(url, sink, lanes, lease, policy)
            sent, stopped = result.sent, result.stopped
        except Unavailable as error:
            stopped = str(error)
    return Delivered(period, store.files(connection, period), sent, stopped)


def _why_no_pack(connection: Connection, period: str) -> str:
    if closed_state(connection, period) != "hard":
        return f"{period} is not closed for good: its pack is delivered once it is (`billing close hard {period}`)."
    return (
        f"{period} is closed for good, but the pack on which it was closed is not in this database, as one from before "
        "that was put back. Deliver the copy that finance signed by hand."
    )
