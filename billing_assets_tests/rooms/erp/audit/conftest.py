"""A billing system with contracts, our database, staging and the audit between them."""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from billing_assets.erp.audit import files
from billing_assets.erp.audit.decisions import Imported, import_decisions
from billing_assets.erp.audit.queue import Audited, audit_month
from billing_assets.erp.audit.settings import AuditSettings
from billing_assets.erp.audit.store import queue_entries
from billing_assets.erp.billing_system.queries import Queries
from billing_assets.foundation.calendar.business_days import Days
from billing_assets.foundation.source_database.connection import connect_source, open_source
from billing_assets_tests.rooms.erp.staging.conftest import Bench, bench
from proving.world.builders import ITEM, SOURCE, insert_document, shipped_sample_queries

__all__ = ["bench", "office"]

NOVEMBER = "2010-11"
CONTRACT = "12346-41"
TODAY = Days(date(2026, 11, 30))


@dataclass
class Office:
    """An auditor's office: what the billing system charges, the queue, and files that go to and fro."""

    bench: Bench
    folder: Path

    def contract(self, *services: Mapping[str, Any], contract: str = CONTRACT) -> None:
        """The billing system keeps a contract with these services (`service`, `charged` and columns of the table)."""
        insert = self.bench.source.execute
        insert("insert into contracts values (%s, %s, 'United Kingdom')", [contract, contract.partition("-")[0]])
        for one in services:
            names = ("service", "charged", "starts_on", "ends_on", "expected_amount")
            insert(
                "insert into contract_services (contract_no, service, charged, starts_on, ends_on, expected_amount)"
                " values (%s, %s, %s, %s, %s, %s)",
                [contract, *(one.get(name) for name in names)],
            )

    def charge(self, number: str, month: str = NOVEMBER, /, **services: str) -> str:
        """A document of a month with a line for each service; returns its id. Open in November, closed before."""
        found = insert_document(
            self.bench.source,
            number,
            lines=[(ITEM, "1", amount, amount) for amount in services.values()],
            document_date=date.fromisoformat(f"{month}-05"),
            status="open" if month == NOVEMBER else "closed",
            contract_no=CONTRACT,
        )
        for place, service in enumerate(services, start=1):
            self.bench.source.execute(
                "update invoice_lines set service = %s where invoice_id = %s and line_no = %s", [service, found, place]
            )
        return found

    def audit(self, month: str = NOVEMBER, queries: Queries | None = None, **settings: Any) -> Audited:
        """Stages and audits a month."""
        self.bench.stage()
        engine = open_source(self.bench.source_url)
        try:
            with connect_source(engine) as source:
                chosen = AuditSettings(**settings)
                asked = queries or shipped_sample_queries()
                return audit_month(self.bench.state, source, asked, SOURCE, month, chosen)
        finally:
            engine.dispose()

    def queue(self, month: str | None = NOVEMBER) -> list[dict[str, Any]]:
        """The queue as it is exported."""
        return list(queue_entries(self.bench.state, SOURCE, month, TODAY))

    def found(self) -> dict[str, list[str]]:
        """Codes and services found, by document number or, where there is none, by contract."""
        return {
            row["number"] or row["contract"]: [f"{one['code']} {one['service']}".strip() for one in row["findings"]]
            for row in self.queue()
        }

    def export(self, name: str = "queue.xlsx") -> Path:
        """The queue as a file."""
        path = self.folder / name
        files.export(path, self.queue())
        return path

    def decide(
        self, *rows: tuple[str, str, str], name: str = "decided.csv", by: str = "Ann", **options: Any
    ) -> Imported:
        """Imports decisions on the queue as it stands: number (or contract), decision, comment of each row."""
        return self.take(self.filled_in(*rows, name=name), by=by, **options)

    def filled_in(self, *rows: tuple[str, str, str], name: str = "decided.csv") -> Path:
        """A file exported now with these rows filled in, and no others."""
        with self.export("exported.csv").open(encoding="utf-8-sig", newline="") as file:
            exported = {row["Number"] or row["Contract"]: row for row in csv.DictReader(file)}
        path = self.folder / name
        lines = ["Reference,Number,Decision,Comment,For the machine"]
        for number, decision, comment in rows:
            shown = "" if number == CONTRACT else number
            row = exported.get(number, {})
            lines.append(
                f"{row.get('Reference', number)},{shown},{decision},{comment},{row.get('For the machine', '')}"
            )
        path.write_text("\n".join(lines), encoding="utf-8")
        return path

    def take(self, path: Path, by: str = "Ann", **options: Any) -> Imported:
        """Imports a file."""
        return import_decisions(self.bench.state, SOURCE, path, by, **options)


@pytest.fixture
def office(bench: Bench, tmp_path: Path) -> Office:
    """An empty billing system with an empty queue."""
    return Office(bench, tmp_path)


def queued(office: Office, *numbers: str) -> None:
    """Open documents with these numbers, in the queue."""
    for number in numbers:
        insert_document(office.bench.source, number, status="open")
    office.audit()


def held(result: Imported) -> list[str]:
    """The numbers of what an import holds."""
    return sorted(str(one.subject.number) for one in result.taken if one.decision == "hold")


def said(result: Imported) -> list[str]:
    """What an import says of rows that are not taken."""
    return [str(problem) for problem in result.problems]
