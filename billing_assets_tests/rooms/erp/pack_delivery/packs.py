"""Months that were closed for good, their packs, and a delivery of one, here or in a process of its own."""

import hashlib
from random import Random

from pydantic import SecretStr

from billing_assets.decisions.store import Subject, record
from billing_assets.erp.pack_delivery.delivery import deliver
from billing_assets.erp.pack_delivery.settings import PackDeliverySettings
from billing_assets.file_exchange.delivery import Delivered
from billing_assets.foundation.database.connection import Connection, connect
from billing_assets.foundation.sections import BatchSettings
from billing_assets.foundation.settings import Settings, make_settings
from billing_assets.posting.batch_lease import Patience
from proving.world.sshd import Sshd

LEASE_SECONDS = 1.0
TIMEOUT_SECONDS = 3.0


def section(sshd: Sshd, **changes: object) -> PackDeliverySettings:
    """The server's inbox, as the settings name it."""
    server = sshd.server()
    named: dict[str, object] = {
        "host": server.host,
        "port": server.port,
        "user": server.user,
        "key_file": server.key_file,
        "host_key": " ".join(server.host_keys),
        "folder": str(sshd.inbox),
        "timeout_seconds": TIMEOUT_SECONDS,
    }
    return PackDeliverySettings.model_validate(named | changes)


def settings(url: str, pack_delivery: PackDeliverySettings) -> Settings:
    """All settings, with waiting times scaled down."""
    return make_settings(
        database_url=SecretStr(url), pack_delivery=pack_delivery, batches=BatchSettings(lease_seconds=LEASE_SECONDS)
    )


def content(month: str, ending: str) -> bytes:
    """What is in a file of a month's pack: some pieces long, and not another's."""
    return Random(f"{month}{ending}").randbytes(700_000 if ending == "xlsx" else 50_000)


def close(state: Connection, month: str, how: str = "hard") -> None:
    """A month that was closed on a pack."""
    note_closing(state, month, how, month)
    state.execute("insert into billing.closed_months (period, state) values (%s, %s)", [month, how])


def note_closing(state: Connection, month: str, how: str, of: str) -> None:
    """That it was closed so, on the pack with the content `of` a month."""
    figures = hashlib.sha256(of.encode()).digest()
    state.execute(
        "insert into billing.close_packs (period, figures, compared_at, workbook, statement) "
        "values (%s, %s, now(), %s, %s)",
        [month, figures, content(of, "xlsx"), content(of, "pdf")],
    )
    action = f"{how}_close"
    decided = record(state, Subject.MONTH, month, action, "A. Clerk", "x")
    state.execute(
        "insert into billing.month_closings (period, action, decision_id, figures) values (%s, %s, %s, %s)",
        [month, action, decided.id, figures],
    )


def run(url: str, pack_delivery: PackDeliverySettings, month: str, run_id: str = "run") -> Delivered:
    """One delivery."""
    with connect(url) as connection:
        return deliver(url, connection, settings(url, pack_delivery), month, run_id, Patience.ENDLESS)


def inbox(sshd: Sshd) -> dict[str, bytes]:
    """What is in the server's inbox, hidden files included."""
    return {one.name: one.read_bytes() for one in sshd.inbox.iterdir()}


def pack(month: str) -> dict[str, bytes]:
    """What should be in it."""
    return {f"month-close-{month}.{ending}": content(month, ending) for ending in ("xlsx", "pdf")}
