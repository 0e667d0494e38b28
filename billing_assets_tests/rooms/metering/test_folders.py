"""The input folders as `billing doctor` sees them."""

from pathlib import Path

from pydantic import SecretStr

from billing_assets.foundation.runtime import Runtime
from billing_assets.foundation.settings import make_settings
from billing_assets.metering.import_engine.doctor import examine
from billing_assets.metering.import_engine.settings import InputFolder, MeteringSettings
from billing_assets_tests.rooms.metering.inboxes import fill


def test_the_doctor_looks_into_each_folder(state_url: str, tmp_path: Path) -> None:
    folders = {
        "here": InputFolder(path=fill(tmp_path / "in", {"a.csv": b""})),
        "gone": InputFolder(path=tmp_path / "x"),
    }
    metering = MeteringSettings(folders=folders)
    settings = make_settings(database_url=SecretStr(state_url), areas="metering", metering=metering)
    here, gone = examine(Runtime(settings))
    assert here.well
    assert "has 1 files" in here.said
    assert not gone.well
    assert "there is no such folder" in gone.said
