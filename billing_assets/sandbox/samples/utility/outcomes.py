"""What becomes of a message in the end, and how quantities are kept: whole thousandths of the unit."""

from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Generic, Protocol, TypeVar


class Outcome(StrEnum):
    """Where a message's quantity is when everything has come."""

    CURRENT = "current"  # counts; of Texas: usage and charges are a pair that may be billed
    SUPERSEDED = "superseded"  # replaced or cancelled
    HELD = "held"
    WAITING = "waiting"
    CANCEL = "cancel"  # took another message away; its quantity is that of the other
    DUPLICATE = "duplicate"  # came before
    REFUSED = "refused"  # its file, or its set, is broken


class Item(Protocol):
    """A message of a file. `quantity`: in thousandths of `unit`; `code`: one of these, by blanks."""

    outcome: Outcome
    code: str

    @property
    def unit(self) -> str: ...

    @property
    def quantity(self) -> int: ...

    @property
    def readings(self) -> int: ...


Content = TypeVar("Content", bound=Item)


@dataclass
class Sending(Generic[Content]):
    """A file to be: what is in it, when it comes, of whom, and what is wrong with it."""

    day: date
    sender: int
    lane: str
    items: list[Content]
    fault: str = ""
    verdict: str = "accept"
    code: str = ""
    like: "Sending[Content] | None" = None  # the same content again
    name: str = ""
    content: bytes = b""
    written: bytes = b""
    qualities: dict[str, int] = field(default_factory=dict)

    def outcome(self, item: Content) -> Outcome:
        """What becomes of an item in this file."""
        if self.verdict == "refuse":
            return Outcome.REFUSED
        return Outcome.DUPLICATE if self.verdict == "duplicate" else item.outcome


def decimal(thousandths: int) -> Decimal:
    """A quantity in its unit, exact."""
    return Decimal(thousandths).scaleb(-3)
