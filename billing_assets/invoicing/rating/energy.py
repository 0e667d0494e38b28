"""Lines of energy: `usage`, `tou`, `feed_in` and `rate_table`, with blocks and net metering."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

from billing_assets.invoicing.rating.bill import Bill, Position
from billing_assets.invoicing.rating.blocks import fill, is_stepped, limits_of, share_of_pool
from billing_assets.invoicing.rating.local_time import Cell, days_between, days_of_parts
from billing_assets.invoicing.rating.netting import net_of
from billing_assets.invoicing.rating.proration import NOMINAL_DAYS, nominal_period
from billing_assets.invoicing.rating.quantities import Measured, measure, merged, supplies
from billing_assets.invoicing.rating.rated import Evidence
from billing_assets.invoicing.rating.rounding import EXACT, as_quantity, exact_text
from billing_assets.invoicing.rating.tariff import Block, BlockRule, Charge, EnergyTerms, Kind, TableTerms

PRICED = (Kind.USAGE, Kind.TOU, Kind.FEED_IN, Kind.RATE_TABLE)
_EPOCH_DAY = date(1970, 1, 1)
_NONE = Fraction(0)


class Priceable(NamedTuple):
    """What of one charge and one service point is priced: energy by cell, and what is left over for credit."""

    charge: Charge
    point: str
    cells: Mapping[Cell, Measured]
    surplus: Mapping[Cell, Measured]


def measure_all(bill: Bill) -> dict[str, list[Priceable]]:
    """The energy of every charge that prices any by register or interval alone, by its code."""
    found: dict[str, list[Priceable]] = {}
    for charge in bill.tariff.charges:
        if charge.kind in PRICED and isinstance(charge.versions[0].terms, EnergyTerms | TableTerms):
            found[charge.code] = list(_measure(bill, charge))
    return found


def _measure(bill: Bill, charge: Charge) -> Iterator[Priceable]:
    by_day = any(_rule(charge, place).evaluate != "pooled" for place in range(len(charge.versions)))
    if charge.net != "none":
        yield from (Priceable(charge, *one) for one in net_of(bill, charge, by_day=by_day))
        return
    for point, supply in supplies(bill, charge, charge.channels).items():
        yield Priceable(charge, point, merged(measure(bill, charge, point, supply, by_day=by_day)), {})


def _rule(charge: Charge, version: int) -> BlockRule:
    terms = charge.versions[version].terms
    return terms.rule if isinstance(terms, EnergyTerms) else BlockRule()


class Pools:
    """The energy that fills blocks of several windows: of a charge, or of all charges of a unit; by service point."""

    def __init__(self, measured: Mapping[str, Sequence[Priceable]]) -> None:
        self._pools: dict[tuple[str, str], Measured] = {}
        for several in measured.values():
            for one in several:
                for cell, energy in one.cells.items():
                    name = self._name(one.charge, cell)
                    if name is not None:
                        _add(self._pools.setdefault((name, one.point), Measured()), energy)

    @staticmethod
    def _name(charge: Charge, cell: Cell) -> str | None:
        scope = _rule(charge, cell.key.version).scope
        return {"charge": f"charge {charge.code}", "bill": f"unit {charge.unit}", "window": None}[scope]

    def of(self, one: Priceable, cell: Cell) -> Measured | None:
        """The pool of a cell; None where its window fills the blocks separately."""
        name = self._name(one.charge, cell)
        return None if name is None else self._pools[name, one.point]


def _add(pool: Measured, one: Measured) -> None:
    pool.energy += one.energy
    pool.has_registers |= one.has_registers
    for day, energy in one.by_day.items():
        pool.by_day[day] = pool.by_day.get(day, _NONE) + energy


def add_energy(bill: Bill, charge: Charge, measured: Sequence[Priceable], pools: Pools) -> None:
    """Adds the lines of a charge: by service point, version, season or row, window and block."""
    days = days_of_parts(charge.versions, bill.period.begins, bill.period.ends)
    for one in measured:
        for cell in sorted(one.cells):
            if one.cells[cell].energy:
                own = sorted(one.cells[cell].days) or days[cell.key.version, cell.key.slot]
                _add_cell(bill, one, cell, own, pools)
        for cell in sorted(one.surplus):
            if one.surplus[cell].energy:
                _add_surplus(bill, one, cell, days[cell.key.version, cell.key.slot])


def _position(one: Priceable, cell: Cell, days: Sequence[date], bill: Bill) -> Position:
    charge = one.charge
    version = charge.versions[cell.key.version]
    season = window = None
    if isinstance(version.terms, EnergyTerms):
        of_slot = version.terms.seasons[cell.key.slot]
        season = of_slot.name
        window = of_slot.windows[cell.window].name if cell.window >= 0 else None
    begins, ends = (days[0], days[-1] + timedelta(days=1)) if days else (bill.period.begins, bill.period.ends)
    return Position(
        charge,
        version,
        begins,
        ends,
        service_point=one.point,
        season=season,
        window=window,
        estimated=cell in one.cells and one.cells[cell].estimated,
    )


def _blocks(bill: Bill, charge: Charge, cell: Cell, days: Sequence[date]) -> tuple[Block, ...]:
    terms = charge.versions[cell.key.version].terms
    if isinstance(terms, EnergyTerms):
        season = terms.seasons[cell.key.slot]
        return season.windows[cell.window].blocks if cell.window >= 0 else season.blocks
    if not isinstance(terms, TableTerms):
        return ()
    rows = terms.rows
    last = bill.period.ends - timedelta(days=1)
    found = [rows[cell.key.slot]] if terms.by_days and cell.key.slot >= 0 else []
    if not terms.by_days:
        found = [one for one in rows if one.valid_from <= last and (one.valid_to is None or last < one.valid_to)]
    if not found:
        first = days[0] if terms.by_days else last
        n = len(days) if terms.by_days else 1
        bill.find("PRICE_MISSING", charge.code, len(rows), n=n, series=charge.code, time=first)
        return ()
    return (Block(None, EXACT.add(found[0].price, terms.adder)),)


def _add_cell(bill: Bill, one: Priceable, cell: Cell, days: Sequence[date], pools: Pools) -> None:
    charge, measured = one.charge, one.cells[cell]
    blocks = _blocks(bill, charge, cell, days)
    if not blocks:
        return
    at = _position(one, cell, days, bill)
    quantity = as_quantity(measured.energy)
    facts: Evidence = {"intervals": measured.intervals, "missing": measured.missing}
    is_fed_in = charge.kind is Kind.FEED_IN
    if not is_stepped(blocks):
        bill.add(at, quantity.copy_negate() if is_fed_in else quantity, charge.unit, blocks[0].price, facts=facts)
        return
    in_blocks, said = lay(bill, charge, _rule(charge, cell.key.version), blocks, measured, pools.of(one, cell), days)
    for place, (block, energy) in enumerate(zip(blocks, in_blocks, strict=True), start=1):
        if energy:
            part = as_quantity(-energy if is_fed_in else energy)
            bill.add(
                at._replace(block=place),
                part,
                charge.unit,
                block.price,
                facts={"kwh": exact_text(quantity), **facts, **said},
            )


def lay(
    bill: Bill,
    charge: Charge,
    rule: BlockRule,
    blocks: Sequence[Block],
    measured: Measured,
    pool: Measured | None,
    days: Sequence[date],
) -> tuple[list[Fraction], Evidence]:
    """A cell's energy in each block, and how the limits came about."""
    if pool is not None:
        days = days_between(bill.period.begins, bill.period.ends)
    found = [_NONE] * len(blocks)
    said: Evidence = {"limits": [], "pool": None if pool is None else exact_text(pool.energy)}
    for part, own, whole in _evaluated(rule, measured, pool, days):
        limits = limits_of(blocks, rule.by_days, len(part), nominal_days(bill, rule, part))
        texts = [exact_text(one) for one in limits if one is not None]
        if texts not in said["limits"]:
            said["limits"].append(texts)
        if whole is None:
            laid = fill(own, limits, rule.mode)
        else:
            laid = share_of_pool(own, whole, fill(whole, limits, rule.mode))
        found = [before + more for before, more in zip(found, laid, strict=True)]
    return found, said


