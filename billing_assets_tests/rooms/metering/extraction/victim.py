"""Passes over an API that kill themselves, one after the other: `python -m … url api`. New devices come before each.
Prints the signal that ended each, by point, as JSON."""

import json
import os
import sys
from collections.abc import Callable

from billing_assets.foundation.database.connection import connect
from billing_assets.metering.extraction import api_reader, extracting, store
from billing_assets.metering.extraction.api_reader import Access, ApiReader
from billing_assets.metering.extraction.errors import ExtractionBusyError
from billing_assets.metering.extraction.extracting import Source
from billing_assets.metering.import_engine.extracts.contract import RESOURCES
from billing_assets.sandbox.kit.client import Control
from billing_assets_tests.rooms.metering.extraction.metering_api import CLIENT, SECRET
from billing_assets_tests.rooms.metering.extraction.metering_system import OVERLAP
from billing_assets_tests.rooms.posting.victim import Trap, around
from proving.world.waiting import until

POINTS: dict[str, Callable[[], None]] = {
    "between two pages": lambda: around(api_reader, "_page", Trap(2), "after"),
    "all pages are there": lambda: around(store, "keep_incoming", Trap(1), "after"),
    "one of its files is stored": lambda: around(extracting, "store_raw", Trap(1), "after"),
    "what is known is noted": lambda: around(store, "note_known", Trap(1), "after"),
    "the watermark is moved and not committed": lambda: around(store, "move", Trap(1), "after"),
    "it is committed": lambda: around(extracting, "extract", Trap(1), "after"),
}
NEW = 5


def devices(many: int) -> list[dict[str, str]]:
    """Devices, each changed an hour after the one before."""
    return [
        {
            "device_id": f"D{n}",
            "nmi": f"NMI{n:07}",
            "serial_number": "M1",
            "installed_from": "2020-01-01",
            "register": "1",
            "suffix": "11",
            "unit": "kWh",
            "valid_from": "2020-01-01",
            "updated_at": f"2026-07-{1 + n // 24:02}T{n % 24:02}:00:00Z",
        }
        for n in range(many)
    ]


def one_pass(url: str, api: str) -> bool:
    """A pass in files of two records; whether it was done: a killed one may still be known to the database."""
    access = Access(f"{api}/v1", f"{api}/token", CLIENT, SECRET, page_size=2)
    source = Source("metering", "api", ApiReader(access).read, OVERLAP, records_per_file=2)
    try:
        with connect(url) as connection:
            extracting.extract(connection, source, RESOURCES["devices"])
    except ExtractionBusyError:
        return False
    return True


def main(url: str, api: str) -> None:
    """All of them."""
    ended = {}
    for number, point in enumerate(POINTS, 1):
        Control(api).post("records", {"devices": devices(NEW * number)})
        if (child := os.fork()) == 0:
            try:
                POINTS[point]()
                until(lambda: one_pass(url, api), "the pass before is gone")
            finally:
                os._exit(0)
        ended[point] = os.WTERMSIG(os.waitpid(child, 0)[1])
    print(json.dumps(ended))


if __name__ == "__main__":
    main(*sys.argv[1:])
