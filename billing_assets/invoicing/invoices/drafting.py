"""Making one invoice: one transaction a member, on the caller's connection. No HTTP, no clock but the day given."""

import traceback
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from types import MappingProxyType
from typing import Any, NamedTuple

import psycopg.errors
import structlog

from billing_assets.foundation.calendar.business_days import holidays_between
from billing_assets.foundation.database.connection import Connection
from billing_assets.invoicing.adjustments import store as adjustments
from billing_assets.invoicing.adjustments.kinds import with_lines
from billing_assets.invoicing.adjustments.store import AdjustmentRow
from billing_assets.invoicing.batches import store as batches
from billing_assets.invoicing.batches.facts import MemberFacts
from billing_assets.invoicing.batches.facts_store import facts_of
from billing_assets.invoicing.batches.period_checks import NEEDS_CHARGES
from billing_assets.invoicing.batches.states import Member
from billing_assets.invoicing.invoices import adjustment_store, reports, store
from billing_assets.invoicing.invoices.errors import NotInvoicedError
from billing_assets.invoicing.invoices.interval_usage import (
    IntervalUsage,
    channels_of,
    interval_usage,
    needs_intervals,
)
from billing_assets.invoicing.invoices.rating_case import CaseFacts, Rate, case_of, instants, series_named
from billing_assets.invoicing.invoices.store import Draft
from billing_assets.invoicing.tariffs import reports as tariffs
from billing_assets.invoicing.tariffs.store import SeriesKind
from billing_assets.metering.contract import contents, delivered

log = structlog.get_logger(__name__)

SERIES_KEYS = {"price": "price_series", "profile": "profiles"}
"""Where a rating case has the series of a kind."""


class Bounds(NamedTuple):
    """What no account passes: a loop would otherwise bill it again and again. `documents`: a day of UTC."""

    documents: int = 3


class Rebill(NamedTuple):
    """What a rebill differs in. `tariff`, `tariff_version` and `versions` (of series, by kind and name) are those of
    the invoice that it replaces; None and nothing: those of now. Its usage may be billed already, on that invoice."""

    correction: int
    replaces: int
    tariff: str = ""
    tariff_version: int | None = None
    versions: Mapping[tuple[str, str], int] = MappingProxyType({})


def invoice_next(
    connection: Connection,
    batch: int,
    rate: Rate,
    today: date,
    bounds: Bounds = Bounds(),  # noqa: B008  immutable
    rebill: Rebill | None = None,
) -> Member | None:
    """Invoices the next clear member of a batch, in the caller's transaction; None where there is none left.

    What keeps it from being invoiced is written to the member, and nothing else. The caller has checked the epoch of
    its claim in this transaction.
    """
    member = reports.next_clear(connection, batch)
    if member is None:
        return None
    code = why = None
    row = batches.member(connection, member)
    try:
        with connection.transaction():
            draft = _draft(connection, member, rate, today, bounds, rebill)
            store.write_draft(connection, draft)
            connection.execute("set constraints billing.header_equals_lines immediate")
    except NotInvoicedError as error:
        code, why = error.member_code, error.sentence
    except (psycopg.errors.ExclusionViolation, psycopg.errors.UniqueViolation):
        period = row["period_start"], row["period_end"]
        number = reports.taken_by(connection, row["point"], "general", *period)
        taken = NotInvoicedError("PERIOD_TAKEN", days="{} to {}".format(*period), number=number)
        code, why = taken.member_code, taken.sentence
    except (ArithmeticError, LookupError, TypeError, ValueError, psycopg.errors.IntegrityError) as error:
        _log_fault(member, error)
        fault = NotInvoicedError("INTERNAL", what=type(error).__name__)
        code, why = fault.member_code, fault.sentence
    state = Member.FAILED if code else Member.INVOICED
    batches.end_member(connection, member, state, code, why)
    return state