def _evaluated(
    rule: BlockRule, measured: Measured, pool: Measured | None, days: Sequence[date]
) -> Iterator[tuple[Sequence[date], Fraction, Fraction | None]]:
    """The parts that fill the blocks separately: days, a cell's energy and its pool's. Registers are always pooled."""
    has_registers = measured.has_registers or (pool is not None and pool.has_registers)
    if rule.evaluate == "pooled" or has_registers:
        yield days, measured.energy, None if pool is None else pool.energy
        return
    parts: dict[tuple[int, ...], list[date]] = {}
    for day in days:
        key = (day.year, day.month) if rule.evaluate == "each_month" else (day.toordinal(),)
        parts.setdefault(key, []).append(day)
    for part in parts.values():
        numbers = [(day - _EPOCH_DAY).days for day in part]
        own = sum((measured.by_day.get(one, _NONE) for one in numbers), _NONE)
        if own:
            yield part, own, None if pool is None else sum((pool.by_day.get(one, _NONE) for one in numbers), _NONE)


def nominal_days(bill: Bill, rule: BlockRule, days: Sequence[date]) -> Fraction:
    """How many days the limits are for."""
    if rule.period == "bill":
        return Fraction(bill.period.days)
    if rule.period == "cycle":
        return Fraction(nominal_period(days[0], "P1M", bill.context.cycles).days)
    return NOMINAL_DAYS[rule.period]


def _add_surplus(bill: Bill, one: Priceable, cell: Cell, days: Sequence[date]) -> None:
    terms = one.charge.versions[cell.key.version].terms
    price = terms.credit_price if isinstance(terms, EnergyTerms) else Decimal(0)
    at = _position(one, cell, days, bill)._replace(estimated=one.surplus[cell].estimated, is_credit=True)
    energy = one.surplus[cell].energy
    facts: Evidence = {"kwh": exact_text(energy), "net": one.charge.net}
    bill.add(at, -as_quantity(energy), one.charge.unit, price, facts=facts)
