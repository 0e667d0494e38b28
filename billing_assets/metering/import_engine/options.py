"""How the files of a sender are read: what the standards leave open, with the defaults that most senders need."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from zoneinfo import ZoneInfo

from billing_assets.foundation.x12.delimiters import Isa
from billing_assets.foundation.x12.envelope import Checks
from billing_assets.metering.import_engine.csv_mapping import ColumnMapping
from billing_assets.metering.import_engine.x12_sets.options import SetOptions

SETS = SetOptions()
EMPTY_UNIT = "empty_unit"

LENIENT = {EMPTY_UNIT: "NEM12: a 200 record may leave its unit empty."}
"""What a sender may be allowed although the standard forbids it, by name. Nothing of it is allowed by default."""


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """Options of a sender. `nem_offset`: its market's clock against UTC, all year. `lenient`: names of `LENIENT`.
    `zone`: of the points of Green Button feeds; None: the clock that the feed describes, else UTC.
    `mapping`: its files are CSV exports that are read by it, whatever they look like.
    `sets`: of X12 sets; `sets_by_sender`: where senders differ. `x12_checks`: partners and control numbers, where
    there is a database to know them. `extracts`: whether it may be an extract of our own: no sender sets prices."""

    nem_offset: timedelta = timedelta(hours=10)
    lenient: frozenset[str] = frozenset()
    zone: ZoneInfo | None = None
    mapping: ColumnMapping | None = None
    sets: SetOptions = SETS
    x12_checks: Checks | None = None
    sets_by_sender: Callable[[Isa], SetOptions] | None = None
    extracts: bool = True

    def sets_of(self, isa: Isa) -> SetOptions:
        """How the sets of an interchange are read."""
        return self.sets_by_sender(isa) if self.sets_by_sender else self.sets

    def __post_init__(self) -> None:
        if unknown := self.lenient - LENIENT.keys():
            raise ValueError(f"There is no leniency {', '.join(sorted(unknown))}; use {', '.join(LENIENT)}.")


DEFAULT = ReadOptions()
