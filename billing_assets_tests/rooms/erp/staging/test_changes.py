"""What happens in the billing system shows in the staging table, and nothing else is written."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from billing_assets.erp.staging.settings import StagingSettings
from billing_assets_tests.rooms.erp.staging.conftest import Bench
from proving.world.builders import (
    add_lines,
    change_document,
    change_line,
    close_document,
    delete_document,
    insert_document,
    open_for_writing,
    void_document,
)

LONG_AGO = datetime(2010, 11, 5, 8, 26, tzinfo=UTC)


def test_a_new_document_is_staged_whole(bench: Bench) -> None:
    document_id = insert_document(
        bench.source,
        "536365",
        lines=[("47503J ", "6", "2.55", "15.30"), ("10080", "1", "0.700", "0.70")],
        memo="Thanks",
    )
    result = bench.stage()
    row = bench.row("536365")
    assert result.counts == {"read": 1, "new": 1, "changed": 0, "gone": 0, "drifted": 0, "unreadable": 0}
    assert (row["state"], row["document_id"], row["period"]) == ("ready", document_id, "2010-11")
    assert (row["external_id"], row["total"], row["line_count"]) == ("INV-536365", Decimal(16), 2)
    assert row["memo"] == "Thanks"
    assert [one[:6] for one in row["lines"]] == [
        [1, "47503J ", "A thing", "6", "2.55", "15.3"],
        [2, "10080", "A thing", "1", "0.7", "0.7"],
    ]


def test_every_document_of_the_source_has_exactly_one_state(bench: Bench) -> None:
    insert_document(bench.source, "1")
    insert_document(bench.source, "2", status="open")
    insert_document(bench.source, "3", status="void")
    insert_document(bench.source, "4", lines=[])
    insert_document(bench.source, "5", customer_no=None)
    insert_document(bench.source, "A6", kind="adjustment")
    insert_document(bench.source, "7", total=Decimal("NaN"))
    insert_document(bench.source, "8")
    insert_document(bench.source, "8")
    bench.stage()
    rows = bench.state.execute(
        "select state, count(*) as n from billing.staged_invoices group by state order by state"
    ).fetchall()
    assert {row["state"]: row["n"] for row in rows} == {"ready": 1, "open": 1, "excluded": 1, "gone": 1, "held": 5}
    assert bench.codes("4") == ["ZERO_TOTAL"]
    assert bench.codes("5") == ["CUSTOMER_MISSING"]
    assert bench.codes("A6") == ["KIND_UNSUPPORTED"]


def test_staging_twice_writes_nothing_but_the_run(bench: Bench) -> None:
    for number in range(5):
        insert_document(bench.source, str(number), status="open" if number == 1 else "closed")
    insert_document(bench.source, "held", customer_no="nobody")
    insert_document(bench.source, "gone")
    insert_document(bench.source, "bad", total=Decimal("NaN"))
    posted = insert_document(bench.source, "posted")
    bench.stage()
    bench.advance("2", "batched")
    bench.advance("3", "rejected")
    bench.advance("posted", "posted")
    change_document(bench.source, posted, memo="drifted")
    delete_document(bench.source, bench.row("gone")["document_id"])
    bench.stage()
    before = bench.versions()
    result = bench.stage()
    assert bench.versions() == before
    assert {name: count for name, count in result.counts.items() if count} == {"read": 8, "unreadable": 1}
    runs = bench.state.execute("select count(*) as n from billing.staging_runs").fetchone()
    assert runs == {"n": 3}


CHANGES: list[dict[str, Any]] = [
    {"memo": "new"},
    {"customer_no": "12347"},
    {"country": "France"},
    {"due_date": "2011-01-01"},
    {"po_number": "PO 1"},
    {"terms": "NET60"},
    {"document_date": "2010-12-01"},
]


@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_a_changed_header_is_seen_though_nothing_says_that_it_changed(change: dict[str, Any], bench: Bench) -> None:
    document_id = insert_document(bench.source, created_at=LONG_AGO)
    insert_document(bench.source, "other", created_at=LONG_AGO)
    bench.stage()
    before = bench.versions()
    change_document(bench.source, document_id, **change)
    assert bench.stage().counts["changed"] == 1
    after = bench.versions()
    assert [one for one in after if after[one] != before[one]] == [document_id]
    assert bench.row("536365")["state"] == "ready"


def test_a_changed_line_an_added_one_and_their_order_are_seen(bench: Bench) -> None:
    document_id = insert_document(bench.source, lines=[("10002", "1", "1.00", "1.00"), ("10080", "1", "2.00", "2.00")])
    bench.stage()
    change_line(bench.source, document_id, 1, description="Another thing")
    assert bench.stage().counts["changed"] == 1
    assert bench.row("536365")["lines"][0][2] == "Another thing"
    change_line(bench.source, document_id, 1, line_no=9)
    change_line(bench.source, document_id, 2, line_no=1)
    change_line(bench.source, document_id, 9, line_no=2)
    assert bench.stage().counts["changed"] == 1
    assert [one[1] for one in bench.row("536365")["lines"]] == ["10080", "10002"]
    add_lines(bench.source, document_id, [("10002", "1", "0.50", "0.50")], first=3)
    assert bench.stage().counts["changed"] == 1
    assert bench.codes("536365") == ["LINES_TOTAL_MISMATCH"]
    change_document(bench.source, document_id, total=Decimal("3.50"))
    bench.stage()
    assert (bench.row("536365")["state"], bench.row("536365")["line_count"]) == ("ready", 3)


def test_a_document_that_closes_long_after_it_was_created_becomes_ready(bench: Bench) -> None:
    document_id = insert_document(bench.source, status="open", created_at=LONG_AGO, total=Decimal(1))
    bench.stage()
    assert (bench.row("536365")["state"], bench.codes("536365")) == ("open", [])
    change_document(bench.source, document_id, total=Decimal(10))
    close_document(bench.source, document_id)
    bench.stage()
    assert bench.row("536365")["state"] == "ready"


def test_a_document_that_is_opened_again_waits_again(bench: Bench) -> None:
    document_id = insert_document(bench.source)
    bench.stage()
    bench.advance("536365", "batched")
    change_document(bench.source, document_id, status="open")
    bench.stage()
    assert (bench.row("536365")["state"], bench.row("536365")["batch"]) == ("open", None)


def test_a_voided_document_is_gone_with_the_reason_and_back_when_the_void_is_taken_back(bench: Bench) -> None:
    void_document(bench.source, insert_document(bench.source, "1"))
    later = insert_document(bench.source, "2")
    bench.stage()
    void_document(bench.source, later)
    bench.stage()
    assert bench.states() == {"1": "gone", "2": "gone"}
    assert bench.codes("2") == ["VOIDED"]
    close_document(bench.source, later)
    bench.state.execute("update billing.staged_invoices set state_since = now() - interval '1 year'")  # polled for ever
    bench.stage()
    assert bench.states() == {"1": "gone", "2": "ready"}
    assert bench.codes("2") == []


@pytest.mark.parametrize("state", ["ready", "batched", "rejected"])
def test_a_deleted_document_is_gone_and_back_when_the_source_shows_it_again(state: str, bench: Bench) -> None:
    document_id = insert_document(bench.source, created_at=LONG_AGO)
    bench.stage()
    bench.advance("536365", state)
    with open_for_writing(bench.source_url) as lagging, lagging.transaction():
        delete_document(lagging, document_id)
    assert bench.stage().counts["gone"] == 1
    assert (bench.row("536365")["state"], bench.row("536365")["batch"]) == ("gone", None)
    assert bench.stage().counts["gone"] == 0
    # Created long before the watermark: nothing but asking again finds it.
    insert_document(bench.source, id=document_id, created_at=LONG_AGO)
    bench.stage()
    assert (bench.row("536365")["state"], bench.row("536365")["line_count"]) == ("ready", 1)


def test_a_document_that_went_long_ago_comes_back_when_it_is_created_anew(bench: Bench) -> None:
    document_id = insert_document(bench.source)
    bench.stage()
    delete_document(bench.source, document_id)
    bench.stage()
    insert_document(bench.source, id=document_id, memo="again")
    never_polled = StagingSettings(drift_days=0)
    bench.stage(settings=never_polled)
    assert (bench.row("536365")["state"], bench.row("536365")["memo"]) == ("ready", "again")


def test_only_new_documents_and_those_that_may_change_are_read(bench: Bench) -> None:
    for number in ("1", "2", "3"):
        insert_document(bench.source, number, created_at=LONG_AGO)
    bench.stage()
    bench.advance("1", "posted")
    bench.advance("2", "locked")
    insert_document(bench.source, "4")
    result = bench.stage(settings=StagingSettings(drift_days=0))
    assert result.counts["read"] == 2
    assert result.counts["new"] == 1


def test_a_document_that_was_committed_late_is_found_within_the_overlap(bench: Bench) -> None:
    bench.stage()
    settings = StagingSettings(overlap_minutes=30)
    with open_for_writing(bench.source_url) as slow, slow.transaction():
        insert_document(slow, "late")
        bench.stage(settings=settings)
        assert bench.states() == {}
    bench.stage(settings=settings)
    assert bench.states() == {"late": "ready"}
    insert_document(bench.source, "within", created_at=datetime.now(UTC) - timedelta(minutes=29))
    assert bench.stage(settings=settings).compared == ()  # no month need be compared for it
    assert set(bench.states()) == {"late", "within"}


def test_the_watermark_is_the_clock_of_the_source_when_the_staging_began(bench: Bench) -> None:
    before = datetime.now(UTC)
    first = bench.stage()
    assert before <= first.watermark <= datetime.now(UTC)
    assert first.since is None
    second = bench.stage()
    assert second.since == first.watermark - timedelta(minutes=StagingSettings().overlap_minutes)
    row = bench.state.execute("select * from billing.watermarks").fetchone()
    assert row == {"source": "billing", "last_successful_run_at": second.watermark}


def test_a_batched_document_that_changed_keeps_its_batch_with_the_new_content(bench: Bench) -> None:
    document_id = insert_document(bench.source)
    bench.stage()
    bench.advance("536365", "batched")
    change_line(bench.source, document_id, price=Decimal(12), amount=Decimal(12))
    change_document(bench.source, document_id, total=Decimal(12))
    bench.stage()
    row = bench.row("536365")
    assert (row["state"], row["batch"], row["total"]) == ("batched", "2010-11-0001", Decimal(12))
    assert row["lines"][0][5] == "12"


def test_a_batched_document_leaves_its_batch_when_it_is_held_or_its_month_moves(bench: Bench) -> None:
    held, moved = insert_document(bench.source, "1"), insert_document(bench.source, "2")
    bench.stage()
    bench.advance("1", "batched")
    bench.advance("2", "batched")
    change_document(bench.source, held, customer_no=None)
    change_document(bench.source, moved, document_date="2010-12-01")
    bench.stage()
    assert (bench.row("1")["state"], bench.row("1")["batch"]) == ("held", None)
    assert (bench.row("2")["state"], bench.row("2")["batch"], bench.row("2")["period"]) == ("ready", None, "2010-12")


def test_a_rejected_document_stays_rejected_until_it_changes(bench: Bench) -> None:
    document_id = insert_document(bench.source)
    bench.stage()
    bench.advance("536365", "rejected")
    before = bench.versions()
    bench.stage()
    assert bench.versions() == before
    change_document(bench.source, document_id, memo="corrected")
    bench.stage()
    assert (bench.row("536365")["state"], bench.row("536365")["batch"]) == ("ready", None)


@pytest.mark.parametrize("state", ["locked", "posting", "posted"])
def test_a_document_that_a_run_has_or_had_is_never_touched(state: str, bench: Bench) -> None:
    document_id = insert_document(bench.source)
    bench.stage()
    bench.advance("536365", state)
    before = bench.row("536365")
    change_document(bench.source, document_id, memo="too late", status="void")
    bench.stage()
    after = bench.row("536365")
    assert {name: value for name, value in after.items() if not name.startswith("drift")} == {
        name: value for name, value in before.items() if not name.startswith("drift")
    }
    if state != "posted":
        assert after["drift"] is None
        delete_document(bench.source, document_id)
        bench.stage()
        assert bench.row("536365") == before


def test_a_posted_document_that_changes_is_drift_until_the_source_goes_back(bench: Bench) -> None:
    document_id = insert_document(bench.source)
    bench.stage()
    bench.advance("536365", "posted")
    change_document(bench.source, document_id, total=Decimal(11))
    assert bench.stage().counts["drifted"] == 1
    drift = bench.row("536365")["drift"]
    assert (drift["posted_total"], drift["source_total"]) == ("10.000", "11.000")
    assert bench.stage().counts["drifted"] == 0
    void_document(bench.source, document_id)
    assert bench.stage().counts["drifted"] == 1
    assert bench.row("536365")["drift"]["source_status"] == "void"
    change_document(bench.source, document_id, total=Decimal(10), status="closed")
    bench.stage()
    assert (bench.row("536365")["drift"], bench.row("536365")["state"]) == (None, "posted")


def test_a_posted_document_that_is_deleted_or_unreadable_is_drift(bench: Bench) -> None:
    deleted, unreadable = insert_document(bench.source, "1"), insert_document(bench.source, "2")
    bench.stage()
    bench.advance("1", "posted")
    bench.advance("2", "posted")
    delete_document(bench.source, deleted)
    change_document(bench.source, unreadable, total=Decimal("NaN"))
    assert bench.stage().counts["drifted"] == 2
    assert bench.row("1")["drift"]["source_status"] == "missing"
    assert bench.row("2")["drift"]["source_total"] is None
    assert bench.stage().counts["drifted"] == 0
    insert_document(bench.source, "1", id=deleted)
    change_document(bench.source, unreadable, total=Decimal(10))
    bench.stage()
    assert bench.row("1")["drift"] is None
    assert bench.row("2")["drift"] is None
    assert bench.states() == {"1": "posted", "2": "posted"}


def test_drift_that_no_total_shows_is_looked_for_at_every_staging_as_long_as_the_setting_says(bench: Bench) -> None:
    document_id = insert_document(bench.source)
    bench.stage()
    bench.advance("536365", "posted")
    change_document(bench.source, document_id, memo="changed")
    bench.stage(settings=StagingSettings(drift_days=0))
    assert bench.row("536365")["drift"] is None
    bench.stage(settings=StagingSettings(drift_days=1))
    assert bench.row("536365")["drift"] is not None
