"""Writes the world: files by the day on which they come, master data, and the ledger. The same seed, the same bytes."""

import json
from collections.abc import Iterable, Iterator
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

from billing_assets.sandbox.samples.utility.billing_data import billed_in_sap, write_billing_data
from billing_assets.sandbox.samples.utility.bills import BillRow, texas_bills
from billing_assets.sandbox.samples.utility.day_blocks import day_sendings
from billing_assets.sandbox.samples.utility.file_faults import with_file_faults
from billing_assets.sandbox.samples.utility.interval_bills import australian_bills
from billing_assets.sandbox.samples.utility.ledger import (
    FileRow,
    MonthRow,
    SetRow,
    TotalRow,
    file_row,
    set_rows,
    stream_months,
    texas_months,
    totals,
    write_rows,
)
from billing_assets.sandbox.samples.utility.master_data import write_master_data
from billing_assets.sandbox.samples.utility.nem_files import broken, fitting, nem12, nem13, nem_name, zipped
from billing_assets.sandbox.samples.utility.netsuite_data import write_netsuite_data
from billing_assets.sandbox.samples.utility.outcomes import Sending
from billing_assets.sandbox.samples.utility.points import US, UTILITIES, make_points
from billing_assets.sandbox.samples.utility.rates import MONTHS, POINTS, SEED, Pool
from billing_assets.sandbox.samples.utility.register_reads import months_of, read_sendings
from billing_assets.sandbox.samples.utility.texas_sets import TexasSet, set_sendings
from billing_assets.sandbox.samples.utility.x12_files import EDIFACT, interchange

ARRIVALS, MASTER, LATER, LEDGER = "arrivals", "master_data", "master_data_later", "ledger"
BILLING, NETSUITE = "billing", "netsuite"
"""Folders of a world. Files are in `arrivals/<day>/<nem or x12>/`; what is known of the points, at first and later;
billing's master data, with its tariffs in `billing/tariffs`; what NetSuite knows."""

KNOWN_LATER = MONTHS[2]
"""The day on which master data brings the points that it did not have."""


class World(NamedTuple):
    """What was written."""

    folder: Path
    points: int
    files: int
    months: int


def write_world(folder: Path, seed: int = SEED, count_of_points: int = POINTS) -> World:
    """Writes a world into a folder that is not there or empty."""
    points = make_points(seed, count_of_points)
    of_pool = {pool: [point for point in points if point.pool is pool] for pool in Pool}
    texas = of_pool[Pool.TEXAS_METERS] + of_pool[Pool.TEXAS_INTERVALS]
    australia = of_pool[Pool.AUSTRALIA_READS] + of_pool[Pool.AUSTRALIA_INTERVALS]
    files: list[FileRow] = []

    interchanges = with_file_faults(seed, "X12", set_sendings(seed, texas), _may_have)
    files += _write(folder, "x12", _rendered_interchanges(interchanges))
    days, months, kept = day_sendings(seed, of_pool[Pool.AUSTRALIA_INTERVALS])
    reads = read_sendings(seed, of_pool[Pool.AUSTRALIA_READS])
    months |= months_of([read for sending in reads for read in sending.items])
    mixed: list[Sending[Any]] = [*days, *reads]
    provided = with_file_faults(seed, "NEM", sorted(mixed, key=lambda one: (one.day, one.lane, one.sender)), fitting)
    files += _write(folder, "nem", _rendered_nem(provided))

    write_master_data(folder / MASTER, seed, (point for point in points if point.known == 0))
    write_master_data(folder / LATER, seed, (point for point in points if point.known < 2))
    elsewhere = billed_in_sap(seed, points)
    ours = [point for point in points if point.known < 2 and point.number not in elsewhere]
    write_billing_data(folder / BILLING, seed, ours)
    write_netsuite_data(folder / NETSUITE, ours)
    sets = [one for sending in interchanges if sending.verdict == "accept" for one in sending.items]
    rows = [*texas_months(texas, sets), *stream_months(australia, months)]
    ledger = folder / LEDGER
    write_rows(ledger / "files.csv", FileRow, sorted(files))
    write_rows(ledger / "sets.csv", SetRow, (row for sending in interchanges for row in set_rows(sending)))
    write_rows(ledger / "months.csv", MonthRow, rows)
    bills = [*texas_bills(seed, texas, sets), *australian_bills(australia, elsewhere, kept, rows)]
    write_rows(ledger / "bills.csv", BillRow, bills)
    write_rows(ledger / "totals.csv", TotalRow, [*totals("Australia", provided), *totals("Texas", interchanges)])
    facts = {
        "seed": seed,
        "points": len(points),
        "known_later": f"{KNOWN_LATER}",
        "partners": [one.duns for one in UTILITIES],
    }
    (folder / "world.json").write_text(json.dumps(facts | {"receiver": US}) + "\n", encoding="utf-8")
    return World(folder, len(points), len(files), len(rows))


def _write(folder: Path, channel: str, sendings: Iterable[Sending[Any]]) -> Iterator[FileRow]:
    for sending in sendings:
        place = folder / ARRIVALS / f"{sending.day}" / channel
        place.mkdir(parents=True, exist_ok=True)
        (place / sending.name).write_bytes(sending.written)
        yield file_row(channel, _format(sending), sending)


def _format(sending: Sending[Any]) -> str:
    if sending.fault in {"EDIFACT", "empty"}:
        return ""
    return sending.lane if sending.lane.startswith("NEM") else "X12"


def _rendered_interchanges(sendings: Iterable[Sending[TexasSet]]) -> Iterator[Sending[TexasSet]]:
    """Each utility counts its interchanges and its groups; a number is used again only where that is the fault."""
    numbers = [count(4_001) for _ in UTILITIES]
    groups = [count(70_001) for _ in UTILITIES]
    used = [0 for _ in UTILITIES]
    files = count(1)
    for sending in sendings:
        sender = sending.sender
        if sending.like is not None:
            sending.content = sending.like.content
        elif sending.fault == "EDIFACT":
            sending.content = EDIFACT
        else:
            control = used[sender] if sending.fault == "control number again" else next(numbers[sender])
            used[sender] = used[sender] if sending.fault else control
            sending.content = interchange(sending, control, groups[sender])
        sending.written = sending.content
        sending.name = f"{UTILITIES[sender].duns}_{sending.day:%Y%m%d}_{next(files):05}.x12"
        yield sending


def _may_have(fault: str, sending: Sending[TexasSet]) -> bool:
    return fault != "control number again" or sending.day > MONTHS[2]  # it has sent others by then


def _rendered_nem(sendings: Iterable[Sending[Any]]) -> Iterator[Sending[Any]]:
    files = count(1)
    is_empty = False
    for sending in sendings:
        name = nem_name(sending, next(files))
        if sending.like is not None:
            sending.content = sending.like.content
        elif sending.fault == "empty":
            # The same content is one file: of several that are empty the first is refused.
            sending.verdict, sending.code = ("duplicate", "") if is_empty else (sending.verdict, sending.code)
            is_empty = True
        else:
            content = nem12(sending) if sending.lane == "NEM12" else nem13(sending)
            sending.content = broken(sending.fault, content) if sending.fault else content
        sending.written = zipped(f"{name}.csv", sending.content, sending.day) if sending.content else b""
        sending.name = f"{name}.zip" if sending.content else f"{name}.csv"
        yield sending
