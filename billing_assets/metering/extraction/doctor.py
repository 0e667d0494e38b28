"""The systems that are extracted from, as `billing doctor` sees them."""

from collections.abc import Iterator

from billing_assets.foundation.doctor import Checked, looked
from billing_assets.foundation.runtime import Runtime
from billing_assets.metering.extraction.settings import MeteringApiSettings, MeteringSourceSettings
from billing_assets.metering.extraction.systems import opened_api, opened_database
from billing_assets.metering.import_engine.extracts.contract import RESOURCES


def examine(runtime: Runtime) -> Iterator[Checked]:
    """Looks at each system that the settings name."""
    if runtime.settings.of(MeteringSourceSettings).url is not None:
        yield looked("Metering database", _database, runtime)
    if runtime.settings.of(MeteringApiSettings).base_url is not None:
        yield looked("Metering API", _api, runtime)


def _database(runtime: Runtime) -> str:
    """Whether each query runs and has every column. Raises SourceError."""
    settings = runtime.settings.of(MeteringSourceSettings)
    names = [one for one in RESOURCES if one in settings.resources]
    with opened_database(settings) as reader:
        moments = [reader.check(RESOURCES[name]) for name in names] if reader else []
    clock = f"; its clock says {moments[-1]:%Y-%m-%d %H:%M:%S} UTC" if moments else ""
    return f"{', '.join(names)} have every column of the contract{clock}"


def _api(runtime: Runtime) -> str:
    """Whether it lets us in, and each resource answers with a page. Raises ApiError."""
    settings = runtime.settings.of(MeteringApiSettings)
    names = [one for one in RESOURCES if one in settings.resources]
    with opened_api(settings) as reader:
        for name in names:
            if reader:
                reader.check(RESOURCES[name])
    return f"{', '.join(names)} answer with pages"
