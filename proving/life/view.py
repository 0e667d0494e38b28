"""One look at both sides: what the billing system has, what we hold, and what NetSuite holds."""

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from proving.life.world import World

Row = dict[str, Any]


class Ours(NamedTuple):
    """Our tables. Documents by row id, batches by partition key; attempts and outcomes as they were written, archived
    ones too; documents and their sums as they are counted."""

    documents: dict[int, Row]
    batches: dict[str, Row]
    attempts: list[Row]
    outcomes: list[Row]
    watermark: datetime | None
    totals: list[Row]


class SourceDocument(NamedTuple):
    """A document as the billing system has it now. `lines`: (number, item, quantity, price, amount)."""

    id: str
    number: str
    kind: str
    status: str
    created_at: datetime
    month: str
    customer: str | None
    memo: str | None
    applies_to: str | None
    total: Decimal
    lines: tuple[tuple[int, str | None, Decimal, Decimal, Decimal], ...]


@dataclass(frozen=True)
class View:
    """Both sides at one moment. `now` is the clock of our database."""

    now: datetime
    source: dict[str, SourceDocument]
    ours: Ours
    records: list[Row]
    posts: dict[str, int]

    def of_batch(self, key: str) -> list[Row]:
        """Our rows of a batch, oldest first."""
        return [row for row in self.ours.documents.values() if row["batch"] == key]


_KINDS = {"I": "invoice", "C": "credit_memo", "A": "adjustment"}


def look(world: World) -> View:
    """Reads everything."""
    records, posts = world.admin("records", limit="1000")["items"], world.admin("summary")["posts"]
    return look_here(world, View(_now(world), {}, Ours({}, {}, [], [], None, []), records, posts))


def look_here(world: World, before: View) -> View:
    """The same where nothing was asked of NetSuite since an earlier look."""
    return replace(before, now=_now(world), source=_source(world), ours=look_at_ours(world))


def look_at_ours(world: World) -> Ours:
    """Reads our tables, with the version of every row of a document: it changes with every write."""
    execute = world.state.execute
    documents = execute("select *, xmin::text as version from billing.staged_invoices order by id").fetchall()
    batches = execute("select * from billing.locked_batches order by partition_key").fetchall()
    watermark = execute("select last_successful_run_at as at from billing.watermarks").fetchone()
    return Ours(
        {row["id"]: row for row in documents},
        {row["partition_key"]: row for row in batches},
        _log(world, "attempts"),
        _log(world, "outcomes"),
        watermark["at"] if watermark else None,
        execute("select * from billing.document_totals").fetchall(),
    )


def _log(world: World, name: str) -> list[Row]:
    """One half of the log, archived rows as they were before."""
    rows = [
        row
        for table in (f"posting_{name}", f"archived_{name}")
        for row in world.state.execute(f"select * from billing.{table}")  # noqa: S608
    ]
    rows.sort(key=lambda row: int(row["id"]))
    return [{column: value for column, value in row.items() if column != "posted_at"} for row in rows]


def _now(world: World) -> datetime:
    row = world.state.execute("select clock_timestamp() as now").fetchone()
    assert row is not None
    moment: datetime = row["now"]
    return moment


def _source(world: World) -> dict[str, SourceDocument]:
    lines: dict[str, list[tuple[int, str | None, Decimal, Decimal, Decimal]]] = {}
    for document, *rest in world.source.execute(
        "select invoice_id, line_no, stock_code, quantity, price, amount from invoice_lines order by 1, 2"
    ):
        lines.setdefault(str(document), []).append((rest[0], rest[1], rest[2], rest[3], rest[4]))
    return {
        str(row[0]): SourceDocument._make(
            (str(row[0]), row[1], _KINDS[row[2]], *row[3:], tuple(lines.get(str(row[0]), ())))
        )
        for row in world.source.execute(
            "select id, number, kind, status, created_at, to_char(document_date, 'YYYY-MM'), customer_no, memo,"
            " applies_to, total from invoices order by id"
        )
    }
