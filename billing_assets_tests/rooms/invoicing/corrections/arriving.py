"""What a utility sends after a bill: cancels and replacements of usage and charges, settled on a day."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from billing_assets.foundation.database.connection import Connection
from billing_assets.invoicing.corrections.arrivals import Answered, answer
from billing_assets.invoicing.corrections.correcting import Limits
from billing_assets.invoicing.invoices.engine import rate_case
from billing_assets.metering.usage import store as usage_store
from billing_assets_tests.rooms.invoicing.customers import CUT_OFF, JUNE, point_of
from billing_assets_tests.rooms.metering.usage.arriving import arrive
from billing_assets_tests.unit.metering.usage.messages import charges, usage

CAME = datetime(2026, 7, 10, tzinfo=UTC)
IN_TIME, TOO_LATE = CAME + timedelta(days=2), CAME + timedelta(days=30)


def name_of(number: int, period: tuple[date, date] = JUNE, version: int = 1) -> str:
    """The id of a customer's usage, as `customers.metered` gives it."""
    return f"U{number}-{period[0]}-{version}"


def cancelled(
    state: Connection, number: int = 1, period: tuple[date, date] = JUNE, version: int = 1, *, now: datetime = IN_TIME
) -> None:
    """The utility cancels usage and charges."""
    name, point = name_of(number, period, version), point_of(number)
    arrive(
        state,
        [
            usage(f"C{name}", "01", of=name, period=period, point=point, day=9),
            charges(f"CI{name}", "01", of=f"I{name}", period=period, point=point, day=9),
        ],
    )
    settled(state, number, now=now)


def replaced(
    state: Connection,
    number: int = 1,
    amount: int | str = 1000,
    period: tuple[date, date] = JUNE,
    version: int = 2,
    *,
    now: datetime = IN_TIME,
    **given: Any,
) -> int:
    """The utility replaces usage and charges of a version by those of the next. The number of the usage's message."""
    of = given.pop("of", name_of(number, period, version - 1))
    name, point = name_of(number, period, version), point_of(number)
    facts = [
        usage(name, "05", of=of, period=period, amount=Decimal(amount), point=point, day=10, **given),
        charges(f"I{name}", "05", names=name, of=f"I{of}", period=period, point=point, day=10),
    ]
    message = arrive(state, facts)[0].message
    settled(state, number, now=now)
    return message


def settled(state: Connection, number: int = 1, *, now: datetime = IN_TIME) -> None:
    """Metering looks at all that came, on a day."""
    with state.transaction():
        usage_store.settle(state, [point_of(number)], now=now)


def answering(state: Connection, **limits: Any) -> Answered:
    """The nightly run."""
    return answer(state, rate_case, CUT_OFF, Limits(**limits))


def proposed(state: Connection) -> dict[str, str]:
    """What metering proposed, and where it is."""
    rows = state.execute("select kind, state from billing.usage_candidates order by message, kind").fetchall()
    return {row["kind"]: row["state"] for row in rows}


def live(state: Connection) -> list[tuple[int | None, Decimal]]:
    """Messages of usage on live invoices, and their kWh."""
    rows = state.execute("select message, kwh from billing.invoiced_usage where is_live order by message").fetchall()
    return [(row["message"], row["kwh"]) for row in rows]
