"""The utility sample: its world is written, then taken in day by day and validated, as a company's files would be."""

import json
import os
import shutil
import time
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import NamedTuple

from billing_assets.foundation.commands.machine import set_default
from billing_assets.foundation.runtime import Runtime
from billing_assets.foundation.settings import SettingsError, load_settings, variable
from billing_assets.metering.import_engine.settings import MeteringSettings
from billing_assets.metering.import_engine.taking import Source
from billing_assets.metering.importing import import_connection, import_files, load_master_data, sources_of
from billing_assets.metering.validation.validating import Summary, validate, validate_all
from billing_assets.operations import utility_store
from billing_assets.operations.utility_ledger import Ledger
from billing_assets.sandbox.samples.utility.points import US, US_LONG, UTILITIES
from billing_assets.sandbox.samples.utility.rates import AFTER, AFTER_BILLS, MONTHS, POINTS, SEED
from billing_assets.sandbox.samples.utility.world import ARRIVALS, KNOWN_LATER, LATER, MASTER, write_world

AREAS = "metering,invoicing"
FOLDERS = ("sample-nem", "sample-x12")
_CHANNELS = {"nem": "sample-nem", "x12": "sample-x12"}
_POINTS_AT_ONCE = 250


class Day(NamedTuple):
    """What a day brought."""

    day: date
    files: int
    states: dict[str, int]


def made_world(home: Path, points: int = POINTS, seed: int = SEED) -> Path:
    """The folder of the world: written, unless it is there already. Raises SettingsError for another one there."""
    folder = home / "utility_world"
    if (facts := folder / "world.json").is_file():
        found = json.loads(facts.read_text(encoding="utf-8"))
        if (found["points"], found["seed"]) != (points, seed):
            raise SettingsError(
                f"{folder} has another world ({found['points']:,} points). Use another {variable('home')}."
            )
        return folder
    writing = home / "utility_world.writing"
    shutil.rmtree(writing, ignore_errors=True)
    write_world(writing, seed, points)
    writing.rename(folder)
    return folder


def sample_settings(home: Path) -> None:
    """Points the settings of the area at the sample. Raises SettingsError where they are set to something else."""
    set_default("areas", AREAS)
    for name in ("metering.folders", "metering.partners"):
        if variable(name) in os.environ:
            raise SettingsError(
                f"{variable(name)} is set: the utility sample is not for a system with files of its own."
            )
    ours = load_settings().of(MeteringSettings)
    if ours.folders or ours.partners:
        raise SettingsError("The settings have input folders or partners: the utility sample is for a home of its own.")
    for name, value in inbox_settings(home).items():
        os.environ[variable(name)] = value


def inbox_settings(home: Path) -> dict[str, str]:
    """By name the settings of the sample's input folders, which are made in this home, and of its senders."""
    folders = {name: {"path": str(_inbox(home, name)), "stable_seconds": 0} for name in FOLDERS}
    partners = [
        {
            "name": one.name,
            "qualifier": "01",
            "identifier": one.duns,
            "our_qualifier": "01",
            "our_identifier": US,
            "group_identifier": one.duns,
            "our_group_identifier": US_LONG,
        }
        for one in UTILITIES
    ]
    return {"metering.folders": json.dumps(folders), "metering.partners": json.dumps(partners)}


def _inbox(home: Path, name: str) -> Path:
    folder = home / "utility_inbox" / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def take_in(runtime: Runtime, world: Path, days_at_once: int = 1, *, after_bills: bool = False) -> Iterator[Day]:
    """Takes the world in, day by day; what was taken before is left out, so a run that was cut off goes on.

    `after_bills`: what comes when everything is billed, else what comes before.
    """
    sources = sources_of(runtime.settings.of(MeteringSettings))
    home = runtime.settings.home.absolute()
    with runtime.state() as connection:
        known = utility_store.taken(connection, FOLDERS)
    _load(runtime, world / MASTER)
    is_later = False
    every = sorted((world / ARRIVALS).iterdir())
    folders = [one for one in every if (one.name >= f"{AFTER_BILLS}") is after_bills]
    for first in range(0, len(folders), days_at_once):
        some = folders[first : first + days_at_once]
        day = date.fromisoformat(some[-1].name)
        if day >= KNOWN_LATER and not is_later:
            _load(runtime, world / LATER)
            is_later = True
        brought = [path for folder in some for path in sorted(folder.glob("*/*")) if path.name not in known]
        for path in brought:
            bring(path, home)
        if brought:
            found = import_files(runtime.database_url, runtime.settings, sources)
            yield Day(day, len(brought), dict(found.states))
    _finish(runtime, sources)


def _load(runtime: Runtime, folder: Path) -> None:
    with import_connection(runtime.database_url) as connection:
        load_master_data(connection, folder)


def _finish(runtime: Runtime, sources: list[Source]) -> None:
    """Reads what a run that was cut off had begun: another may have it until its lease ends."""
    patience = time.monotonic() + 2 * runtime.settings.of(MeteringSettings).lease_seconds
    while True:
        with runtime.state() as connection:
            if not utility_store.unread(connection, FOLDERS) or time.monotonic() > patience:
                return
        import_files(runtime.database_url, runtime.settings, sources)
        time.sleep(0.5)


def bring(path: Path, home: Path) -> None:
    """Puts a file of the world into its input folder, as a sender does: under another name first, so that no half of
    it is seen."""
    inbox = _inbox(home, _CHANNELS[path.parent.name])
    part = inbox / f"{path.name}.part"
    shutil.copyfile(path, part)
    part.rename(inbox / path.name)


def validate_months(runtime: Runtime, ledger: Ledger) -> Iterator[tuple[date, Summary]]:
    """Validates the months of the world, as they are closed; then the reads that end after the last one."""
    today = runtime.settings.calendar.today().last
    ends = [*MONTHS[1:], AFTER]
    with runtime.state() as connection:
        for begin, end in zip(MONTHS, ends, strict=True):
            yield begin, validate_all(connection, begin, end, today=today, closing=True)
        summary = Summary()
        points = ledger.read_points
        for first in range(0, len(points), _POINTS_AT_ONCE):
            some = points[first : first + _POINTS_AT_ONCE]
            summary = summary.plus(validate(connection, some, AFTER, AFTER + timedelta(days=31), today=today))
        yield AFTER, summary
