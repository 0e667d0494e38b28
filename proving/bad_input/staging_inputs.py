"""One case of odd rows through the real reader and the real staging, and whether anything went wrong with it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal

import orjson
import sqlalchemy

from billing_assets.erp.billing_system.queries import Queries
from billing_assets.erp.documents.external_id import is_external_id
from billing_assets.erp.netsuite import store as netsuite_store
from billing_assets.erp.staging import reports
from billing_assets.erp.staging.settings import StagingSettings
from billing_assets.erp.staging.staging import StagingResult, stage
from billing_assets.foundation.dagster_helpers.presentation import money, typed_table
from billing_assets.foundation.database.connection import Connection, connect
from billing_assets.foundation.source_database.connection import connect_source, open_source
from proving.bad_input.rows import Case
from proving.world.builders import SOURCE, shipped_mapping, validation

_LONGEST_EXTERNAL_ID = 200
_LONGEST_AMOUNT = 20_000  # digits after the point are never cut


@dataclass
class Staging:
    """Our database and a PostgreSQL to read from; every case begins with an empty staging table."""

    state: Connection
    source: sqlalchemy.Engine

    def stage(self, case: Case) -> StagingResult:
        """One staging of what the case's source says."""
        queries = Queries(case.documents_sql, case.lines_sql)
        with connect_source(self.source) as source:
            return stage(self.state, source, queries, SOURCE, validation(), StagingSettings(), "bad input")

    def clear(self) -> None:
        """Back to nothing staged. The guards against it are ours to set aside here."""
        self.state.execute("set session_replication_role = replica")
        self.state.execute("delete from billing.staged_invoices")
        self.state.execute("delete from billing.watermarks")
        self.state.execute("set session_replication_role = origin")

    def faults(self, case: Case) -> list[str]:
        """What is wrong after staging the case twice; raises what crashed it."""
        self.clear()
        self.stage(case)
        found = [*self._faults_of_rows(case)]
        before = self._versions()
        again = self.stage(case)
        if again.counts["new"] or again.counts["changed"] or again.counts["gone"] or self._versions() != before:
            found.append(f"the same staging again wrote something: {again.counts}")
        return found

    def _versions(self) -> dict[int, str]:
        rows = self.state.execute("select id, ctid::text || xmin::text as v from billing.staged_invoices")
        return {row["id"]: row["v"] for row in rows}

    def _faults_of_rows(self, case: Case) -> Iterator[str]:
        rows = self.state.execute("select * from billing.staged_invoices").fetchall()
        if len(rows) != case.documents:
            yield f"lost: the source has {case.documents} documents, {len(rows)} are staged"
        ready = {row["number"] for row in rows if row["state"] == "ready"}
        if not case.good <= ready:
            yield f"the good documents {sorted(case.good - ready)} are not ready"
        for row in rows:
            if row["state"] == "held":
                errors = [one for one in row["findings"] if one["severity"] == "error"]
                if not errors or any(not one["path"] or not one["message"] for one in errors):
                    yield f"{row['document_id']!r} is held without a reason that names field and cause"
            if row["state"] == "ready":
                yield from self._faults_of_ready(row["number"])
        if reports.without_reason(self.state, [SOURCE]):
            yield "a document is stuck without a reason"
        totals = reports.totals_by_state(self.state, [SOURCE])
        typed_table(totals, ["state", "kind", "currency", "documents", "total"])
        for row in totals:
            shown = [value.value for value in money("total", row["total"]).values()]
            if json.dumps(shown, allow_nan=False) and max(len(str(value)) for value in shown) > _LONGEST_AMOUNT:
                yield "an amount fills the page"

    def _faults_of_ready(self, number: str) -> Iterator[str]:
        """What is ready can be sent and found again: a body in JSON, exact to the cent, an external id that is one."""
        for posting in netsuite_store.by_number(self.state, number):
            if not number.strip():
                yield "a document without a number is ready"
            if not is_external_id(posting.external_id) or len(posting.external_id) > _LONGEST_EXTERNAL_ID:
                yield f"the external id of {number!r} is none that NetSuite can be asked for"
            body = shipped_mapping().payload(posting.document, posting.external_id)
            fields = orjson.loads(body)
            if fields["externalId"] != posting.external_id:
                yield f"{number!r} would be sent under another external id"
            lines = sum((line.amount + (line.tax_amount or 0) for line in posting.document.lines), Decimal(0))
            if lines != posting.document.total:
                yield f"{number!r} is ready, but its lines do not add up"


@contextmanager
def staging(state_url: str, source_url: str) -> Iterator[Staging]:
    """A staging on two databases."""
    engine = open_source(source_url)
    try:
        with connect(state_url) as state:
            yield Staging(state, engine)
    finally:
        engine.dispose()
