"""The audit of a month: what is still open, what its charges look like, and the queue for the auditors."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import sqlalchemy
import structlog

from billing_assets.erp.audit import store
from billing_assets.erp.audit.findings import CODES, OF_THE_CONTRACT, Found, Month, judge
from billing_assets.erp.audit.settings import AuditSettings
from billing_assets.erp.audit.store import Recorded
from billing_assets.erp.billing_system.queries import Queries
from billing_assets.erp.billing_system.services import BadService, ContractService, contract_services
from billing_assets.foundation.calendar.business_days import Days
from billing_assets.foundation.database.connection import Connection, lift_idle_limit, restore_idle_limit

log = structlog.get_logger(__name__)

_SHOWN_BAD = 100


@dataclass(frozen=True)
class PendingReport:
    """What is open of a month (`still_open`), of earlier ones, and what was recorded as the month's invoices."""

    period: str
    still_open: list[dict[str, Any]]
    open_before: list[dict[str, Any]]
    closed: list[dict[str, Any]]
    recorded: Recorded

    @property
    def open_documents(self) -> int:
        """How many documents of the month are still open."""
        return sum(row["documents"] for row in self.still_open)


@dataclass(frozen=True)
class Audited:
    """What an audit of a month did: entries in the queue, contracts' services read, and rows of them not understood."""

    entries: int
    services: int
    bad_services: int
    shown_bad: tuple[BadService, ...]


def report_pending(connection: Connection, source: str, period: str, today: Days) -> PendingReport:
    """What is not closed of a month (`YYYY-MM`); what is, is recorded as its invoices. Again is harmless."""
    with connection.transaction():
        store.serialise(connection, source)
        recorded = store.record_month(connection, source, period)
        report = PendingReport(
            period,
            store.still_open(connection, source, period, today),
            store.open_before(connection, source, period),
            store.closed_totals(connection, source, period),
            recorded,
        )
    log.info("pending_invoices", period=period, open=report.open_documents, recorded=recorded.now)
    return report


def audit_month(
    connection: Connection,
    source: sqlalchemy.Connection,
    queries: Queries,
    name: str,
    period: str,
    settings: AuditSettings,
) -> Audited:
    """Rebuilds the audit queue of a month; what auditors decided stays. In bounded memory.

    Raises SourceError, writing nothing, when the billing system cannot be asked for its contracts.
    """
    bad: list[BadService] = []
    count = 0

    def good() -> Iterator[list[ContractService]]:
        nonlocal count
        for services, unreadable in contract_services(source, queries):
            count += len(unreadable)
            bad.extend(unreadable[: _SHOWN_BAD - len(bad)])
            yield services

    before = months_before(period, settings.history_months)
    with connection.transaction():
        store.serialise(connection, name)
        idle_limit = lift_idle_limit(connection)  # only another audit waits for this transaction
        read = store.replace_services(connection, name, good())
        store.refresh_charges(connection, name, [*before, period])
        store.choose_audited(connection, name, period, closed=settings.closed)
        month = month_of(period)
        for chunk in store.charged(connection, name, period, before):
            found = [
                (contract, one.currency, what)
                for contract, one in chunk
                for what in judge(one, month, settings.percent)
            ]
            store.copy_found(connection, found)
        store.note_spellings(connection, name)
        entries = store.write_queue(
            connection, name, period, before, _about("NO_CONTRACT"), _about("CONTRACT_UNKNOWN"), OF_THE_CONTRACT
        )
        restore_idle_limit(connection, idle_limit)
    log.info("audited", period=period, entries=entries, services=read, unreadable=count)
    return Audited(entries, read, count, tuple(bad))


def _about(code: str) -> Found:
    return Found(code, "", CODES[code].meaning)


def months_before(period: str, count: int) -> list[str]:
    """So many months before a month (`YYYY-MM`), oldest first."""
    year, month = map(int, period.split("-"))
    places = (year * 12 + month - 1 - back for back in range(count, 0, -1))
    return [f"{place // 12:04d}-{place % 12 + 1:02d}" for place in places if place >= 12]


def month_of(period: str) -> Month:
    """A month (`YYYY-MM`) by its days."""
    first = date.fromisoformat(f"{period}-01")
    return Month(first, (first + timedelta(days=31)).replace(day=1) - timedelta(days=1))