def _log_fault(member: int, error: Exception) -> None:
    """Where it broke, for who repairs it; its text may say what a customer used or pays."""
    where = [f"{frame.filename}:{frame.lineno}" for frame in traceback.extract_tb(error.__traceback__)]
    log.error("member parked", member=member, fault=type(error).__name__, where=where)


def _draft(
    connection: Connection, member: int, rate: Rate, today: date, bounds: Bounds, rebill: Rebill | None
) -> Draft:
    """What is to be written. Raises NotInvoicedError."""
    known = reports.invoicing_facts(connection, member)
    if known is None or known["issuer"] is None:
        raise NotInvoicedError("NO_RATE_INFORMATION")
    if rebill and rebill.tariff_version is not None:
        known |= {"tariff": rebill.tariff, "tariff_version": rebill.tariff_version}
    row = batches.member(connection, member)
    facts = _unchanged(connection, known["batch"], row, today, again=rebill is not None)
    if known["tariff_version"] is None:
        raise NotInvoicedError("NO_RATE_INFORMATION")
    until = known["agreed_until"]
    if known["agreed_from"] > facts.period_start or (until is not None and until < facts.period_end):
        raise NotInvoicedError("CONSUMPTION_NOT_ALL_BILLED")
    if facts.charges is None and known["billing_model"] in NEEDS_CHARGES and not known["without_charges"]:
        raise NotInvoicedError("TDSP_CHARGES_NOT_FOUND")
    if reports.documents_today(connection, facts.account, today) >= bounds.documents:
        raise NotInvoicedError("BOUND_EXCEEDED", k=bounds.documents)
    tariff = tariffs.content(connection, known["tariff_version"])
    intervals = _intervals(connection, known, facts, tariff)
    kwh = intervals.kwh if facts.usage is None and intervals is not None else facts.kwh
    if kwh is None:
        raise NotInvoicedError("NO_PREMISE_CONSUMPTION")
    of_rebill = (rebill and rebill.replaces, rebill and rebill.correction)
    held = adjustments.held(connection, facts.account, known["currency"], *of_rebill)
    versions = rebill.versions if rebill else {}
    rated, total = _rated(connection, known, facts, tariff, intervals, held, rate, today, versions)
    return Draft(
        known["batch"],
        member,
        facts.account,
        known["bill_group"],
        known["issuer"],
        known["currency"],
        known["source"],
        facts.point,
        known["channel"],
        facts.period_start,
        facts.period_end,
        facts.is_estimated or (intervals is not None and intervals.is_estimated),
        facts.is_final,
        known["tariff"],
        known["tariff_version"],
        facts.usage,
        f"867/{facts.usage}" if facts.usage is not None else f"{facts.intervals}",
        facts.charges,
        kwh,
        total,
        max(filter(None, (facts.arrived_at, facts.charges_arrived_at)), default=None),
        rated,
        rebill and rebill.correction,
        rebill and rebill.replaces,
        tuple(one.id for one in held),
        adjustment_store.held(connection, facts.account, known["currency"], *of_rebill),
    )


def _unchanged(connection: Connection, batch: int, row: dict[str, Any], today: date, *, again: bool) -> MemberFacts:
    """The facts of a member, which are those that were validated. `again`: its usage may be billed already. Raises
    NotInvoicedError."""
    facts = next(iter(facts_of(connection, batch, today, [row["id"]])), None)
    if facts is None or not facts.has_usage or facts.period_end > today:
        raise NotInvoicedError("NO_PREMISE_CONSUMPTION")
    is_ready = facts.is_ready or (again and facts.usage_state == "billed")
    if facts.content != row["content"] or not is_ready:
        raise NotInvoicedError("CHANGED_UNDERWAY")
    if facts.overlaps:
        days = f"{facts.period_start} to {facts.period_end}"
        raise NotInvoicedError("PERIOD_TAKEN", days=days, number=facts.overlaps[0])
    return facts


