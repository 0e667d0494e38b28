"""Quantities of a CSV export with what their rows say of them: quality, cost, and the sign of their channel."""

from decimal import Decimal
from typing import NamedTuple

from billing_assets.metering.import_engine.csv_codes import CSV
from billing_assets.metering.import_engine.csv_columns import Columns
from billing_assets.metering.import_engine.csv_mapping import Channel, ColumnMapping
from billing_assets.metering.import_engine.csv_numbers import NotANumberError, Numbers
from billing_assets.metering.import_engine.findings import note
from billing_assets.metering.import_engine.interval_rows import Qualities
from billing_assets.metering.import_engine.messages import FileReport


class Cell(NamedTuple):
    """A quantity with what its row says of it."""

    value: int
    decimals: int
    cost: int
    cost_decimals: int
    has_cost: bool
    quality: int
    line: int
    text: str


class Cells:
    """Reads the cells of a file; what is wrong with one is noted."""

    def __init__(self, mapping: ColumnMapping, qualities: Qualities, report: FileReport) -> None:
        self._mapping = mapping
        self._qualities = qualities
        self._report = report
        self._numbers = Numbers(mapping.decimal, mapping.exponent)
        self._known: dict[str, int] = {}
        length = mapping.times.length
        self._length = length if isinstance(length, int) else 0

    def quality(self, fields: list[str], where: Columns, line: int) -> int | None:
        """The number of a row's quality. None: the mapping does not know it."""
        text = (self._mapping.quality.fixed or "") if where.quality is None else fields[where.quality].strip()
        found = self._known.get(text)
        if found is None:
            flag = self._mapping.qualities.get(text)
            if flag is None:
                note(self._report, CSV["R-QUALITY"], line, text=text, mapping=self._mapping)
                return None
            found = self._known[text] = self._qualities.number(flag, "" if flag == text else text)
        return found

    def cell(
        self, fields: list[str], at: int, where: Columns, channel: Channel, quality: int, line: int
    ) -> Cell | None:
        """The quantity of a cell; a marker of an end is one without a quantity. None: there is nothing to place."""
        text = fields[at].strip()
        mapping = self._mapping
        if mapping.end_marker and text == mapping.end_marker:
            return Cell(0, 0, 0, 0, has_cost=False, quality=-1, line=line, text=text)
        if not text and mapping.empty == "missing":
            return None
        try:
            value, decimals = self._numbers.read(text)
        except NotANumberError:
            note(self._report, CSV["R-VALUE"], line, what="quantity", text=text)
            return None
        if channel.negate:
            value = -value
        if value < 0 and not mapping.negative:
            note(self._report, CSV["R-NEGATIVE"], line, text=text)
            return None
        cost, cost_decimals = 0, 0
        if where.cost is not None and mapping.cost is not None:
            try:
                cost, cost_decimals = self._numbers.read(fields[where.cost])
                if where.price is not None:
                    self._compare(fields[where.price], (value, decimals), (cost, cost_decimals), line)
            except NotANumberError:
                note(self._report, CSV["R-VALUE"], line, what="cost or price", text=fields[where.cost])
                return None
            cost_decimals += mapping.cost.decimals
        if mapping.power:
            value, decimals = value * (self._length * 10_000 // 3600), decimals + 4
            while decimals > 0 and value % 10 == 0:
                value, decimals = value // 10, decimals - 1
            if decimals > 18 or abs(value) >= 2**63:
                note(self._report, CSV["R-VALUE"], line, what="power", text=text)
                return None
        return Cell(value, decimals, cost, cost_decimals, where.cost is not None, quality, line, text)

    def _compare(self, price: str, quantity: tuple[int, int], cost: tuple[int, int], line: int) -> None:
        """Whether a cost is that of its quantity at its price, as near as the sender rounds."""
        number = self._numbers.read(price)
        ours = Decimal(number[0] * quantity[0]).scaleb(-number[1] - quantity[1])
        theirs = Decimal(cost[0]).scaleb(-cost[1])
        if self._mapping.cost and abs(ours - theirs) > self._mapping.cost.price_tolerance:
            note(self._report, CSV["W-PRICE"], line, ours=ours, theirs=theirs)
