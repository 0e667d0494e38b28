"""The pack of a month that was closed for good, delivered to a folder on a real OpenSSH server."""

import hashlib
import time
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import psycopg
import pytest
from pydantic import ValidationError

from billing_assets.erp.pack_delivery.doctor import examine
from billing_assets.erp.pack_delivery.errors import NoPackError
from billing_assets.erp.pack_delivery.settings import PackDeliverySettings
from billing_assets.erp.pack_delivery.store import months_to_deliver
from billing_assets.file_exchange.errors import BegunElsewhereError
from billing_assets.foundation.database.connection import Connection, connect
from billing_assets.foundation.files.errors import LoginRefusedError
from billing_assets.foundation.files.sftp import SftpFolder
from billing_assets.foundation.settings import SettingsError
from billing_assets_tests.rooms.erp.close.test_closing import bill, press
from billing_assets_tests.rooms.erp.pack_delivery.packs import close, inbox, note_closing, pack, run, section
from billing_assets_tests.rooms.operations.test_cli import Command
from proving.world.builders import insert_document
from proving.world.command import complete
from proving.world.sshd import Sshd
from proving.world.sshd_fixtures import needs_sshd
from proving.world.system import PERIOD, System, metadata, rows

WORKBOOK = f"month-close-{PERIOD}.xlsx"
STATEMENT = f"month-close-{PERIOD}.pdf"


@pytest.fixture
def state(state_url: str) -> Iterator[Connection]:
    with connect(state_url) as found:
        yield found


def waiting(state: Connection) -> list[str]:
    """Months for which the sensor would ask for a run now."""
    return months_to_deliver(state, 0.0)


@needs_sshd
def test_a_pack_is_delivered_once_and_its_hash_is_what_was_read_back(
    state: Connection, state_url: str, sshd: Sshd
) -> None:
    close(state, PERIOD)
    assert waiting(state) == [PERIOD]
    done = run(state_url, section(sshd), PERIOD)
    assert (done.is_done, done.sent, done.stopped) == (True, 2, None)
    assert inbox(sshd) == pack(PERIOD)
    assert [(one.name, one.sha256) for one in done.files] == [
        (name, hashlib.sha256(held).hexdigest()) for name, held in pack(PERIOD).items()
    ]
    assert [one.where for one in done.files] == [f"{sshd.opened().address}/{one.name}" for one in done.files]
    found = state.execute("select remote_sha256, encode(sha256, 'hex') as sha256 from billing.close_pack_files")
    assert all(row["remote_sha256"] == row["sha256"] for row in found)
    assert waiting(state) == []
    sshd.stop()  # of a pack that is delivered nothing is asked, even
    assert run(state_url, section(sshd), PERIOD).sent == 0


@needs_sshd
def test_another_file_of_that_name_is_reported_and_left_alone_until_somebody_moved_it(
    state: Connection, state_url: str, sshd: Sshd
) -> None:
    close(state, PERIOD)
    (sshd.inbox / WORKBOOK).write_bytes(b"theirs")
    for _ in range(2):
        left = run(state_url, section(sshd), PERIOD)
        assert not left.is_done
        assert f"has another {WORKBOOK}: 6 bytes" in left.what_is_left()
        assert inbox(sshd) == pack(PERIOD) | {WORKBOOK: b"theirs"}
    assert waiting(state) == [], "it waits for a person"
    (sshd.inbox / WORKBOOK).unlink()
    gone = run(state_url, section(sshd), PERIOD)
    assert f"`billing close deliver {PERIOD}` sends it again" in gone.what_is_left()
    assert run(state_url, section(sshd), PERIOD).is_done
    assert inbox(sshd) == pack(PERIOD)


@needs_sshd
def test_what_is_there_already_is_taken_over_where_it_is_the_same(
    state: Connection, state_url: str, sshd: Sshd
) -> None:
    close(state, PERIOD)  # as in a database that was put back to a time before the delivery
    for name, held in pack(PERIOD).items():
        (sshd.inbox / name).write_bytes(held)
    written = {one.name: one.stat().st_ino for one in sshd.inbox.iterdir()}
    assert run(state_url, section(sshd), PERIOD).is_done
    assert {one.name: one.stat().st_ino for one in sshd.inbox.iterdir()} == written


@needs_sshd
def test_what_gets_its_name_long_after_the_connection_was_lost_is_not_sent_again(
    state: Connection, state_url: str, sshd: Sshd
) -> None:
    close(state, PERIOD)
    sshd.fault("late", 2)
    deadline = time.monotonic() + 60
    while not (last := run(state_url, section(sshd), PERIOD)).is_done:
        assert time.monotonic() < deadline, last
    assert {name: held for name, held in inbox(sshd).items() if not name.startswith(".")} == pack(PERIOD)
    tried = state.execute(
        """
        select count(distinct a.id) as attempts, count(*) filter (where o.outcome = 'unknown') as unknown
        from billing.close_pack_attempts as a join billing.close_pack_outcomes as o on o.attempt = a.id"""
    ).fetchone()
    assert tried == {"attempts": 2, "unknown": 2}


