"""What may be in NetSuite keeps its name and its content, whatever the source or the mapping say later."""

from pathlib import Path

import pytest

from billing_assets.erp.netsuite import found_transactions
from billing_assets.erp.netsuite.validation import validation_of
from billing_assets.erp.staging.corrections.store import corrections
from billing_assets.erp.staging.corrections.voids import NothingProposedError, confirm, judge_held
from billing_assets.foundation.calendar.business_days import Zones
from billing_assets.foundation.periods import LateDocuments
from billing_assets_tests.rooms.erp.staging.conftest import Bench
from billing_assets_tests.rooms.erp.staging.test_voids import NOW
from proving.world import builders
from proving.world.builders import (
    SOURCE,
    change_document,
    codes,
    delete_document,
    insert_document,
    shipped_mapping,
    validation,
    void_document,
)
from proving.world.mappings import edited


def attempted(bench: Bench, number: str, *outcomes: str, to: str) -> None:
    """The document was sent, with what was noted about it, and is in this state."""
    bench.stage()
    bench.advance(number, "posting")
    (attempt,) = bench.state.execute(
        """
        insert into billing.posting_attempts (document, batch, run_id, epoch, attempt, external_id, payload_hash)
        select id, batch, 'run', 1, 1, external_id, '' from billing.staged_invoices where number = %s returning id""",
        [number],
    ).fetchall()
    for outcome in outcomes:
        bench.state.execute(
            "insert into billing.posting_outcomes (attempt, run_id, outcome) values (%s, 'run', %s)",
            [attempt["id"], outcome],
        )
    if to == "batched":
        bench.state.execute("update billing.staged_invoices set state = 'locked' where number = %s", [number])
    bench.state.execute(
        """
        update billing.staged_invoices set state = %s, netsuite_id = case when %s then '647' end
        where number = %s""",
        [to, to == "differs", number],
    )


MAY_HAVE_LEFT = [("unknown", "absent"), ("exists", "absent"), ("refused", "absent"), ()]
SURELY_NOT = [("refused",), ("retry",), ("not_sent",)]


@pytest.mark.parametrize("outcomes", MAY_HAVE_LEFT, ids=str)
def test_a_document_whose_attempt_may_have_left_keeps_its_external_id_when_it_is_renumbered(
    bench: Bench, outcomes: tuple[str, ...]
) -> None:
    document = insert_document(bench.source, "100")
    attempted(bench, "100", *outcomes, to="batched")
    change_document(bench.source, document, number="101")
    bench.stage()
    assert (bench.row("101")["external_id"], bench.row("101")["state"]) == ("INV-100", "batched")


@pytest.mark.parametrize("outcomes", SURELY_NOT, ids=str)
def test_one_that_surely_did_not_land_is_renamed(bench: Bench, outcomes: tuple[str, ...]) -> None:
    document = insert_document(bench.source, "100")
    attempted(bench, "100", *outcomes, to="batched")
    change_document(bench.source, document, number="101")
    bench.stage()
    assert bench.row("101")["external_id"] == "INV-101"


def test_another_prefix_renames_only_what_was_never_out(bench: Bench, tmp_path: Path) -> None:
    insert_document(bench.source, "100")
    insert_document(bench.source, "200")
    attempted(bench, "100", "unknown", "absent", to="batched")
    mapping = edited(tmp_path, replace={"invoice: INV-": "invoice: NEW-"})
    bench.stage(mapping=mapping)
    assert {bench.row(number)["external_id"] for number in ("100", "200")} == {"INV-100", "NEW-200"}


def test_a_new_document_with_the_number_that_another_went_out_under_is_held(bench: Bench) -> None:
    document = insert_document(bench.source, "100")
    attempted(bench, "100", "unknown", "absent", to="batched")
    change_document(bench.source, document, number="101")
    insert_document(bench.source, "100")
    bench.stage()
    assert bench.row("100")["state"] == "held"
    assert "DUPLICATE_NUMBER" in bench.codes("100")


@pytest.fixture
def differs(bench: Bench) -> str:
    """The id of invoice 100, which NetSuite has otherwise than it was sent."""
    document = insert_document(bench.source, "100")
    attempted(bench, "100", "unknown", "conflict", to="differs")
    return document


def test_what_differs_is_not_renamed_and_not_replaced_and_its_change_is_drift(bench: Bench, differs: str) -> None:
    change_document(bench.source, differs, number="101", total="11.00")
    bench.stage()
    row = bench.row("100")
    assert (row["state"], row["external_id"]) == ("differs", "INV-100")
    assert row["drift"]["source_total"] == "11.000"
    assert bench.states() == {"100": "differs"}, "nothing leaves under another id while it is there"


