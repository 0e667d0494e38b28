"""Contract and service: optional columns that come later than the documents which were staged, and posted, before."""

from collections.abc import Iterator
from typing import Any

import pytest

from billing_assets.erp.billing_system.queries import Queries
from billing_assets.erp.staging.content import content_hash, lines_json, only_named
from billing_assets_tests.rooms.erp.staging.conftest import Bench, reading_all
from proving.world import builders
from proving.world.builders import change_document, change_line, document, insert_document, line, shipped_sample_queries

NAMED = {"contract": "12346-41"}


@pytest.fixture
def before_contracts(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """An install whose queries are those of an earlier version; call `upgrade` for today's."""
    shipped = shipped_sample_queries()
    older = Queries(
        shipped.documents.replace("    i.contract_no AS contract,\n", ""),
        shipped.lines.replace(" AS tax_amount,\n    l.service\n", " AS tax_amount\n"),
    )
    assert "contract_no" not in older.documents
    assert "service" not in older.lines
    with monkeypatch.context() as patch:
        patch.setattr(builders, "shipped_sample_queries", lambda: older)
        yield patch


def stage(bench: Bench, *, with_digests: bool) -> Any:
    if with_digests:
        return bench.stage()
    with reading_all():
        return bench.stage()


def test_queries_without_these_columns_go_on_as_before(bench: Bench, before_contracts: Any) -> None:
    insert_document(bench.source, "1", contract_no="12346-41")
    assert bench.stage().counts["new"] == 1
    row = bench.row("1")
    assert (row["state"], row["contract"], row["extra"], row["lines"][0][9]) == ("ready", None, {}, None)


@pytest.mark.parametrize("with_digests", [True, False])
def test_an_upgrade_to_queries_with_contracts_makes_nothing_that_is_posted_drift(
    bench: Bench, before_contracts: Any, with_digests: bool
) -> None:
    posted = insert_document(bench.source, "1", contract_no="12346-41", memo="Thanks")
    insert_document(bench.source, "2", contract_no="12346-41")
    stage(bench, with_digests=with_digests)
    bench.advance("1", "posted")
    before_contracts.undo()
    result = stage(bench, with_digests=with_digests)
    assert (result.counts["drifted"], result.counts["changed"]) == (0, 1)
    assert bench.row("1")["drift"] is None
    assert (bench.row("2")["contract"], bench.row("2")["extra"]) == ("12346-41", NAMED)
    versions = bench.versions()
    again = stage(bench, with_digests=with_digests)
    assert bench.versions() == versions
    assert (again.counts["drifted"], again.counts["changed"]) == (0, 0)
    change_document(bench.source, posted, memo="Thanks again")
    assert stage(bench, with_digests=with_digests).counts["drifted"] == 1, "what was billed changed: that is drift"
    change_document(bench.source, posted, memo="Thanks")
    stage(bench, with_digests=with_digests)
    assert bench.row("1")["drift"] is None


def test_a_posted_document_that_is_not_read_again_after_an_upgrade_is_not_read_at_every_staging(
    bench: Bench, before_contracts: Any
) -> None:
    insert_document(bench.source, "1", contract_no="12346-41")
    bench.stage()
    bench.advance("1", "posted")
    before_contracts.undo()
    digest = bench.row("1")["source_digest"]
    bench.stage()
    assert bench.row("1")["source_digest"] != digest, "else its digest differs for as long as it is compared"


@pytest.mark.parametrize("named", ["contract", "service"])
def test_a_contract_or_service_that_was_empty_when_the_document_was_posted_and_is_not_now_is_drift(
    bench: Bench, named: str
) -> None:
    posted = insert_document(bench.source, "1")
    bench.stage()
    bench.advance("1", "posted")

    def fill_in(value: str | None) -> int:
        if named == "contract":
            change_document(bench.source, posted, contract_no=value)
        else:
            change_line(bench.source, posted, service=value)
        return bench.stage().counts["drifted"]

    assert fill_in("A") == 1, "the query had the column by then, so somebody changed the document"
    fill_in(None)
    assert bench.row("1")["drift"] is None


def test_a_contract_that_changes_before_posting_is_taken_over(bench: Bench) -> None:
    found = insert_document(bench.source, "1", contract_no="A")
    change_line(bench.source, found, service="S10")
    bench.stage()
    assert (bench.row("1")["contract"], bench.row("1")["lines"][0][9]) == ("A", {"service": "S10"})
    change_document(bench.source, found, contract_no="B")
    change_line(bench.source, found, service=None)
    assert bench.stage().counts["changed"] == 1
    assert (bench.row("1")["contract"], bench.row("1")["lines"][0][9]) == ("B", {"service": None})
    rows = bench.state.execute("select service from billing.staged_invoice_lines").fetchall()
    assert rows == [{"service": None}]


def test_a_contract_column_that_was_there_before_this_version_gets_its_place_in_the_table(bench: Bench) -> None:
    insert_document(bench.source, "1", contract_no="A")
    bench.stage()
    bench.state.execute("update billing.staged_invoices set contract = null, judged_under = null")
    bench.stage()
    assert bench.row("1")["contract"] == "A"


def test_long_texts_and_nul_in_a_lines_further_columns_are_still_found(bench: Bench) -> None:
    found = insert_document(bench.source, "1")
    change_line(bench.source, found, service="x" * 1000)
    insert_document(bench.source, "2", contract_no="y" * 1000)
    bench.stage()
    assert (bench.codes("1"), bench.codes("2")) == (["TEXT_TOO_LONG"], ["TEXT_TOO_LONG"])
    assert bench.row("1")["findings"][0]["path"] == "lines[1].service"


def test_a_time_of_day_or_bytes_that_an_earlier_version_wrote_otherwise_are_no_drift() -> None:
    extra = {"taken": "10:11:12", "row": "0x001F", "note": "at 10:11:12"}
    now = document(extra=extra, lines=(line(extra=extra),))
    shown = {"taken": "datetime.time(10, 11, 12)", "row": r"b'\x00\x1f'", "note": "at 10:11:12"}
    before = document(extra=shown, lines=(line(extra=shown),))
    posted = content_hash(before, lines_json(before.lines))
    assert only_named(now, posted)
    other = document(extra=extra | {"taken": "10:11:13"}, lines=(line(extra=extra),))
    assert not only_named(other, posted)
