"""The areas and their rooms: the one list that a new room is added to.

A room is a folder. What it has for the whole it puts into modules of these names, and the centre finds them there:

- `settings`: its sections of the settings, and `check(settings)` where they must fit together
- `definitions`: `build(settings)`, its part of Dagster's definitions
- `commands`: `register(app)`, its commands of `billing`
- `offline_commands`: the same for commands that need no database and no settings: they are there also where it is off
- `processes`: `commands(files_port)`, what of it runs beside Dagster in `billing up`, by name
- `causes`: `alerts(connection, settings, now)`, what went wrong in it that people must be told
- `status_report`: `status(connection, settings, period)`, where it stands, and `show(console, found, title)`
- `doctor`: `examine(runtime)`, what `billing doctor` looks at in it
- `guards`: `compare(runtime, connection)`, which refuses settings that do not fit our database, and
  `belongs_to(runtime, connection)`, which says what it is bound to
- `validation`: `validation(runtime)`, what staging judges documents by
- `billing_source`: `source()`, where it makes documents itself: what staging reads of them in our own database
- `journaling`: `kinds(settings)`, what of it the journal keeps, and `owner(settings)`, whose it is

An area may have them too, for what its rooms share.
"""

from collections.abc import Callable, Collection
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any

AREAS: dict[str, tuple[str, ...]] = {
    "erp": ("billing_system", "staging", "batches", "netsuite", "close", "pack_delivery", "audit"),
    "receivables": ("balances", "reminders"),
    "metering": ("import_engine", "validation", "usage", "outbound", "extraction"),
    "invoicing": (
        "rating",
        "tariffs",
        "accounts",
        "adjustments",
        "batches",
        "invoices",
        "corrections",
        "back_casting",
        "control",
    ),
}
"""The areas that `BILLING_AREAS` switches, each with its rooms in the order of the flow."""

ON_BY_DEFAULT = ("erp", "receivables")
"""The areas that are on where `BILLING_AREAS` says nothing."""

ALWAYS: dict[str, tuple[str, ...]] = {"operations": ("alerts", "retention")}
"""What no deployment can do without."""


def brought(part: str, areas: Collection[str] | None = None) -> list[ModuleType]:
    """The modules called `part` of these areas (default: of all) and of what is always there, in the list's order."""
    chosen = {area: rooms for area, rooms in AREAS.items() if areas is None or area in areas} | ALWAYS
    names = [name for area, rooms in chosen.items() for name in (area, *(f"{area}.{room}" for room in rooms))]
    found = [f"{__package__}.{name}.{part}" for name in names]
    return [import_module(name) for name in found if find_spec(name) is not None]


def verbs(part: str, name: str, areas: Collection[str] | None = None) -> list[Callable[..., Any]]:
    """The functions called `name` in the modules called `part`, in the same order."""
    return [found for module in brought(part, areas) if (found := getattr(module, name, None)) is not None]
