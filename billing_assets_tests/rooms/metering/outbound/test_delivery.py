"""Interchanges that we made reach the folder of their partner once, and what does not reach it is told."""

import hashlib
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from pydantic import SecretStr, ValidationError

from billing_assets.file_exchange.delivery import Delivered
from billing_assets.foundation.database.connection import Connection, connect
from billing_assets.foundation.runtime import Runtime
from billing_assets.foundation.sections import BatchSettings
from billing_assets.foundation.settings import Settings, make_settings
from billing_assets.metering.outbound import store
from billing_assets.metering.outbound.causes import alerts
from billing_assets.metering.outbound.delivery import UnknownBatchError, deliver, deliver_each, due
from billing_assets.metering.outbound.doctor import examine
from billing_assets.posting.batch_lease import Patience
from proving.world.sshd import Sshd
from proving.world.sshd_fixtures import needs_sshd


def made(state: Connection, partner: str, number: int, *, awaits: bool = False) -> None:
    """An interchange for a partner."""
    content = f"ISA*{partner}*{number:09}~".encode()
    state.execute(
        """
        insert into billing.outbound_interchanges (partner, type, control, name, content, sha256, awaits_997)
        values (%s, %s, %s, %s, %s, %s, %s)""",
        [
            partner,
            "824" if awaits else "997",
            number,
            f"{partner}-{number:09}.x12",
            content,
            hashlib.sha256(content).digest(),
            awaits,
        ],
    )


def settings(url: str, folders: Mapping[str, Mapping[str, Any]]) -> Settings:
    return make_settings(
        database_url=SecretStr(url), outbound={"folders": folders}, batches=BatchSettings(lease_seconds=1.0)
    )


def run(url: str, state: Connection, folders: Mapping[str, Mapping[str, Any]]) -> list[Delivered]:
    return list(deliver_each(url, state, settings(url, folders), "run", Patience.ENDLESS))


def there(folder: Path) -> dict[str, bytes]:
    return {one.name: one.read_bytes() for one in folder.iterdir()}


def expected(partner: str, *numbers: int) -> dict[str, bytes]:
    return {f"{partner}-{number:09}.x12": f"ISA*{partner}*{number:09}~".encode() for number in numbers}


@needs_sshd
def test_each_interchange_reaches_the_folder_of_its_partner_once(
    state: Connection, state_url: str, tmp_path: Path, sshd: Sshd
) -> None:
    server = sshd.server()
    remote = {"host": server.host, "port": server.port, "user": server.user, "key_file": str(server.key_file)}
    remote |= {"host_key": " ".join(server.host_keys), "folder": str(sshd.inbox), "timeout_seconds": 3.0}
    folders: dict[str, dict[str, Any]] = {"wires": {"path": str(tmp_path)}, "poles": remote}
    for number in (1, 2, 3):
        made(state, "wires", number)
        made(state, "poles", number)
    done = run(state_url, state, folders)
    assert [(one.batch, one.sent, one.is_done) for one in done] == [
        ("poles-000000001", 3, True),
        ("wires-000000001", 3, True),
    ]
    assert there(tmp_path) == expected("wires", 1, 2, 3)
    assert there(sshd.inbox) == expected("poles", 1, 2, 3)
    assert run(state_url, state, folders) == []
    made(state, "wires", 4)
    assert [(one.batch, one.sent) for one in run(state_url, state, folders)] == [("wires-000000004", 1)]
    assert there(tmp_path) == expected("wires", 1, 2, 3, 4)


def test_two_planners_at_once_put_each_interchange_into_one_batch(state: Connection, state_url: str) -> None:
    for number in range(1, 41):
        made(state, "wires", number)

    def plan(_: int) -> int:
        with connect(state_url) as mine:
            return store.plan(mine)

    with ThreadPoolExecutor(4) as pool:
        planned = list(pool.map(plan, range(4)))
    assert sorted(planned) == [0, 0, 0, 40]