@needs_sshd
def test_a_file_that_somebody_changed_before_it_was_read_back_differs(
    state: Connection, state_url: str, sshd: Sshd, monkeypatch: pytest.MonkeyPatch
) -> None:
    close(state, PERIOD)
    put = SftpFolder.put

    def put_and_change(folder: SftpFolder, name: str, held: bytes) -> None:
        put(folder, name, held)
        (sshd.inbox / name).write_bytes(b"theirs")

    monkeypatch.setattr(SftpFolder, "put", put_and_change)
    left = run(state_url, section(sshd), PERIOD)
    assert not left.is_done
    assert f"has another {STATEMENT}: 6 bytes" in left.what_is_left()
    for name, held in pack(PERIOD).items():
        (sshd.inbox / name).write_bytes(held)
    again = run(state_url, section(sshd), PERIOD)
    assert (again.is_done, again.sent) == (True, 0), "it is looked at again"


@needs_sshd
def test_only_the_pack_on_which_a_month_was_closed_for_good_is_delivered(
    state: Connection, state_url: str, sshd: Sshd
) -> None:
    close(state, "2010-09", "soft")
    close(state, "2010-10")
    state.execute("update billing.close_packs set figures = 'other' where period = '2010-10'")
    assert waiting(state) == []
    for month, why in (("2010-08", "is not closed"), ("2010-09", "is not closed for good"), ("2010-10", "put back")):
        with pytest.raises(NoPackError, match=why):
            run(state_url, section(sshd), month)
    assert inbox(sshd) == {}
    close(state, PERIOD)
    note_closing(state, PERIOD, "soft", "another pack")  # an earlier close, as the journal gives it back
    assert run(state_url, section(sshd), PERIOD).is_done
    assert inbox(sshd) == pack(PERIOD)


@needs_sshd
def test_while_an_upload_is_unknown_the_month_stays_with_its_folder(
    state: Connection, state_url: str, sshd: Sshd
) -> None:
    close(state, PERIOD)
    sshd.fault("nothing done", 2)
    run(state_url, section(sshd), PERIOD)
    with pytest.raises(BegunElsewhereError, match=r"delivery of 2010-11 began at sftp://.*in box"):
        run(state_url, section(sshd, folder="/elsewhere"), PERIOD)


@needs_sshd
def test_a_delivered_file_never_changes_and_nothing_of_the_log_goes(
    state: Connection, state_url: str, sshd: Sshd
) -> None:
    close(state, PERIOD)
    run(state_url, section(sshd), PERIOD)
    for statement in (
        "update billing.close_pack_files set state = 'batched'",
        "update billing.close_pack_files set sha256 = 'x'",
        "delete from billing.close_pack_files",
        "delete from billing.close_pack_deliveries",
        "update billing.close_pack_attempts set epoch = 7",
        "delete from billing.close_pack_outcomes",
    ):
        with pytest.raises(psycopg.errors.CheckViolation):
            state.execute(statement.encode())
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        state.execute("delete from billing.close_packs")


@needs_sshd
def test_a_login_that_is_refused_is_said_before_anything_is_begun(
    state: Connection, state_url: str, sshd: Sshd
) -> None:
    close(state, PERIOD)
    sshd.is_open(to_us=False)
    left = run(state_url, section(sshd), PERIOD)
    assert "the server refused the login" in left.what_is_left()
    assert state.execute("select from billing.close_pack_attempts").fetchone() is None
    sshd.is_open(to_us=True)
    sshd.fault("nothing done")
    run(state_url, section(sshd), PERIOD)
    sshd.is_open(to_us=False)
    with pytest.raises(LoginRefusedError):  # nothing is known of the file then
        run(state_url, section(sshd), PERIOD)


def test_settings_that_are_not_whole_are_refused_and_a_key_that_others_can_read(tmp_path: Path) -> None:
    for values, missing in (
        ({"host": "h"}, "user, host_key, key_file or password is not"),
        ({"host": "h", "user": "u", "password": "secret"}, "host_key is not"),
        ({"host": "h", "user": "u", "password": "secret", "host_key": "ssh-ed25519 AAAA"}, "'ssh-ed25519' is no"),
    ):
        with pytest.raises(ValidationError, match=missing):
            PackDeliverySettings.model_validate(values)


