"""A billing system and our state database, both real and empty, and staging between them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from billing_assets.erp.billing_system import reader
from billing_assets.erp.billing_system.queries import Queries
from billing_assets.erp.staging.staging import StagingResult
from proving.world.builders import (
    BillingSystem,
    shipped_sample_queries,
    stage_now,
)
from proving.world.world import World

_WAY = ["ready", "batched", "locked", "posting", "posted"]


class Bench(World):
    """A billing system and our database, and staging between them."""

    def stage(self, **options: Any) -> StagingResult:
        """One staging; `options` are those of `stage_now`."""
        return stage_now(self.state_url, self.source_url, **options)

    def by_id(self, document_id: str) -> dict[str, Any]:
        """The staged row of a document of the source."""
        row = self.state.execute(
            "select * from billing.staged_invoices where document_id = %s", [document_id]
        ).fetchone()
        assert row is not None
        return row

    def versions(self) -> dict[str, str]:
        """Where each row's current version stands: changes with every write, whatever it writes."""
        rows = self.state.execute(
            "select document_id, ctid::text || ' ' || xmin::text as v from billing.staged_invoices"
        )
        return {row["document_id"]: row["v"] for row in rows}

    def advance(self, number: str, to: str) -> None:
        """Moves a ready (or further) document on its way as runs would: batched, locked, posting, posted, rejected."""
        self.state.execute(
            """
            insert into billing.locked_batches (partition_key, period, sequence, documents, total)
            values ('2010-11-0001', '2010-11', 1, 1, 10) on conflict do nothing"""
        )
        way = _WAY if to in _WAY else [*_WAY[:4], to]
        for state in way[way.index(self.row(number)["state"]) + 1 : way.index(to) + 1]:
            self.state.execute(
                """
                update billing.staged_invoices set state = %(state)s, batch = '2010-11-0001',
                    netsuite_id = case when %(state)s = 'posted' then '647' end,
                    posted_at = case when %(state)s = 'posted' then clock_timestamp() end
                where number = %(number)s""",
                {"state": state, "number": number},
            )


_ROW_VERSIONS = """
    create sequence row_version;
    create function next_row_version() returns trigger language plpgsql as
        $$begin new.rv = nextval('row_version'); return new; end$$;"""
_ROW_VERSION = """
    alter table {table} add column rv bigint not null default nextval('row_version');
    create trigger row_version before update on {table} for each row execute function next_row_version();"""
_VERSION = """concat_ws('/', i.rv,
        (SELECT concat_ws('/', count(*), sum(l.rv)) FROM invoice_lines AS l WHERE l.invoice_id = i.id),
        (SELECT concat_ws('/', count(*), sum(a.rv)) FROM credit_applications AS a WHERE a.credit_id = i.id)
    ) AS version,
    i.total
"""


def with_versions(source: BillingSystem) -> Queries:
    """Gives every row of the sample's billing system a version of its own, as `rowversion` is on SQL Server, and
    returns queries that make the documents' of them."""
    source.execute(_ROW_VERSIONS)
    for table in ("invoices", "invoice_lines", "credit_applications"):
        source.execute(_ROW_VERSION.format(table=table))
    return versioned_queries()


def versioned_queries() -> Queries:
    """Queries of the sample that make a document's version of its rows'."""
    plain = shipped_sample_queries()
    return replace(plain, documents=plain.documents.replace("i.total\n", _VERSION))


@contextmanager
def reading_all() -> Iterator[None]:
    """The billing database has no marks, as one of another engine without versions: everything is read each time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reader, "marking", lambda *_: reader.Marking.NONE)
        yield


@pytest.fixture
def read_all() -> Iterator[None]:
    """The same for a whole test."""
    with reading_all():
        yield


@pytest.fixture
def bench(state_url: str, database: str) -> Iterator[Bench]:
    """An empty sample billing system and an empty state database."""
    with Bench.open(state_url, database) as opened:
        yield opened
