"""What is as it was is not read again, and that never shows in what is staged."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from billing_assets.erp.batches.ledger import DOCUMENTS
from billing_assets.erp.documents.documents import Document
from billing_assets.erp.documents.validation_rules import finding
from billing_assets.erp.netsuite.mapping import load_mapping
from billing_assets.erp.staging.verbs import hold
from billing_assets.foundation.database.connection import connect, libpq_url
from billing_assets.foundation.shipped import shipped
from billing_assets.posting.batch_lock import Lock
from billing_assets_tests.rooms.erp.staging.conftest import Bench, reading_all, versioned_queries, with_versions
from proving.world.builders import (
    SOURCE,
    change_document,
    change_line,
    delete_document,
    insert_document,
    shipped_sample_queries,
    stage_now,
)

_NUMBERS = ["1", "2"]
_STATUS = ["closed", "closed", "open", "void"]

_STEP = st.one_of(
    st.tuples(
        st.just("insert"),
        st.sampled_from(_NUMBERS),
        st.sampled_from(["invoice", "invoice", "credit_memo"]),
        st.sampled_from(_STATUS),
        st.sampled_from([None, *_NUMBERS]),
    ),
    st.tuples(st.just("renumber"), st.integers(0, 9), st.sampled_from(_NUMBERS)),
    st.tuples(st.just("status"), st.integers(0, 9), st.sampled_from(_STATUS)),
    st.tuples(st.just("kind"), st.integers(0, 9), st.sampled_from(["I", "C", "A"])),
    st.tuples(st.just("line"), st.integers(0, 9), st.sampled_from(["1", "2", "-1"])),
    st.tuples(st.just("total"), st.integers(0, 9), st.sampled_from(["0", "10", "-10", "NaN"])),
    st.tuples(st.just("delete"), st.integers(0, 9)),
    st.tuples(st.just("post"), st.integers(0, 9)),
)


def judged(bench: Bench, **options: Any) -> list[str]:
    """The numbers of the documents that were judged in a staging."""
    seen: list[str] = []

    def note(document: Document) -> None:
        seen.append(document.number)

    bench.stage(during=note, **options)
    return sorted(seen)


def test_only_what_changed_is_read_and_judged_again(bench: Bench) -> None:
    ids = [insert_document(bench.source, str(number)) for number in range(5)]
    assert judged(bench) == ["0", "1", "2", "3", "4"]
    assert judged(bench) == []
    change_document(bench.source, ids[1], memo="new")
    change_line(bench.source, ids[3], description="Another thing")
    assert judged(bench) == ["1", "3"]
    assert judged(bench) == []


def test_all_that_is_read_or_known_to_be_the_same_counts_as_read(bench: Bench) -> None:
    insert_document(bench.source, "1")
    insert_document(bench.source, "2", status="open")
    assert bench.stage().counts["read"] == 2
    assert bench.stage().counts["read"] == 2


def test_another_mapping_judges_every_document_anew(bench: Bench, tmp_path: Path) -> None:
    insert_document(bench.source, "1")
    insert_document(bench.source, "2", customer_no="nobody")
    bench.stage()
    folder = shipped("config/mapping.yaml").parent
    content = yaml.safe_load((folder / "mapping.yaml").read_text(encoding="utf-8"))
    content["closed_through"] = "2010-11-30"
    for table in content["tables"].values():
        table["file"] = str(folder / table["file"])
    (tmp_path / "mapping.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    closed = load_mapping(tmp_path / "mapping.yaml")
    assert judged(bench, mapping=closed) == ["1", "2"]
    assert bench.codes("1") == ["PERIOD_CLOSED"]
    assert judged(bench, mapping=closed) == []
    assert judged(bench) == ["1", "2"]
    assert bench.states()["1"] == "ready"


def test_what_a_run_held_under_a_newer_mapping_is_judged_anew_when_the_mapping_is_what_it_was(bench: Bench) -> None:
    insert_document(bench.source, "1")
    bench.stage()
    bench.advance("1", "locked")
    bench.state.execute("update billing.staged_invoices set epoch = 1")
    found = finding("CUSTOMER_UNMAPPED", "customer", "", "Not in the table of that moment.")
    hold(bench.state, Lock("2010-11-0001", 1, "a run", DOCUMENTS), {bench.row("1")["id"]: [found]})
    assert bench.states() == {"1": "held"}
    bench.stage()
    assert bench.states() == {"1": "ready"}


def test_a_document_that_cannot_be_read_does_not_keep_the_others_from_being_known(bench: Bench) -> None:
    insert_document(bench.source, "1")
    insert_document(bench.source, "bad", total=Decimal("NaN"))
    bench.stage()
    assert judged(bench) == []
    assert bench.codes("bad") == ["FIELD_UNREADABLE"]


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.tuples(_STEP, st.booleans()), min_size=2, max_size=6), by_versions=st.booleans())
def test_staging_with_digests_or_versions_holds_what_staging_by_reading_all_holds(
    steps: list[tuple[tuple[Any, ...], bool]], by_versions: bool, bench: Bench, another_state_url: str
) -> None:
    queries = shipped_sample_queries()
    if by_versions:
        versioned = bench.source.execute("select to_regclass('row_version') is not null").fetchone()
        queries = versioned_queries() if versioned == (True,) else with_versions(bench.source)
    create_or_empty(bench, another_state_url)
    ids = [insert_document(bench.source, number) for number in _NUMBERS]
    ids.append(insert_document(bench.source, "1", kind="credit_memo", applies_to="1"))
    bench.stage(queries=queries)
    stage_now(another_state_url, bench.source_url)
    with connect(another_state_url) as other:
        for step, then_staged in steps:
            play(step, ids, bench, other)
            if then_staged:
                bench.stage(queries=queries)
                with reading_all():
                    stage_now(another_state_url, bench.source_url)
                assert held(bench.state) == held(other)


def create_or_empty(bench: Bench, another: str) -> None:
    """An empty source and two empty states, for the next example."""
    bench.source.execute("truncate invoices, invoice_lines restart identity")
    for url in (bench.state_url, another):
        with psycopg.connect(libpq_url(url), autocommit=True) as admin:
            admin.execute("set session_replication_role = replica")  # past the triggers that keep every document
            admin.execute("truncate billing.staged_invoices, billing.locked_batches, billing.watermarks cascade")


def play(step: tuple[Any, ...], ids: list[str], bench: Bench, other: Any) -> None:
    """One thing that happens at the source, or, for `post`, in both states."""
    match step:
        case ("insert", number, kind, status, target):
            applies_to = target if kind == "credit_memo" else None
            ids.append(insert_document(bench.source, number, kind=kind, status=status, applies_to=applies_to))
        case (what, place, *value) if ids:
            document_id = ids[place % len(ids)]
            if not bench.source.execute("select from invoices where id = %s", [document_id]).fetchall():
                return
            match what:
                case "renumber":
                    change_document(bench.source, document_id, number=value[0])
                case "status":
                    change_document(bench.source, document_id, status=value[0])
                case "kind":
                    change_document(bench.source, document_id, kind=value[0])
                case "line":
                    change_line(bench.source, document_id, quantity=Decimal(value[0]))
                case "total":
                    change_document(bench.source, document_id, total=Decimal(value[0]))
                case "delete":
                    delete_document(bench.source, document_id)
                case "post":
                    for state in (bench.state, other):
                        post(state, document_id)


def post(state: Any, document_id: str) -> None:
    """Sends a ready document on its way to the end."""
    state.execute(
        "insert into billing.locked_batches (partition_key, period, sequence, documents, total)"
        " values ('2010-11-0001', '2010-11', 1, 1, 10) on conflict do nothing"
    )
    for before, after in (("ready", "batched"), ("batched", "locked"), ("locked", "posting"), ("posting", "posted")):
        state.execute(
            """
            update billing.staged_invoices set state = %(after)s, batch = '2010-11-0001',
                netsuite_id = case when %(after)s = 'posted' then '647' end,
                posted_at = case when %(after)s = 'posted' then clock_timestamp() end
            where document_id = %(id)s and state = %(before)s""",
            {"before": before, "after": after, "id": document_id},
        )


def held(state: Any) -> dict[str, Any]:
    """All that staging holds of every document, but for when and by which digest."""
    rows = state.execute(
        "select document_id, kind, number, state, status, findings, lines, total, batch, content_hash, external_id,"
        " drift from billing.staged_invoices"
    )
    return {row["document_id"]: row for row in rows}


@pytest.mark.parametrize("other", ["a", "z"])
def test_a_document_that_another_source_has_too_is_held_though_nothing_of_its_own_changed(
    bench: Bench, other: str
) -> None:
    insert_document(bench.source, "1")
    bench.stage()
    assert bench.states() == {"1": "ready"}
    bench.state.execute(f"""
        create temporary table copied as select * from billing.staged_invoices;
        update copied set source = '{other}', id = id + 1000, state = 'held';
        insert into billing.staged_invoices overriding system value select * from copied""")  # noqa: S608
    bench.stage()
    rows = bench.state.execute("select source, state, findings -> 0 ->> 'code' as code from billing.staged_invoices")
    assert {(row["source"], row["state"], row["code"]) for row in rows} == {
        (other, "held", None),
        (SOURCE, "held", "DUPLICATE_NUMBER"),
    }
