"""What a credit memo is applied to, from the billing system's third query to the staging table."""

from decimal import Decimal
from pathlib import Path

import pytest

from billing_assets.erp.billing_system.queries import check_columns, load_queries
from billing_assets.erp.billing_system.reader import Queries, read_documents
from billing_assets.erp.documents.documents import Application, Document
from billing_assets.erp.staging.reports import waiting_credits
from billing_assets.foundation.source_database.connection import connect_source, open_source
from billing_assets.foundation.source_database.errors import ColumnsWrong
from billing_assets_tests.rooms.erp.staging.conftest import Bench, reading_all
from proving.world.builders import (
    applied,
    apply_credit,
    change_document,
    codes,
    delete_document,
    insert_document,
    shipped_sample_queries,
    void_document,
)


def read(bench: Bench, document_id: str, applications: str | None = None) -> tuple[list[Document], list[str]]:
    """What the reader makes of a document under the shipped queries, or with another `applications.sql`."""
    shipped = shipped_sample_queries()
    queries = Queries(shipped.documents, shipped.lines, applications=applications) if applications else shipped
    engine = open_source(bench.source_url)
    with connect_source(engine) as source:
        documents, bad = read_documents(source, queries, "billing", [document_id])
    engine.dispose()
    return documents, [one.message for one in bad]


def test_applications_are_read_beside_their_document_and_stand_in_the_order_of_the_numbers(bench: Bench) -> None:
    credit = insert_document(bench.source, "C1", kind="credit_memo")
    other = insert_document(bench.source, "C2", kind="credit_memo", applies_to="3")
    for number, amount in (("2", None), ("1", "4.500")):
        apply_credit(bench.source, credit, number, amount)
    ((one,), _), ((two,), _) = read(bench, credit), read(bench, other)
    assert one.applications == one.targets == applied("1", "4.5", "2", None)
    assert two.applications == ()
    assert two.targets == (Application("3", None),)


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ("values (1, null::text, 5::numeric)", "applications[?].applies_to is NULL."),
        ("values (1, '9', 0.5::float8)", "applications[9].amount is a binary floating point number"),
        ("values (1, '9', 'NaN'::numeric)", "applications[9].amount is not a number"),
        ("values (1, '9', 'four')", "applications[9].amount is a str where an exact decimal"),
    ],
)
def test_an_application_that_cannot_be_understood_holds_its_document_and_says_which(
    bench: Bench, rows: str, says: str
) -> None:
    credit = insert_document(bench.source, "C1", kind="credit_memo")
    rows = rows.replace("(1,", f"({credit},")
    documents, bad = read(bench, credit, f"select * from ({rows}) as a (document_id, applies_to, amount)")  # noqa: S608
    assert documents == []
    assert len(bad) == 1
    assert bad[0].startswith(says)


def test_a_folder_without_applications_is_whole_and_one_that_lacks_a_column_is_named(
    bench: Bench, tmp_path: Path
) -> None:
    shipped = shipped_sample_queries()
    (tmp_path / "documents.sql").write_text(shipped.documents)
    (tmp_path / "lines.sql").write_text(shipped.lines)
    engine = open_source(bench.source_url)
    with connect_source(engine) as source:
        check_columns(source, load_queries(tmp_path))
        (tmp_path / "applications.sql").write_text("select credit_id as document_id, amount from credit_applications")
        with pytest.raises(ColumnsWrong, match=r"applications\.sql lacks the column applies_to"):
            check_columns(source, load_queries(tmp_path))
    engine.dispose()


def test_a_changed_application_is_noticed_whether_the_source_computes_digests_or_not(bench: Bench) -> None:
    for number in ("1", "2"):
        insert_document(bench.source, number)
    credit = insert_document(bench.source, "C1", kind="credit_memo")
    bench.stage()
    assert bench.row("C1")["applications"] is None
    apply_credit(bench.source, credit, "1", "4")
    bench.stage()
    assert bench.row("C1")["applications"] == [["1", "4"]]
    with reading_all():
        bench.source.execute("update credit_applications set amount = 5, invoice_number = '2'")
        bench.stage()
    assert bench.row("C1")["applications"] == [["2", "5"]]
    bench.stage()  # the digests are noted again
    before = bench.versions()
    bench.stage()
    assert bench.versions() == before  # nothing changed, nothing is written


