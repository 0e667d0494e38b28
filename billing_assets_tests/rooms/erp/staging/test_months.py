"""No document is invisible: months are compared with the billing system, whenever their documents were created, changed
or posted."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from billing_assets.erp.netsuite.validation import validation_of
from billing_assets.erp.staging.corrections.store import corrections
from billing_assets.erp.staging.settings import StagingSettings
from billing_assets.erp.staging.staging import StagingResult, stage
from billing_assets.foundation.database.connection import connect, libpq_url
from billing_assets.foundation.source_database.connection import connect_source, open_source
from billing_assets_tests.rooms.erp.staging.conftest import Bench
from billing_assets_tests.rooms.erp.staging.test_unread import create_or_empty, held, post
from proving.world.builders import (
    SOURCE,
    add_lines,
    change_document,
    change_line,
    close_document,
    delete_document,
    insert_document,
    open_for_writing,
    shipped_mapping,
    shipped_sample_queries,
    stage_now,
    void_document,
)

LONG_AGO = datetime(2010, 11, 5, 8, 26, tzinfo=UTC)
OFTEN = StagingSettings(drift_days=0)
"""What is posted counts as posted long ago: the staging of every few hours looks at none of it."""


def often(bench: Bench) -> StagingResult:
    """A staging as it runs several times a day."""
    return bench.stage(settings=OFTEN)


def nightly(bench: Bench) -> StagingResult:
    """A staging as it runs every night, or at the press of a button."""
    return bench.stage(settings=OFTEN, whole=True)


def posted(bench: Bench, number: str = "536365", **columns: Any) -> str:
    """The id of a document that was posted long ago."""
    document_id = insert_document(bench.source, number, created_at=LONG_AGO, **columns)
    bench.stage()
    bench.advance(number, "posted")
    return document_id


def close_for_good(bench: Bench, period: str) -> None:
    bench.state.execute("insert into billing.closed_months (period, state) values (%s, 'hard')", [period])


def compared(bench: Bench) -> dict[str, Any]:
    """What is noted of the months."""
    rows = bench.state.execute("select month, tallies, unexplained, compared_at from billing.compared_months")
    return {row["month"]: row for row in rows}


# Documents that appear behind the watermark


def test_a_document_that_is_imported_with_an_old_creation_date_is_staged_as_soon_as_its_month_shows_it(
    bench: Bench,
) -> None:
    insert_document(bench.source, "1", created_at=LONG_AGO)
    bench.stage()
    imported = insert_document(bench.source, "2", created_at=LONG_AGO)
    result = often(bench)
    assert (result.counts["new"], result.compared) == (1, ("2010-11",))
    assert (bench.by_id(imported)["state"], bench.states()) == ("ready", {"1": "ready", "2": "ready"})
    before = bench.versions(), compared(bench)
    assert often(bench).compared == ()
    assert (bench.versions(), compared(bench)) == before


def test_a_transaction_that_was_open_for_longer_than_the_overlap_hides_nothing(bench: Bench) -> None:
    overlap = StagingSettings(overlap_minutes=1)
    bench.stage()
    with open_for_writing(bench.source_url) as slow, slow.transaction():
        insert_document(slow, "slow", created_at=datetime.now(UTC) - timedelta(minutes=5))
        bench.stage(settings=overlap)
        assert bench.states() == {}
    bench.stage(settings=overlap)
    assert bench.states() == {"slow": "ready"}


def test_a_row_that_is_restored_long_after_it_went_comes_back(bench: Bench) -> None:
    document_id = insert_document(bench.source, created_at=LONG_AGO)
    bench.stage()
    delete_document(bench.source, document_id)
    bench.stage()
    assert bench.states() == {"536365": "gone"}
    insert_document(bench.source, id=document_id, created_at=LONG_AGO)
    often(bench)  # it went longer ago than these settings poll
    assert bench.states() == {"536365": "ready"}


def test_a_month_that_nobody_saw_before_is_staged_whole(bench: Bench) -> None:
    bench.stage()
    for number in range(5):
        insert_document(bench.source, str(number), created_at=LONG_AGO, document_date="2009-12-31")
    assert often(bench).compared == ("2009-12",)
    assert Counter(bench.states().values()) == {"ready": 5}


def test_what_no_total_shows_is_found_at_night(bench: Bench) -> None:
    """One document came and one of the same amount went, both long ago: the month's totals are what they were."""
    gone = posted(bench, "1")
    insert_document(bench.source, "2", created_at=LONG_AGO)
    delete_document(bench.source, gone)
    often(bench)
    assert bench.states() == {"1": "posted"}
    result = nightly(bench)
    assert result.compared is None
    assert bench.states() == {"1": "posted", "2": "ready"}
    assert bench.row("1")["drift"]["source_status"] == "missing"