def _intervals(
    connection: Connection, known: dict[str, Any], facts: MemberFacts, tariff: dict[str, Any]
) -> IntervalUsage | None:
    """Intervals of a member, where its tariff or its meter needs them. Raises NotInvoicedError where they are not those
    that were validated."""
    if facts.usage is not None and not needs_intervals(tariff):
        return None
    streams = delivered(connection, facts.point, facts.period_start, facts.period_end)
    found = interval_usage(facts.point, streams, channels_of(known["channels"]))
    if facts.usage is not None:
        return found if found.intervals else None
    if not found.intervals:
        raise NotInvoicedError("NO_PREMISE_CONSUMPTION")
    known_versions = reports.validated_versions(connection, facts.point, facts.period_start, facts.period_end)
    if not known_versions.issuperset(version for one in streams for version in one.versions):
        raise NotInvoicedError("CHANGED_UNDERWAY")
    return found


def _rated(
    connection: Connection,
    known: dict[str, Any],
    facts: MemberFacts,
    tariff: dict[str, Any],
    intervals: IntervalUsage | None,
    held: Sequence[AdjustmentRow],
    rate: Rate,
    today: date,
    versions: Mapping[tuple[str, str], int],
) -> tuple[dict[str, Any], Decimal | None]:
    """The case and its answer, and the total of the utility's charges. Raises NotInvoicedError."""
    messages = contents(connection, [one for one in (facts.usage, facts.charges) if one is not None])
    usage = messages[facts.usage].content if facts.usage is not None else None
    charges = messages[facts.charges].content if facts.charges is not None else None
    country, _, subdivision = (known["calendar"] or "").partition("-")
    period = facts.period_start, facts.period_end
    case_facts = CaseFacts(
        facts.point,
        facts.period_start,
        facts.period_end,
        facts.kwh or Decimal(0),
        facts.is_estimated,
        usage,
        charges,
        known["zone"],
        known["customer_class"],
        known["tax_codes"],
        known["is_taxed"],
        reports.earlier_totals(connection, facts.account, facts.period_start),
        today,
        intervals,
        reports.exemptions(connection, facts.account, *period),
        holidays_between(*period, country or None, subdivision or None),
        _demand_history(connection, tariff, facts),
    )
    series = series_of(connection, tariff, (facts.period_start, facts.period_end), versions)
    case = with_lines(case_of(tariff, case_facts, series), [line for one in held for line in one.lines])
    answer = rate(case)
    errors = [one for one in answer["findings"] if one["severity"] == "error"]
    if errors or answer["lines"] is None:
        said = "; ".join(f"{one['code']}: {one['sentence']}" for one in errors) or "no lines"
        raise NotInvoicedError("RATING_ERROR", finding=said)
    total = Decimal(charges.get("total") or 0).scaleb(-2) if charges is not None else None
    return {"case": case, "answer": answer}, total


def _demand_history(connection: Connection, tariff: dict[str, Any], facts: MemberFacts) -> list[dict[str, Any]]:
    """What earlier bills measured, where a charge looks back at it."""
    if not any("ratchet" in version for charge in tariff["charges"] for version in charge.get("versions", ())):
        return []
    return reports.demand_history(connection, facts.point, facts.period_start)


def series_of(
    connection: Connection,
    tariff: dict[str, Any],
    period: tuple[date, date],
    versions: Mapping[tuple[str, str], int],
) -> dict[str, dict[str, Any]]:
    """The values of the series that a tariff names, over the period and a day on either side; of these versions."""
    around = timedelta(days=1)
    begin, end = instants(period[0] - around, period[1] + around, "UTC")
    found: dict[str, dict[str, Any]] = {}
    for kind in ("price", "profile"):
        for name in sorted(series_named(tariff)[kind]):
            series: SeriesKind = "price" if kind == "price" else "profile"
            number = versions.get((SERIES_KEYS[kind], name))
            values = tariffs.series_between(connection, series, name, begin, end, number)
            if values is not None:
                found.setdefault(SERIES_KEYS[kind], {})[name] = values
    return found
