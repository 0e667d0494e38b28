"""Messages for the tests, with the facts that matter: `usage("U1")`, `charges("I1", names="U1")`."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any

from billing_assets.metering.usage.facts import Fact, Settled
from billing_assets.metering.usage.states import Kind, Purpose

NOW = datetime(2026, 8, 1, tzinfo=UTC)
JUNE = (date(2026, 6, 3), date(2026, 7, 2))
JULY = (date(2026, 7, 2), date(2026, 8, 3))
POINT = "10032780000000042"
OTHER_POINT = "10032780000000059"

_number = count(1)


def message(kind: Kind, name: str, purpose: str = "00", **given: Any) -> Fact:
    """One with a number of its own; sent on the day `day` of July, in the order of making within it."""
    number = next(_number)
    period = given.pop("period", JUNE)
    sent = datetime(2026, 7, given.pop("day", 4), 8, tzinfo=UTC)
    amount = given.pop("amount", Decimal(1150))
    facts = {
        "message": number,
        "kind": kind,
        "id": name,
        "purpose": Purpose(purpose),
        "refers_to": given.pop("of", ""),
        "point": POINT,
        "start": period[0],
        "end": period[1],
        "content": f"{name} {purpose} {period} {amount}",
        "sent_at": sent,
        "arrived_at": sent + timedelta(hours=1),
        "amount": amount,
        "control": f"{number:09}",
    }
    return Fact(**(facts | given))


def usage(name: str = "U1", purpose: str = "00", **given: Any) -> Fact:
    """An 867."""
    return message(Kind.USAGE, name, purpose, **given)


def charges(name: str = "I1", purpose: str = "00", names: str = "", **given: Any) -> Fact:
    """An 810. `names`: the id of its usage."""
    return message(Kind.CHARGES, name, purpose, cross_reference=names, **({"amount": Decimal("43.21")} | given))


def said(settled: Settled, messages: Iterable[Fact]) -> list[str]:
    """State and codes of each message, as one line: `waiting WAIT_CHARGES`."""
    found = [settled.outcomes[one.message] for one in messages]
    return [" ".join((one.state, *one.codes)) for one in found]


def proposed(settled: Settled) -> list[str]:
    """Kind and state of each candidate: `credit due`."""
    return sorted(f"{one.kind} {one.state}" for one in settled.candidates)
