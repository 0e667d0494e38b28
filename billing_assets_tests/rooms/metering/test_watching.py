"""Alerts about files that come in: refused, put aside, unread, or none at all."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from billing_assets.foundation.database.connection import Connection
from billing_assets.foundation.runtime import Runtime
from billing_assets.foundation.settings import Settings, make_settings
from billing_assets.metering.import_engine import loading
from billing_assets.metering.import_engine.causes import alerts
from billing_assets.metering.import_engine.doctor import examine
from billing_assets.metering.import_engine.settings import InputFolder, MeteringSettings
from billing_assets.metering.import_engine.store import Origin, store_raw
from billing_assets_tests.rooms.metering.inboxes import fill, run, source
from billing_assets_tests.rooms.metering.market_files import nem12


def settings(url: str, folder: Path) -> Settings:
    """An input folder where files usually come every hour."""
    metering = MeteringSettings(folders={"market": InputFolder(path=folder, silent_after_hours=1)})
    return make_settings(database_url=SecretStr(url), areas="metering", metering=metering)


def told(state: Connection, url: str, folder: Path, hours: float = 0) -> dict[str, str]:
    """The alerts so many hours from now, by cause: title and what happened."""
    now = datetime.now(UTC) + timedelta(hours=hours)
    return {one.cause: f"{one.title}. {one.what_happened}" for one in alerts(state, settings(url, folder), now)}


def test_refused_files_are_told_for_some_days_and_a_silent_folder_after_its_time(
    state: Connection, state_url: str, tmp_path: Path
) -> None:
    inbox = fill(tmp_path / "in", {})
    assert told(state, state_url, inbox, hours=9) == {}, "nothing ever came: it may be new"
    run(state_url, source(fill(inbox, {"good.csv": nem12(), "bad.csv": nem12()[:-5]})))
    now = told(state, state_url, inbox)
    assert now.keys() == {"market_files_refused"}
    assert "bad.csv (1)" in now["market_files_refused"]
    assert told(state, state_url, inbox, hours=2).keys() == {"market_files_refused", "input_folder_silent"}
    assert told(state, state_url, inbox, hours=24 * 4).keys() == {"input_folder_silent"}


def test_a_file_that_could_not_be_read_is_told_until_it_is(
    state: Connection, state_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise KeyError("x")

    inbox = fill(tmp_path / "in", {"odd.csv": nem12()})
    with monkeypatch.context() as patched:
        patched.setattr(loading, "_write_batch", fails)
        run(state_url, source(inbox))
    assert "odd.csv (1)" in told(state, state_url, inbox)["market_files_put_aside"]


def test_a_file_that_nothing_reads_is_told(state: Connection, state_url: str, tmp_path: Path) -> None:
    store_raw(state, Origin("a.csv", "api"), [nem12()])
    assert told(state, state_url, tmp_path) == {}
    assert "1 file of the market not read" in told(state, state_url, tmp_path, hours=2)["market_files_waiting"]


def test_the_doctor_looks_into_each_folder(state_url: str, tmp_path: Path) -> None:
    inbox = fill(tmp_path / "in", {"a.csv": b""})
    (found,) = examine(Runtime(settings(state_url, inbox)))
    assert found.well
    assert "has 1 files" in found.said
    (found,) = examine(Runtime(settings(state_url, tmp_path / "none")))
    assert not found.well