def test_a_folder_that_is_gone_stops_no_other_partner(state: Connection, state_url: str, tmp_path: Path) -> None:
    for partner in ("poles", "wires"):
        made(state, partner, 1)
    folders = {"poles": {"path": str(tmp_path / "gone")}, "wires": {"path": str(tmp_path)}}
    failed, done = run(state_url, state, folders)
    assert (failed.batch, failed.is_done, done.batch, done.is_done) == (
        "poles-000000001",
        False,
        "wires-000000001",
        True,
    )
    assert "there is no such folder" in failed.what_is_left()
    assert due(state, settings(state_url, folders)) == [], "it rests"
    (tmp_path / "gone").mkdir()
    again = deliver(state_url, state, settings(state_url, folders), failed.batch, "again", Patience.ENDLESS)
    assert again.is_done
    assert there(tmp_path / "gone") == expected("poles", 1)


def test_a_batch_that_is_none_is_named(state: Connection, state_url: str) -> None:
    with pytest.raises(UnknownBatchError, match="There is no batch wires-7"):
        deliver(state_url, state, settings(state_url, {}), "wires-7", "run", Patience.ENDLESS)


def causes(state: Connection, found: Settings, now: datetime) -> dict[str, str]:
    return {one.cause: f"{one.title}. {one.what_happened}" for one in alerts(state, found, now)}


def test_people_are_told_what_does_not_reach_a_partner(state: Connection, state_url: str, tmp_path: Path) -> None:
    now = datetime.now(UTC)
    made(state, "poles", 1)
    made(state, "wires", 1, awaits=True)
    folders = {"wires": {"path": str(tmp_path)}}
    found = settings(state_url, folders)
    assert list(causes(state, found, now)) == ["no_outbound_folder"]
    assert "1 interchange for poles cannot be delivered" in causes(state, found, now)["no_outbound_folder"]
    assert [one.is_done for one in run(state_url, state, folders)] == [True]
    assert "no_functional_acknowledgement" not in causes(state, found, now + timedelta(hours=23))
    late = causes(state, found, now + timedelta(hours=25))
    assert "24 hours after delivery of wires-000000001.x12" in late["no_functional_acknowledgement"]
    state.execute(
        "update billing.outbound_interchanges set acknowledgement = 'R', acknowledged_at = now() where partner = "
        "'wires'"
    )
    refused = causes(state, found, now + timedelta(hours=25))
    assert "no_functional_acknowledgement" not in refused
    assert "wires-000000001.x12" in refused["outbound_refused"]


def test_a_batch_left_behind_is_told_after_a_window(state: Connection, state_url: str, tmp_path: Path) -> None:
    made(state, "wires", 1)
    folders = {"wires": {"path": str(tmp_path / "gone")}}
    assert [one.is_done for one in run(state_url, state, folders)] == [False]
    now = datetime.now(UTC)
    assert causes(state, settings(state_url, folders), now) == {}
    assert list(causes(state, settings(state_url, folders), now + timedelta(hours=2))) == ["outbound_not_delivered"]


def test_the_doctor_looks_at_each_folder(state_url: str, tmp_path: Path) -> None:
    folders = {"poles": {"path": str(tmp_path / "gone")}, "wires": {"path": str(tmp_path)}}
    looked = {one.what: one.well for one in examine(Runtime(settings(state_url, folders)))}
    assert looked == {"Folder for poles": False, "Folder for wires": True}


def test_a_folder_is_here_or_on_a_server(state_url: str) -> None:
    for wrong in ({}, {"path": "/x", "host": "h", "user": "u", "key_file": "/k", "host_key": "SHA256:x"}):
        with pytest.raises(ValidationError, match="either a path on this machine or the host"):
            settings(state_url, {"wires": wrong})


def test_what_was_delivered_never_changes(state: Connection, state_url: str, tmp_path: Path) -> None:
    made(state, "wires", 1)
    run(state_url, state, {"wires": {"path": str(tmp_path)}})
    for change in ("sha256 = '\\x00'", "external_id = 'x'", "remote_path = 'x'"):
        with pytest.raises(psycopg.errors.CheckViolation, match="never changes"):
            state.execute(f"update billing.outbound_files set {change}")  # noqa: S608
