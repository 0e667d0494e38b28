"""What a person does about reads of registers: gives another read, or has one estimated that did not come."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from billing_assets.decisions.store import Subject, record
from billing_assets.foundation.database.connection import Connection
from billing_assets.metering.import_engine.arrivals import Arrival
from billing_assets.metering.import_engine.messages import RegisterRead, Stream
from billing_assets.metering.readings.intake import Intake
from billing_assets.metering.validation import store
from billing_assets.metering.validation.assembling import MasterData, register_days
from billing_assets.metering.validation.clerk import EDITED, Done, judge_again
from billing_assets.metering.validation.estimation import estimate_quantity, estimated_read
from billing_assets.metering.validation.facts import HistoryPeriod, Quality, in_kilo, quality_of
from billing_assets.metering.validation.grids import midnight
from billing_assets.metering.validation.parameters import ParameterTable
from billing_assets.metering.validation.registers import between, dials
from billing_assets.metering.validation.rows import RegisterRow, StreamRow
from billing_assets.metering.validation.rules import parameter_table
from billing_assets.metering.validation.series import EditError
from billing_assets.metering.validation.use_checks import last_year

_BACK = timedelta(days=800)
_DAY = timedelta(days=1)


class _Register(NamedTuple):
    """A register with its reads that count, in the order of their ends."""

    stream: StreamRow
    rows: list[RegisterRow]
    zone: ZoneInfo
    customer_class: str
    master: MasterData
    table: ParameterTable


def edit_read(
    connection: Connection,
    point: str,
    suffix: str,
    end: date,
    read: str,
    by: str,
    why: str,
    *,
    today: date,
    serial: str = "",
) -> Done:
    """Gives the period of a register that ends on a local day another end read, as a version that counts over those
    before it. The quantity follows from the reads.

    Raises EditError where there is no such period, or the register would have gone back.
    """
    with connection.transaction():
        found = _register(connection, point, suffix, serial, end)
        row = next((one for one in found.rows if register_days(one, found.zone)[1] == end), None)
        if row is None or row.begins_at is None:
            raise EditError(f"{point} {suffix} has no reads of a period that ends on {end}.")
        begin, _ = register_days(row, found.zone)
        reads = row.begin_read, read
        quantity = _between(found, reads, begin, end, row)
        reference = f"{point} {suffix} {begin} to {end}"
        what = f"read {row.end_read} edited to {read}"
        decision = record(connection, Subject.METER_DATA, reference, what, by, why).id
        block = _block(found, row, (row.begins_at, row.ends_at), reads, (row.begin_quality, EDITED), quantity)
        _take_in(connection, block, "edit", "edit", {"versions": [row.id]}, decision)
        judge_again(connection, point, begin, end + _DAY, today)
    return Done(decision, 1, ("edit",))


def estimate_read(
    connection: Connection, point: str, suffix: str, end: date, by: str, why: str, *, today: date, serial: str = ""
) -> Done:
    """Estimates the read of a register on a local day that did not come: from the last read that counts on, by the same
    period last year, else by the average daily load of 90 days.

    Raises EditError where the register is not known or was read later, and where neither is known.
    """
    with connection.transaction():
        found = _register(connection, point, suffix, serial, end)
        if not found.rows:
            raise EditError(f"No read of {point} {suffix} is known before {end}: a person must say the first one.")
        last = found.rows[-1]
        begin = register_days(last, found.zone)[1]
        if begin >= end:
            raise EditError(f"{point} {suffix} was read on {begin}: there is nothing to estimate for {end}.")
        history = _history(found)
        by_rule = estimate_quantity(begin, end, last_year(begin, end, history), history)
        if by_rule is None:
            raise EditError(f"Neither last year nor the last 90 days of {point} {suffix} are known: say the read.")
        digits = dials(last.begin_read, last.end_read, device=_digits(found, last, end))
        if digits is None:
            raise EditError(f"How many dials the register of {point} {suffix} has is not known: load its master data.")
        multiplier = _multiplier(found, last, end)
        read = estimated_read(last.end_read, by_rule.quantity, digits=digits, multiplier=multiplier)
        reads = last.end_read, read
        # What the reads give, so that the next period begins where this one is billed to.
        quantity = _between(found, reads, begin, end, last)
        reference = f"{point} {suffix} {begin} to {end}"
        decision = record(connection, Subject.METER_DATA, reference, f"read estimated as {read}", by, why).id
        period = last.ends_at, datetime.fromtimestamp(midnight(end, found.zone), UTC)
        block = _block(found, last, period, reads, (last.end_quality, "E"), quantity)
        inputs = by_rule.inputs | {"versions": [last.id]}
        _take_in(connection, block, "estimate", str(by_rule.method), inputs, decision)
        judge_again(connection, point, begin, end + _DAY, today)
    return Done(decision, 1, (str(by_rule.method),))


def _register(connection: Connection, point: str, suffix: str, serial: str, end: date) -> _Register:
    streams = [one for one in store.lock_streams(connection, [point]) if one.suffix == suffix]
    rows = store.register_rows(connection, [one.id for one in streams], end - _BACK, end + _DAY)
    there = [one for one in streams if any(row.stream == one.id for row in rows) and serial in ("", one.register)]
    if not there:
        raise EditError(f"No register reads have come for {' '.join(filter(None, (point, suffix, serial)))}.")
    stream = max(there, key=lambda one: max(row.ends_at for row in rows if row.stream == one.id))
    master = MasterData.of(store.point_rows(connection, [point]), [], store.devices(connection, [point]), [])
    zone, customer_class = master.point(point, end - _DAY, end)
    table = parameter_table(store.settings(connection))
    return _Register(stream, [row for row in rows if row.stream == stream.id], zone, customer_class, master, table)


def _history(found: _Register) -> list[HistoryPeriod]:
    """The periods of the register; those that are themselves estimated are left out."""
    return [
        HistoryPeriod(*register_days(row, found.zone), row.quantity)
        for row in found.rows
        if quality_of(row.end_quality or "A") is not Quality.ESTIMATE
    ]


def _multiplier(found: _Register, row: RegisterRow, end: date) -> Decimal:
    devices = found.master.devices_of(found.stream.point, found.stream.suffix, end - _DAY, end)
    known = (row.multiplier, *(one.multiplier for one in devices if one.serial == row.serial), Decimal(1))
    return next(one for one in known if one is not None)


def _digits(found: _Register, row: RegisterRow, end: date) -> int | None:
    devices = found.master.devices_of(found.stream.point, found.stream.suffix, end - _DAY, end)
    return next((one.digits for one in devices if one.serial == row.serial), None)


def _between(found: _Register, reads: tuple[str, str], begin: date, end: date, row: RegisterRow) -> tuple[Decimal, str]:
    """The quantity between two reads, and how they explain it."""
    stream, multiplier = found.stream, _multiplier(found, row, end)
    parameters = found.table.resolve(found.customer_class, stream.point, stream.suffix, begin)
    use = between(
        *reads,
        days=(end - begin).days,
        use_per_day=Fraction(parameters.of("ROLLOVER")["use_per_day"]) / in_kilo(row.unit),
        multiplier=multiplier,
        device_digits=_digits(found, row, end),
    )
    if use.negative:
        raise EditError(f"The register would have gone back from {reads[0]} to {reads[1]}.")
    parts = ["rollover"] * use.rolled + [f"multiplier {multiplier.normalize():f}"] * (multiplier != 1)
    return use.energy, " ".join(parts) or "equal"


def _block(
    found: _Register,
    row: RegisterRow,
    period: tuple[datetime, datetime],
    reads: tuple[str, str],
    qualities: tuple[str, str],
    quantity: tuple[Decimal, str],
) -> RegisterRead:
    stream = Stream(found.stream.point, found.stream.suffix, row.serial, row.unit, 0)
    now = datetime.now(UTC)
    return RegisterRead(stream, 0, *period, *reads, *qualities, quantity[0], explained=quantity[1], updated_at=now)


def _take_in(
    connection: Connection, block: RegisterRead, origin: str, method: str, inputs: dict[str, Any], decision: int
) -> None:
    arrival = Arrival(None, block, block.updated_at, origin=origin, method=method, inputs=inputs, decision=decision)
    Intake(connection).take_in([arrival])