def test_what_differs_and_is_deleted_at_the_source_stays_and_says_so(bench: Bench, differs: str) -> None:
    delete_document(bench.source, differs)
    bench.stage()
    assert bench.row("100")["drift"]["source_status"] == "missing"
    assert bench.states() == {"100": "differs"}


def test_a_void_of_what_differs_proposes_its_credit_memo_and_waits_for_the_decision(bench: Bench, differs: str) -> None:
    void_document(bench.source, differs)
    bench.stage()
    (one,) = corrections(bench.state, undecided_only=True)
    assert one.number == "100"
    with pytest.raises(NothingProposedError, match="billing differs list"):
        confirm(bench.state, "100", by="Ada", why="agreed", validation=validation(), now=NOW, zones=Zones())
    bench.state.execute(
        "update billing.staged_invoices set state = 'posted', posted_at = clock_timestamp() where number = '100'"
    )
    made = confirm(bench.state, "100", by="Ada", why="agreed", validation=validation(), now=NOW, zones=Zones())
    assert made.correction == "VOID-100"


def test_a_credit_memo_waits_for_an_invoice_that_differs(bench: Bench, differs: str) -> None:
    insert_document(bench.source, "C1", kind="credit_memo", applies_to="100")
    bench.stage()
    assert bench.row("C1")["state"] == "ready"
    (waiting,) = bench.state.execute("select why from billing.waiting_credits").fetchall()
    assert "billing differs list" in waiting["why"]


@pytest.mark.parametrize("late", ["hold", "next_period"])
def test_what_netsuite_was_found_to_have_is_ready_in_its_own_month_though_that_is_closed(
    bench: Bench, late: LateDocuments, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The month was closed on it; then a backup from before it was posted was restored."""
    insert_document(bench.source, "100")
    insert_document(bench.source, "200")
    monkeypatch.setattr(builders, "validation", lambda mapping=None: validation_of(shipped_mapping(), late))
    bench.stage()
    bench.state.execute("insert into billing.closed_months (period, state) values ('2010-11', 'hard')")
    bench.stage()
    bench.state.execute(
        """
        insert into billing.found_transactions (netsuite_id, external_id, kind, type, currency, total)
        values ('647', 'INV-100', 'invoice', 'CustInvc', 'GBP', 10)"""
    )
    assert found_transactions.confirm(bench.state, by="Ada", why="restored") == 1
    bench.stage()
    row = bench.row("100")
    assert (row["state"], row["period"], row["posting_date"]) == ("ready", "2010-11", None)
    assert bench.row("200")["period"] != "2010-11" or bench.row("200")["state"] == "held"


def test_two_documents_of_one_number_are_held_although_one_keeps_another_name(bench: Bench) -> None:
    document = insert_document(bench.source, "100")
    attempted(bench, "100", "unknown", "absent", to="batched")
    change_document(bench.source, document, number="101")
    bench.stage()
    later = insert_document(bench.source, "101")
    bench.stage()
    assert bench.by_id(document)["external_id"] == "INV-100"
    assert bench.by_id(later)["state"] == "held"
    assert codes(bench.by_id(later)) == ["DUPLICATE_NUMBER"]


def test_a_document_that_keeps_its_name_and_gets_the_number_of_another_is_held(bench: Bench) -> None:
    insert_document(bench.source, "101")
    document = insert_document(bench.source, "100")
    attempted(bench, "100", "unknown", "absent", to="batched")
    change_document(bench.source, document, number="101")
    bench.stage()
    assert codes(bench.by_id(document)) == ["DUPLICATE_NUMBER"]


def test_a_correction_that_may_have_left_keeps_its_name_when_the_prefix_moves(bench: Bench, tmp_path: Path) -> None:
    document = insert_document(bench.source, "100")
    bench.stage()
    bench.advance("100", "posted")
    void_document(bench.source, document)
    bench.stage()
    confirm(bench.state, "100", by="Ada", why="agreed", validation=validation(), now=NOW, zones=Zones())
    name = bench.row("VOID-100")["external_id"]
    bench.advance("VOID-100", "posting")
    bench.state.execute(
        """
        insert into billing.posting_attempts (document, batch, run_id, epoch, attempt, external_id, payload_hash)
        select id, batch, 'run', 1, 1, external_id, '' from billing.staged_invoices where number = 'VOID-100'"""
    )
    for state in ("locked", "held"):
        bench.state.execute(
            """
            update billing.staged_invoices set state = %s, batch = case when %s then batch end
            where number = 'VOID-100'""",
            [state, state == "locked"],
        )
    mapping = edited(tmp_path, replace={f"credit_memo: {name.removesuffix('VOID-100')}": "credit_memo: NEW-"})
    judge_held(bench.state, SOURCE, validation(mapping))
    assert bench.row("VOID-100")["external_id"] == name