@needs_sshd
def test_a_key_file_that_others_can_read_is_refused(state: Connection, state_url: str, sshd: Sshd) -> None:
    to = section(sshd)
    assert to.key_file is not None
    to.key_file.chmod(0o644)
    try:
        with pytest.raises(SettingsError, match="chmod 600"):
            run(state_url, to, PERIOD)
    finally:
        to.key_file.chmod(0o600)


def delivering(system: System, sshd: Sshd) -> System:
    """The system with a folder in its settings, and a month that was billed in it."""
    insert_document(system.source, "500001")
    bill(system)
    return system.changed(pack_delivery=section(sshd, timeout_seconds=10.0))


@needs_sshd
def test_a_month_that_is_closed_for_good_asks_for_its_delivery_and_shows_where_it_went(
    system: System, sshd: Sshd
) -> None:
    assert "close_pack_deliveries" not in {spec.key.to_user_string() for spec in system.defs.resolve_all_asset_specs()}
    found = delivering(system, sshd)
    assert isinstance(found.look("deliver_close_packs"), dg.SkipReason)
    assert press(found, "hard_close_month").success
    asked = found.look("deliver_close_packs")
    assert isinstance(asked, dg.SensorResult)
    assert [one.partition_key for one in asked.run_requests or []] == [PERIOD]
    result = found.run("deliver_close_pack", PERIOD)
    assert result.success
    shown = metadata(result, "close_pack_deliveries")
    assert shown["files_sent"] == 2
    files = {row["name"]: row for row in rows(shown["files"].records)}
    there = inbox(sshd)
    assert files.keys() == there.keys() == {WORKBOOK, STATEMENT}
    for name, held in there.items():
        assert files[name]["sha256"] == hashlib.sha256(held).hexdigest()
        assert files[name]["where"] == f"{sshd.opened().address}/{name}"
        assert files[name]["size"] == len(held)
    assert isinstance(found.look("deliver_close_packs"), dg.SkipReason)
    assert found.run("deliver_close_pack", PERIOD).success
    assert inbox(sshd) == there


@needs_sshd
def test_a_delivery_that_cannot_be_done_is_red_and_says_what_is_in_the_way(system: System, sshd: Sshd) -> None:
    found = delivering(system, sshd)
    assert press(found, "hard_close_month").success
    (sshd.inbox / STATEMENT).write_bytes(b"theirs")
    result = found.run("deliver_close_pack", PERIOD)
    (event,) = result.get_step_failure_events()
    assert event.step_failure_data.user_failure_data is not None
    assert f"has another {STATEMENT}" in str(event.step_failure_data.user_failure_data.description)


@needs_sshd
def test_the_command_delivers_and_its_exit_code_says_whether_it_is_done(
    machine: Command, system: System, sshd: Sshd
) -> None:
    found = delivering(system, sshd)
    to = found.runtime.settings.of(PackDeliverySettings)
    values = {"HOST": to.host, "PORT": to.port, "USER": to.user, "KEY_FILE": to.key_file, "HOST_KEY": to.host_key}
    variables = {f"BILLING_PACK_DELIVERY__{name}": str(value) for name, value in values.items()}
    variables |= {"BILLING_PACK_DELIVERY__FOLDER": to.folder, "COLUMNS": "300"}
    complete(machine("close", "deliver", PERIOD, **variables), 2, [f"{PERIOD} is not closed for good"])
    assert press(found, "hard_close_month").success
    (sshd.inbox / STATEMENT).write_bytes(b"theirs")
    complete(machine("close", "deliver", PERIOD, **variables), 1, [f"{STATEMENT}: not delivered", "has another"])
    (sshd.inbox / STATEMENT).unlink()
    machine("close", "deliver", PERIOD, **variables)
    hashed = hashlib.sha256(inbox(sshd)[WORKBOOK]).hexdigest()
    complete(machine("close", "deliver", PERIOD, **variables), 0, [hashed, "is delivered; 1 files were sent now."])
    complete(machine("close", "deliver", PERIOD, **variables), 0, ["is delivered; 0 files were sent now."])
    assert inbox(sshd).keys() == {WORKBOOK, STATEMENT}


@needs_sshd
def test_the_doctor_looks_at_the_folder_where_one_is_set(system: System, sshd: Sshd) -> None:
    found = system.changed(pack_delivery=section(sshd))
    (said,) = examine(found.runtime)
    assert said.well
    assert "answers with the host key of the settings, and has 0 files" in said.said
    wrong = system.changed(pack_delivery=section(sshd, host_key="SHA256:x"))
    (said,) = examine(wrong.runtime)
    assert not said.well
    assert "which the settings do not name" in said.said
    assert [*examine(system.runtime)] == [], "no folder is set"