def test_a_night_without_its_comparison_is_made_up_for_by_the_next_staging(bench: Bench) -> None:
    document_id = posted(bench)
    change_document(bench.source, document_id, memo="changed")
    assert often(bench).compared == ()
    bench.state.execute("update billing.full_comparisons set compared_at = compared_at - interval '27 hours'")
    assert often(bench).compared is None
    assert bench.row("536365")["drift"] is not None
    assert often(bench).compared == ()


def test_a_document_that_appears_in_a_month_closed_for_good_is_held_and_not_hidden(bench: Bench) -> None:
    posted(bench, "1")
    posted(bench, "0", document_date="2010-12-05")
    close_for_good(bench, "2010-11")
    nightly(bench)
    insert_document(bench.source, "late", created_at=LONG_AGO)
    nightly(bench)
    assert (bench.states()["late"], bench.codes("late")) == ("held", ["PERIOD_CLOSED"])


@pytest.mark.parametrize("date", ["infinity", "-infinity", "0044-03-15 BC", "20101-11-05", None])
def test_a_document_without_a_date_that_can_be_read_belongs_to_no_month_and_is_held_however_old_it_is(
    date: str | None, bench: Bench
) -> None:
    bench.source.execute("alter table invoices alter document_date drop not null")
    insert_document(bench.source, "1", created_at=LONG_AGO)
    bench.stage()
    insert_document(bench.source, "2", created_at=LONG_AGO, document_date=date)
    often(bench)
    (row,) = bench.state.execute(
        "select state, findings from billing.staged_invoices where state <> 'ready'"
    ).fetchall()
    assert (row["state"], row["findings"][0]["code"]) == ("held", "FIELD_UNREADABLE")
    assert often(bench).compared == ()


def test_a_document_without_an_id_is_held_however_old_it_is(bench: Bench) -> None:
    bench.source.execute("alter table invoices alter id drop identity")
    bench.source.execute("alter table invoices drop constraint invoices_pkey cascade")
    bench.source.execute("alter table invoices alter id drop not null")
    bench.stage()
    bench.source.execute(
        "insert into invoices (id, number, kind, status, created_at, document_date, customer_no, country, total)"
        " values (null, '7', 'I', 'closed', %s, '2010-11-05', '12346', 'United Kingdom', 1)",
        [LONG_AGO],
    )
    often(bench)
    assert (bench.states(), bench.codes("7")) == ({"7": "held"}, ["FIELD_UNREADABLE"])


def test_what_cannot_be_read_does_not_have_its_month_compared_again_and_again(bench: Bench) -> None:
    insert_document(bench.source, "1", created_at=LONG_AGO)
    bench.stage()
    insert_document(bench.source, "bad", total=Decimal("NaN"))
    assert often(bench).compared == ("2010-11",)
    assert often(bench).compared == ()
    assert compared(bench)["2010-11"]["unexplained"] == {"closed": [1, None]}
    insert_document(bench.source, "new")
    assert often(bench).compared == ()
    insert_document(bench.source, "2", created_at=LONG_AGO)  # and it does not hide what comes beside it
    assert often(bench).compared == ("2010-11",)
    assert bench.states()["2"] == "ready"


