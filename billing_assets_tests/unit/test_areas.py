"""A room plugs in: its folder and one line in the list of areas. What is off is not to be seen."""

import ast
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import pytest

import billing_assets
from billing_assets.areas import AREAS, verbs
from billing_assets.definitions import build_defs
from billing_assets.foundation import settings as settings_module
from billing_assets.foundation.database.connection import Connection
from billing_assets.foundation.runtime import Runtime
from billing_assets.foundation.settings import SettingsError, load_settings, make_settings, setting_names
from billing_assets.operations.alerts.detection import detect
from billing_assets.operations.doctor import check_up
from proving.world.command import call, complete

PACKAGE = Path(billing_assets.__file__).parent

SETTINGS = """
from typing import ClassVar

from pydantic import Field

from billing_assets.foundation.sections import Section
from billing_assets.foundation.settings import SettingsError


class ToySettings(Section):
    section: ClassVar[str] = "toy"
    wheels: int = Field(4, description="How many")


def check(settings):
    if settings.of(ToySettings).wheels > 9:
        raise SettingsError("BILLING_TOY__WHEELS is more than a toy can have.")
"""
DEFINITIONS = '''
import dagster as dg

from billing_assets.toys.car.settings import ToySettings


def build(settings):
    @dg.asset(group_name="car", description=f"A car with {settings.of(ToySettings).wheels} wheels.")
    def toy_car():
        """A car."""

    return dg.Definitions(assets=[toy_car])
'''
COMMANDS = '''
import typer


def register(app: typer.Typer) -> None:
    app.command()(honk)


def honk() -> None:
    """Make a noise."""
    print("Honk!")
'''
OFFLINE_COMMANDS = COMMANDS.replace("honk", "ring").replace("Honk!", "Ring!")
DOCTOR = """
from billing_assets.foundation.doctor import Unwell, looked


def examine(runtime):
    yield looked("Toy", look_at_wheels, runtime)


def look_at_wheels(runtime):
    raise Unwell("A wheel is off.")
"""
CAUSES = """
from billing_assets.foundation.alerts import Alert, Severity


def alerts(connection, settings, now):
    yield Alert("toy_broken", "A toy is broken", "It fell.", 0, (), "Glue it.", "", Severity.WARNING)
"""


