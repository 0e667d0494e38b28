"""The daily billing report: by group what was billed, what failed, what waits and what is late; as a CSV for people."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from billing_assets.foundation.cells import FOR_PEOPLE, write_csv
from billing_assets.foundation.database.connection import Connection
from billing_assets.foundation.settings import Settings
from billing_assets.invoicing.batches.settings import Parameters
from billing_assets.invoicing.control import daily_reports
from billing_assets.invoicing.control.daily_reports import Deadline, FailedCode, GroupDay
from billing_assets.invoicing.control.settings import ControlSettings
from billing_assets.invoicing.invoices.rating_case import instants


@dataclass(frozen=True, slots=True)
class DailyReport:
    """The billing of a business day, by group, and its failed members by group and code."""

    day: date
    groups: tuple[GroupDay, ...]
    failed: tuple[FailedCode, ...]

    @property
    def oldest_unbilled(self) -> date | None:
        """The end of the period that is unbilled the longest."""
        return min((one.oldest_unbilled for one in self.groups if one.oldest_unbilled), default=None)

    def codes_of(self, group: str) -> str:
        """Codes of a group's failed members with how many, on one line."""
        return ", ".join(f"{one.code} {one.members}" for one in self.failed if one.bill_group == group)


def daily_report(connection: Connection, day: date, settings: Settings) -> DailyReport:
    """The report of a business day, in the calendar's time zone."""
    begin, end = instants(day, day + timedelta(days=1), settings.calendar.time_zone)
    ours = settings.of(ControlSettings)
    deadline = Deadline(settings.of(Parameters).deadline_day, ours.bill_within_days)
    return DailyReport(
        day,
        tuple(daily_reports.groups(connection, begin, end, day, deadline)),
        tuple(daily_reports.failed(connection, begin, end)),
    )


def write_report(report: DailyReport, path: Path) -> None:
    """Writes the report as a CSV that a spreadsheet opens."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding=FOR_PEOPLE, newline="") as file:
        write_csv(file, _rows(report))


def _rows(report: DailyReport) -> Iterator[list[Any]]:
    yield ["day", *GroupDay._fields, "failed_by_code"]
    for one in report.groups:
        yield [report.day, *("" if cell is None else cell for cell in one), report.codes_of(one.bill_group)]