def test_what_appears_in_the_ordinary_way_has_no_month_compared(bench: Bench) -> None:
    ids = [insert_document(bench.source, str(number), status="open") for number in range(3)]
    bench.stage()
    insert_document(bench.source, "new")
    close_document(bench.source, ids[0])
    void_document(bench.source, ids[1])
    delete_document(bench.source, ids[2])
    assert often(bench).compared == ()


def test_a_late_document_that_goes_with_a_later_month_counts_for_its_own(bench: Bench) -> None:
    posted(bench, "1")
    close_for_good(bench, "2010-11")
    nightly(bench)
    insert_document(bench.source, "2")
    with connect(bench.state_url) as state, connect_source(open_source(bench.source_url)) as source:
        later = validation_of(shipped_mapping(), "next_period")
        stage(state, source, shipped_sample_queries(), SOURCE, later, OFTEN, "test", whole=True)
    assert (bench.row("2")["state"], bench.row("2")["period"]) == ("ready", "2010-12")
    assert {month: row["unexplained"] for month, row in compared(bench).items()} == {"2010-11": {}}


def test_dates_that_are_text_are_held_one_by_one_and_nothing_stands_still(bench: Bench) -> None:
    bench.source.execute("alter table invoices alter document_date type text")
    bench.stage()
    insert_document(bench.source, "1", created_at=LONG_AGO, document_date="5 November")
    assert often(bench).compared == ()
    assert nightly(bench).counts["new"] == 1
    assert bench.codes("1") == ["FIELD_UNREADABLE"]


# Drift, however long ago it was posted


def test_a_posted_document_that_is_opened_again_voided_or_deleted_shows_by_its_months_totals(bench: Bench) -> None:
    opened, voided, deleted = (posted(bench, number) for number in ("opened", "voided", "deleted"))
    change_document(bench.source, opened, status="open")
    void_document(bench.source, voided)
    delete_document(bench.source, deleted)
    assert often(bench).counts["drifted"] == 3
    assert {number: bench.row(number)["drift"]["source_status"] for number in bench.states()} == {
        "opened": "open",
        "voided": "void",
        "deleted": "missing",
    }
    assert [one.number for one in corrections(bench.state, undecided_only=True)] == ["voided"]
    assert compared(bench)["2010-11"]["unexplained"] == {}, "all of it is known now"
    assert often(bench).compared == ()
    close_document(bench.source, opened)
    close_document(bench.source, voided)
    insert_document(bench.source, "deleted", id=deleted, created_at=LONG_AGO)
    assert often(bench).counts["drifted"] == 3
    assert [bench.row(number)["drift"] for number in bench.states()] == [None, None, None]


def test_lines_that_are_deleted_or_changed_with_the_total_kept_are_drift_the_next_night(bench: Bench) -> None:
    two = [("10002", "1", "6.00", "6.00"), ("10080", "1", "4.00", "4.00")]
    stripped, changed = posted(bench, "stripped", lines=two), posted(bench, "changed")
    same = posted(bench, "same")
    bench.source.execute("delete from invoice_lines where invoice_id = %s and line_no = 2", [stripped])
    change_line(bench.source, changed, stock_code="10080")
    assert often(bench).counts["drifted"] == 0
    assert nightly(bench).counts["drifted"] == 2
    assert bench.row("same")["drift"] is None
    drift = bench.row("stripped")["drift"]
    assert (Decimal(drift["source_total"]), drift["source_status"]) == (Decimal(10), "closed")
    before = bench.versions()
    assert nightly(bench).counts["drifted"] == 0
    assert bench.versions() == before
    add_lines(bench.source, stripped, two[1:], first=2)
    nightly(bench)
    assert bench.row("stripped")["drift"] is None
    assert bench.by_id(same)["state"] == "posted"


@pytest.mark.usefixtures("read_all")
def test_a_source_without_digests_is_compared_by_content_with_the_same_end(bench: Bench) -> None:
    document_id = posted(bench)
    change_line(bench.source, document_id, description="Another thing")
    assert nightly(bench).counts["drifted"] == 1
    before = bench.versions()
    nightly(bench)
    assert bench.versions() == before