def assets(areas: str | None = None) -> set[str]:
    """The keys of all assets that a code location shows."""
    settings = load_settings() if areas is None else make_settings(areas=areas)
    graph = build_defs(Runtime(settings)).get_repository_def().asset_graph
    return {key.to_user_string() for key in graph.get_all_asset_keys()}


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A new area with one room: a folder, and a line in the list."""
    room = tmp_path / "toys" / "car"
    room.mkdir(parents=True)
    (room / "settings.py").write_text(SETTINGS)
    (room / "definitions.py").write_text(DEFINITIONS)
    (room / "commands.py").write_text(COMMANDS)
    (room / "offline_commands.py").write_text(OFFLINE_COMMANDS)
    (room / "doctor.py").write_text(DOCTOR)
    (room / "causes.py").write_text(CAUSES)
    monkeypatch.setattr(billing_assets, "__path__", [*billing_assets.__path__, str(tmp_path)])
    monkeypatch.setitem(AREAS, "toys", ("car",))
    caches = [settings_module.sections, settings_module.whole]
    for one in caches:
        one.cache_clear()
    yield
    for one in caches:
        one.cache_clear()


@pytest.mark.usefixtures("toy")
def test_a_room_is_a_folder_and_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BILLING_AREAS", "erp,toys")
    monkeypatch.setenv("BILLING_TOY__WHEELS", "3")
    assert "toy.wheels" in setting_names()
    specs = {spec.key.to_user_string(): spec for spec in build_defs().resolve_all_asset_specs()}
    assert specs["toy_car"].description == "A car with 3 wheels."
    assert "staged_invoices" in specs
    assert "aging" not in specs
    monkeypatch.setenv("BILLING_TOY__WHEELS", "10")
    with pytest.raises(SettingsError, match="BILLING_TOY__WHEELS is more than"):
        load_settings()
    monkeypatch.setenv("BILLING_AREAS", "erp")
    assert load_settings(), "nothing is asked of what is off"
    assert "toy_car" not in assets()


@pytest.mark.usefixtures("toy")
def test_a_room_brings_its_commands(capsys: pytest.CaptureFixture[str]) -> None:
    complete(call(capsys, {"BILLING_AREAS": "erp,toys"}, "honk"), 0, ["Honk!"])
    complete(call(capsys, {"BILLING_AREAS": "erp"}, "honk"), 2, ["No such command 'honk'"])


@pytest.mark.usefixtures("toy")
def test_a_command_that_needs_no_database_is_there_although_its_area_is_off(capsys: pytest.CaptureFixture[str]) -> None:
    complete(call(capsys, {"BILLING_AREAS": "erp"}, "ring"), 0, ["Ring!"])
    complete(call(capsys, {"BILLING_AREAS": "erp,toys"}, "ring"), 0, ["Ring!"])


def test_metering_is_on_only_where_a_company_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BILLING_AREAS", raising=False)
    assert load_settings().areas == ("erp", "receivables")
    monkeypatch.setenv("BILLING_AREAS", "erp,metering")
    assert load_settings().areas == ("erp", "metering")


@pytest.mark.usefixtures("toy")
def test_a_room_brings_what_the_doctor_looks_at() -> None:
    runtime = Runtime(make_settings(areas="toys", database_url="sqlite://"))
    found = {one.what: one for one in check_up(runtime)}
    assert list(found) == ["Our database", "Journal", "Toy", "Dagster's daemon"]
    assert not found["Our database"].well
    assert (found["Toy"].well, found["Toy"].said) == (False, "A wheel is off.")


@pytest.mark.usefixtures("toy")
def test_a_room_brings_what_can_go_wrong_in_it() -> None:
    def told(areas: str) -> list[str]:
        return [one.cause for one in detect(cast("Connection", None), make_settings(areas=areas), datetime.now(UTC))]

    assert told("toys") == ["toy_broken"]
    assert told("receivables") == []


def test_an_area_that_is_off_has_no_commands(capsys: pytest.CaptureFixture[str]) -> None:
    said = call(capsys, {"BILLING_AREAS": "erp"}, "--help")
    complete(said, 0, ["doctor", "restore", "close", "differs"])
    assert not {"aging", "late-fees", "reminders", "stops"} & set(said.words.split())
    said = call(capsys, {"BILLING_AREAS": "receivables"}, "restore", "--help")
    complete(said, 0, ["confirm-month"])
    assert "confirm-transactions" not in said.words
    wrong = call(capsys, {"BILLING_AREAS": "recievables"}, "aging", "--help")
    complete(wrong, 0, ["Open invoices by days past due"])  # wrong settings hide no command and no help


def test_an_area_that_is_off_has_nothing_to_see() -> None:
    both, erp, receivables = assets("erp,receivables"), assets("erp"), assets("receivables")
    assert receivables == {"open_receivables", "aging", "late_fees", "payment_reminders"}
    assert erp == both - receivables
    assert "netsuite_invoices" in erp


def test_an_area_that_does_not_exist_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BILLING_AREAS", "erp, recievables")
    with pytest.raises(SettingsError, match=r"BILLING_AREAS.*no area 'recievables'; use erp, receivables"):
        load_settings()


WITH_DAGSTER = {"definitions", "assets", "checks", "automation", "partitions"}
"""Names of the modules that know Dagster; `operations` runs it, and the foundation's helpers are for these modules."""


def knows_dagster(path: Path) -> bool:
    """Whether a module may import Dagster: by its name alone."""
    where = path.relative_to(PACKAGE)
    return path.stem in WITH_DAGSTER or where.parts[0] == "operations" or "dagster_helpers" in where.parts


def imported(path: Path) -> Iterator[str]:
    """Every module and name that a file imports, also within functions."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (one.name for one in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (node.module, *(f"{node.module}.{one.name}" for one in node.names))


def test_only_modules_of_certain_names_know_dagster() -> None:
    """What imports one of them would need Dagster as well."""
    modules = sorted(PACKAGE.rglob("*.py"))
    named = {".".join(("billing_assets", *path.relative_to(PACKAGE).with_suffix("").parts)): path for path in modules}
    forbidden = {name for name, path in named.items() if knows_dagster(path)} | {"dagster"}
    found = {
        f"{name} imports {one}"
        for name, path in named.items()
        if name not in forbidden and name != "billing_assets.__main__"  # which is the command itself
        for one in imported(path)
        if one in forbidden or one.startswith("dagster.")
    }
    assert found == set()


def test_billing_up_starts_what_the_areas_that_are_on_bring() -> None:
    def names(*areas: str) -> set[str]:
        return {name for bring in verbs("processes", "commands", areas) for name in bring(3010)}

    assert names("erp", "metering") == {"billing files"}
    assert names("metering") == set(), "its command is not there"