def test_an_application_that_changes_after_posting_is_drift(bench: Bench) -> None:
    insert_document(bench.source, "1")
    credit = insert_document(bench.source, "C1", kind="credit_memo")
    bench.stage()
    bench.advance("C1", "posted")
    apply_credit(bench.source, credit, "1", "4")
    assert bench.stage().counts["drifted"] == 1
    assert bench.row("C1")["drift"]["source_status"] == "closed"
    assert bench.row("C1")["applications"] is None


def test_a_credit_memo_with_several_invoices_names_every_one_that_is_unknown(bench: Bench) -> None:
    insert_document(bench.source, "1")
    credit = insert_document(bench.source, "C1", kind="credit_memo")
    for number in ("1", "2", "3"):
        apply_credit(bench.source, credit, number, "1")
    bench.stage()
    (found,) = bench.row("C1")["findings"]
    assert (found["code"], found["value"]) == ("CREDIT_TARGET_UNKNOWN", "2, 3")
    insert_document(bench.source, "2")
    third = insert_document(bench.source, "3", status="open")
    bench.stage()
    assert bench.states()["C1"] == "ready"  # found again although nothing about it changed
    delete_document(bench.source, third)
    bench.stage()
    assert bench.codes("C1") == ["CREDIT_TARGET_UNKNOWN"]


def test_a_credit_memo_in_a_batch_that_is_applied_elsewhere_now_leaves_it(bench: Bench) -> None:
    insert_document(bench.source, "1")
    insert_document(bench.source, "2")
    credit = insert_document(bench.source, "C1", kind="credit_memo", applies_to="1")
    bench.stage()
    bench.advance("C1", "batched")
    change_document(bench.source, credit, memo="Only its text")
    bench.stage()
    assert bench.states()["C1"] == "batched"
    change_document(bench.source, credit, applies_to="2")
    bench.stage()
    assert (bench.row("C1")["state"], bench.row("C1")["batch"]) == ("ready", None)


@pytest.mark.parametrize(
    ("state", "why"),
    [
        ("open", "The invoice is not closed yet in the billing system."),
        ("held", "The invoice is held: CUSTOMER_MISSING."),
        ("ready", "The invoice waits for a batch."),
        ("batched", "The invoice waits in batch 2010-11-0001."),
        ("locked", "The invoice is about to be sent in batch 2010-11-0001."),
        ("posting", "The invoice was sent in batch 2010-11-0001, and its outcome is not known yet."),
        ("rejected", "NetSuite refused the invoice in batch 2010-11-0001; `billing rejected` says why."),
        ("voided", "The invoice was voided before it was posted."),
        ("zero", "The invoice has nothing to bill: ZERO_TOTAL."),
        ("unknown", "No invoice with this number is staged."),
    ],
)
def test_a_credit_memo_that_waits_says_for_what_and_why(bench: Bench, state: str, why: str) -> None:
    insert_document(bench.source, "C1", kind="credit_memo", applies_to="1")
    if state != "unknown":
        columns = {"open": {"status": "open"}, "held": {"customer_no": None}, "zero": {"lines": []}}.get(state, {})
        invoice = insert_document(bench.source, "1", **columns)  # type: ignore[arg-type]
        if state == "voided":
            void_document(bench.source, invoice)
    bench.stage()
    if state in {"batched", "locked", "posting", "rejected"}:
        bench.advance("1", state)
    (waiting,) = waiting_credits(bench.state, "billing")
    assert (waiting["number"], waiting["invoice"], waiting["why"]) == ("C1", "1", why)
    assert waiting["total"] == Decimal(-10)
    assert (waiting["state"] == "held") == (codes(bench.row("C1")) == ["CREDIT_TARGET_UNKNOWN"])
    if state in {"batched", "locked", "posting"}:
        assert len(waiting_credits(bench.state, invoice_batch="2010-11-0001")) == 1
        bench.advance("1", "posted")
        assert waiting_credits(bench.state) == []