def test_only_months_that_are_not_closed_for_good_are_compared_every_night(bench: Bench) -> None:
    old, new = posted(bench, "1"), posted(bench, "2", document_date="2010-12-05")
    close_for_good(bench, "2010-11")
    nightly(bench)
    change_document(bench.source, old, memo="changed")
    change_document(bench.source, new, memo="changed")
    result = nightly(bench)
    assert (result.counts["read"], result.counts["drifted"]) == (1, 1)
    change_document(bench.source, old, status="open")  # until the totals of one that is closed are not what they were
    nightly(bench)
    assert bench.row("1")["drift"]["source_status"] == "open"


def test_staging_whole_twice_writes_nothing_but_its_notes(bench: Bench) -> None:
    posted(bench, "1")
    insert_document(bench.source, "2", customer_no="nobody")
    insert_document(bench.source, "3", total=Decimal("NaN"))
    void_document(bench.source, insert_document(bench.source, "4"))
    nightly(bench)
    before = bench.versions(), compared(bench)
    nightly(bench)
    assert (bench.versions(), compared(bench)) == before


_STEP = st.one_of(
    st.tuples(st.just("late"), st.sampled_from(["2010-10-31", "2010-11-05", "2010-12-01"])),
    st.tuples(st.just("status"), st.integers(0, 9), st.sampled_from(["open", "closed", "void"])),
    st.tuples(st.just("date"), st.integers(0, 9), st.sampled_from(["2010-10-31", "2010-11-05", "infinity"])),
    st.tuples(st.just("line"), st.integers(0, 9)),
    st.tuples(st.just("delete"), st.integers(0, 9)),
    st.tuples(st.just("post"), st.integers(0, 9)),
    st.tuples(st.just("stage")),
)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(_STEP, min_size=2, max_size=8))
def test_after_a_night_staging_holds_what_one_that_looks_at_everything_every_time_holds(
    steps: list[tuple[Any, ...]], bench: Bench, another_state_url: str
) -> None:
    create_or_empty(bench, another_state_url)
    for url in (bench.state_url, another_state_url):
        with psycopg.connect(libpq_url(url), autocommit=True) as admin:
            admin.execute("truncate billing.compared_months, billing.full_comparisons")
    ids = [insert_document(bench.source, str(number), created_at=LONG_AGO) for number in range(3)]
    everything = StagingSettings(overlap_minutes=60 * 24 * 365 * 100, drift_days=10_000)
    bench.stage()
    stage_now(another_state_url, bench.source_url, settings=everything)
    with connect(another_state_url) as other:
        for step in steps:
            play(step, ids, bench, other)
        nightly(bench)
        stage_now(another_state_url, bench.source_url, settings=everything)
        assert held(bench.state) == held(other)


def play(step: tuple[Any, ...], ids: list[str], bench: Bench, other: Any) -> None:
    match step:
        case ("late", date):
            number = f"late {len(ids)}"
            ids.append(insert_document(bench.source, number, created_at=LONG_AGO, document_date=date))
            return
        case ("stage",):
            often(bench)
            everything = StagingSettings(overlap_minutes=60 * 24 * 365 * 100, drift_days=10_000)
            stage_now(libpq_url_of(other), bench.source_url, settings=everything)
            return
        case ("post", place):
            for state in (bench.state, other):
                post(state, ids[place % len(ids)])
            return
    document_id = ids[step[1] % len(ids)]
    if not bench.source.execute("select from invoices where id = %s", [document_id]).fetchall():
        return
    match step:
        case ("status", _, status):
            change_document(bench.source, document_id, status=status)
        case ("date", _, date):
            change_document(bench.source, document_id, document_date=date)
        case ("line", _):
            change_line(bench.source, document_id, description="Another thing")
        case ("delete", _):
            delete_document(bench.source, document_id)


def libpq_url_of(connection: Any) -> str:
    info = connection.info
    return f"postgresql+psycopg://{info.user}:{info.password}@{info.host}:{info.port}/{info.dbname}"
