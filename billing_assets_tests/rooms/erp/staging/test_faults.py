"""Crashes, races and size: what a staging leaves behind when it is cut, and what it needs when there is much."""

import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from billing_assets.erp.billing_system import reader
from billing_assets.erp.documents.documents import Document
from billing_assets.erp.staging import polling, store
from billing_assets.foundation.source_database.errors import SourceError
from billing_assets_tests.rooms.erp.staging.conftest import Bench
from proving.world.builders import change_document, delete_document, insert_document, open_for_writing, stage_now
from proving.world.waiting import PATIENCE_SECONDS


class Cut(Exception):  # noqa: N818
    """Something went wrong in the middle."""


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks of two documents, so that a few make several."""
    monkeypatch.setattr(store, "CHUNK", 2)
    monkeypatch.setattr(polling, "CHUNK", 2)
    monkeypatch.setattr(reader, "CHUNK", 2)


def everything(bench: Bench) -> list[object]:
    tables = ("staged_invoices", "watermarks", "staging_runs")
    return [bench.state.execute(f"select * from billing.{table} order by 1").fetchall() for table in tables]  # noqa: S608


def at_the_third(happens: Callable[[], object]) -> Callable[[Document], None]:
    seen: list[Document] = []

    def during(one: Document) -> None:
        seen.append(one)
        if len(seen) == 3:
            happens()

    return during


def cut() -> None:
    raise Cut


@pytest.mark.usefixtures("small_chunks")
def test_a_staging_that_is_cut_in_its_second_chunk_leaves_nothing_and_the_next_one_does_all(bench: Bench) -> None:
    bench.stage()
    before = everything(bench)
    for number in range(5):
        insert_document(bench.source, str(number))
    with pytest.raises(Cut):
        bench.stage(during=at_the_third(cut))
    assert everything(bench) == before
    assert bench.stage().counts["new"] == 5


@pytest.mark.usefixtures("small_chunks")
def test_a_billing_database_that_goes_away_in_the_middle_leaves_nothing(bench: Bench) -> None:
    for number in range(5):
        insert_document(bench.source, str(number))
    end = (
        "select pg_terminate_backend(pid) from pg_stat_activity"
        " where datname = current_database() and pid <> pg_backend_pid() and application_name = 'billing'"
    )
    with pytest.raises(SourceError):
        bench.stage(during=at_the_third(lambda: bench.source.execute(end)))
    assert everything(bench) == [[], [], []]
    bench.stage()
    assert set(bench.states().values()) == {"ready"}


@pytest.mark.usefixtures("small_chunks")
def test_our_own_database_that_goes_away_in_the_middle_keeps_what_was(bench: Bench) -> None:
    for number in range(5):
        insert_document(bench.source, str(number))
    end = (
        "select pg_terminate_backend(pid) from pg_stat_activity"
        " where datname = current_database() and pid <> pg_backend_pid()"
    )
    with pytest.raises(psycopg.Error):
        bench.stage(during=at_the_third(lambda: bench.state.execute(end)))
    assert everything(bench) == [[], [], []]


def test_rows_and_watermark_move_together_or_not_at_all(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.stage()
    before = everything(bench)
    insert_document(bench.source)
    finish = store.finish

    def finish_then_fail(*arguments: Any) -> None:
        finish(*arguments)
        raise Cut

    with monkeypatch.context() as patch:
        patch.setattr(store, "finish", finish_then_fail)
        with pytest.raises(Cut):
            bench.stage()
    assert everything(bench) == before


@pytest.mark.usefixtures("small_chunks", "read_all")
def test_a_document_that_is_posted_while_it_is_staged_is_left_alone(bench: Bench) -> None:
    for number in ("1", "2", "3"):
        insert_document(bench.source, number)
    bench.stage()
    for number in ("1", "2", "3"):
        bench.advance(number, "batched")
    result = bench.stage(during=at_the_third(lambda: bench.advance("1", "posted")))
    assert result.counts["read"] == 3
    assert bench.states() == {"1": "posted", "2": "batched", "3": "batched"}
    assert bench.row("1")["drift"] is None


@pytest.mark.usefixtures("small_chunks", "read_all")
def test_a_document_that_changed_while_it_was_posted_is_drift_at_once(bench: Bench) -> None:
    ids = [insert_document(bench.source, number) for number in ("1", "2", "3")]
    bench.stage()
    bench.advance("1", "batched")
    change_document(bench.source, ids[0], total=Decimal(11))
    bench.stage(during=at_the_third(lambda: bench.advance("1", "posted")))
    row = bench.row("1")
    assert (row["state"], row["total"], row["drift"]["source_total"]) == ("posted", Decimal(10), "11.000")


@pytest.mark.usefixtures("small_chunks", "read_all")
def test_a_document_that_is_locked_while_its_deletion_is_seen_stays_with_its_run(bench: Bench) -> None:
    gone = insert_document(bench.source, "0")
    for number in ("1", "2", "3"):
        insert_document(bench.source, number)
    bench.stage()
    bench.advance("0", "batched")
    delete_document(bench.source, gone)
    bench.stage(during=at_the_third(lambda: bench.advance("0", "locked")))
    assert bench.states()["0"] == "locked"


def test_two_stagings_at_once_stage_everything_once(bench: Bench) -> None:
    for number in range(20):
        insert_document(bench.source, str(number))
    barrier = threading.Barrier(3)

    def one() -> dict[str, int]:
        barrier.wait()
        return stage_now(bench.state_url, bench.source_url).counts

    with ThreadPoolExecutor(3) as pool:
        results = [future.result() for future in [pool.submit(one) for _ in range(3)]]
    assert sorted(result["new"] for result in results) == [0, 0, 20]
    assert all(result["changed"] == 0 for result in results)
    assert set(bench.states().values()) == {"ready"}


def test_what_changes_in_the_source_during_a_staging_is_taken_by_the_next(bench: Bench) -> None:
    for number in ("1", "2", "3"):
        insert_document(bench.source, number)
    with open_for_writing(bench.source_url) as writer:
        bench.stage(during=at_the_third(lambda: insert_document(writer, "4")))
    assert set(bench.states()) == {"1", "2", "3"}
    bench.stage()
    assert set(bench.states()) == {"1", "2", "3", "4"}


_MEASURE = """
import resource, sys
from proving.world.builders import stage_now
stage_now(sys.argv[1], sys.argv[2])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


def test_memory_does_not_grow_with_the_number_of_documents(bench: Bench) -> None:
    """Peak memory in MB of a process that stages: 1,500 documents of 20 lines, then four times as many."""
    insert_many = """
        with new as (
            insert into invoices (number, kind, status, document_date, customer_no, country, total)
            select g::text, 'I', 'closed', '2010-11-05', '12346', 'United Kingdom', 200
            from generate_series(%(first)s::bigint, %(last)s::bigint) as g returning id)
        insert into invoice_lines
        select id, l, '10002', repeat('A thing ', 5), 1, 10, 10 from new, generate_series(1, 20) as l"""
    peaks = []
    for first, last in ((1, 1500), (1501, 7500)):
        bench.source.execute(insert_many, {"first": first, "last": last})
        # A new process: peaks never go down. The second one polls the first 1,500 and stages 6,000 more.
        done = subprocess.run(
            [sys.executable, "-c", _MEASURE, bench.state_url, bench.source_url],
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=True,
        )
        peaks.append(int(done.stdout.split()[-1]))
    assert len(bench.states()) == 7500
    assert peaks[1] - peaks[0] < 30
