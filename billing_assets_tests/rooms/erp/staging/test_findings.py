"""Findings that need other documents, documents that cannot be read, odd texts, and a mapping that learns."""

from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path

import orjson
import pytest
import yaml

from billing_assets.erp.billing_system.reader import BadDocument
from billing_assets.erp.documents.documents import Document
from billing_assets.erp.documents.validation_rules import finding
from billing_assets.erp.netsuite.mapping import load_mapping
from billing_assets.erp.staging import incoming, store
from billing_assets.erp.staging.content import content_hash, lines_json, parse_lines
from billing_assets.foundation.shipped import shipped
from billing_assets_tests.rooms.erp.staging.conftest import Bench
from proving.world.builders import (
    change_document,
    credit_memo,
    delete_document,
    document,
    insert_document,
    line,
    validation,
    void_document,
)


def take_over(bench: Bench, documents: Iterable[Document], bad: Iterable[BadDocument] = ()) -> None:
    """The second half of a staging, for what no PostgreSQL source can hold."""
    rules = validation()
    rows = [incoming.incoming_row(one, None, None, rules) for one in documents]
    with bench.state.transaction():
        store.create_incoming(bench.state)
        with store.copy_incoming(bench.state) as copy:
            for row in [*rows, *(incoming.unreadable_row(one, rules) for one in bad)]:
                assert row is not None
                copy.write_row(row)
        of = ("DUPLICATE_NUMBER", "CREDIT_TARGET_UNKNOWN", "MAY_BE_IN_NETSUITE", "NUMBER_LIKE_ANOTHER")
        store.add_cross_findings(bench.state, "billing", *(finding(code, "", "", "") for code in of))
        store.merge(bench.state, "billing")


def test_both_copies_of_a_number_are_held_and_name_each_other(bench: Bench) -> None:
    one, other = insert_document(bench.source, "1"), insert_document(bench.source, "1")
    insert_document(bench.source, "1", kind="credit_memo")  # another kind is another document
    insert_document(bench.source, "11")
    bench.stage()
    for document_id, twin in ((one, other), (other, one)):
        row = bench.by_id(document_id)
        assert row["state"] == "held"
        assert row["findings"] == [
            {
                "code": "DUPLICATE_NUMBER",
                "severity": "error",
                "path": "number",
                "value": "1",
                "message": f"Other documents with this number have the ids {twin}",
            }
        ]
    states = [row["state"] for row in bench.state.execute("select state from billing.staged_invoices order by id")]
    assert states == ["held", "held", "ready", "ready"]


@pytest.mark.parametrize("release", [void_document, delete_document])
def test_the_other_copy_goes_on_as_soon_as_one_is_voided_or_deleted(release: object, bench: Bench) -> None:
    one, other = insert_document(bench.source, "1"), insert_document(bench.source, "1")
    bench.stage()
    assert callable(release)
    release(bench.source, one)
    bench.stage()
    assert bench.by_id(one)["state"] in {"excluded", "gone"}
    assert (bench.by_id(other)["state"], bench.by_id(other)["findings"]) == ("ready", [])


def test_a_late_copy_holds_one_that_is_batched_and_takes_it_out_of_its_batch(bench: Bench) -> None:
    one = insert_document(bench.source, "1")
    bench.stage()
    bench.advance("1", "batched")
    other = insert_document(bench.source, "1")
    bench.stage()
    assert (bench.by_id(one)["state"], bench.by_id(one)["batch"]) == ("held", None)
    assert bench.by_id(other)["state"] == "held"


def test_an_open_copy_holds_nothing_until_it_is_closed(bench: Bench) -> None:
    one, other = insert_document(bench.source, "1"), insert_document(bench.source, "1", status="open")
    bench.stage()
    assert bench.by_id(one)["state"] == "ready"
    change_document(bench.source, other, status="closed")
    bench.stage()
    assert {bench.by_id(one)["state"], bench.by_id(other)["state"]} == {"held"}


@pytest.mark.parametrize("state", ["locked", "posting", "posted"])
@pytest.mark.parametrize("meanwhile", [{}, {"memo": "drift"}, {"status": "open"}, {"status": "void"}], ids=str)
def test_a_copy_of_a_document_that_is_on_its_way_or_posted_is_held(
    state: str, meanwhile: dict[str, str], bench: Bench
) -> None:
    one = insert_document(bench.source, "1")
    bench.stage()
    bench.advance("1", state)
    change_document(bench.source, one, **({"memo": None} | meanwhile))
    other = insert_document(bench.source, "1")
    bench.stage()
    assert (bench.by_id(one)["state"], bench.by_id(other)["state"]) == (state, "held")
    assert [found["code"] for found in bench.by_id(other)["findings"]] == ["DUPLICATE_NUMBER"]


def test_two_documents_may_swap_their_numbers(bench: Bench) -> None:
    one, other = insert_document(bench.source, "1"), insert_document(bench.source, "2")
    bench.stage()
    for first, second in (("2", "1"), ("1", "2")):
        change_document(bench.source, one, number=first)
        change_document(bench.source, other, number=second)
        bench.stage()
        assert (bench.by_id(one)["number"], bench.by_id(one)["state"]) == (first, "ready")
        assert (bench.by_id(other)["external_id"], bench.by_id(other)["state"]) == (f"INV-{second}", "ready")


def test_a_document_may_take_the_number_of_one_that_is_voided(bench: Bench) -> None:
    one, other = insert_document(bench.source, "1"), insert_document(bench.source, "2")
    for voided, kept, number in ((other, one, "2"), (one, other, "3")):
        bench.stage()
        change_document(bench.source, kept, number=number, status="closed")
        void_document(bench.source, voided)
        bench.stage()
        assert (bench.by_id(voided)["state"], bench.by_id(kept)["state"]) == ("gone", "ready")


def test_a_credit_memo_waits_for_the_invoice_that_it_names(bench: Bench) -> None:
    insert_document(bench.source, "C1", kind="credit_memo", applies_to="1")
    insert_document(bench.source, "C2", kind="credit_memo")
    insert_document(bench.source, "C3", kind="credit_memo", applies_to="C2")
    bench.stage()
    assert bench.states() == {"C1": "held", "C2": "ready", "C3": "held"}
    (found,) = bench.row("C1")["findings"]
    assert (found["code"], found["path"], found["value"]) == ("CREDIT_TARGET_UNKNOWN", "applies_to", "1")
    invoice = insert_document(bench.source, "1", status="open")
    bench.stage()
    assert bench.states()["C1"] == "ready"
    delete_document(bench.source, invoice)
    bench.stage()
    assert bench.codes("C1") == ["CREDIT_TARGET_UNKNOWN"]


def test_a_credit_memo_does_not_wait_for_ever_for_an_invoice_that_will_never_be_sent(bench: Bench) -> None:
    invoice = insert_document(bench.source, "1")
    insert_document(bench.source, "C1", kind="credit_memo", applies_to="1")
    bench.stage()
    assert bench.states()["C1"] == "ready"
    void_document(bench.source, invoice)
    bench.stage()
    assert bench.codes("C1") == ["CREDIT_TARGET_UNKNOWN"]


def test_a_credit_memo_finds_an_invoice_that_is_posted(bench: Bench) -> None:
    insert_document(bench.source, "1")
    bench.stage()
    bench.advance("1", "posted")
    insert_document(bench.source, "C1", kind="credit_memo", applies_to="1")
    bench.stage()
    assert bench.states()["C1"] == "ready"


def test_a_document_that_cannot_be_read_is_held_and_goes_on_when_it_is_repaired(bench: Bench) -> None:
    document_id = insert_document(bench.source, "1", total=Decimal("NaN"))
    insert_document(bench.source, "1")
    sound = insert_document(bench.source, "2")
    result = bench.stage()
    row = bench.by_id(document_id)
    assert result.counts["unreadable"] == 1
    assert (row["state"], row["kind"], row["status"], row["total"]) == ("held", "invoice", "closed", None)
    (found,) = row["findings"]
    assert (found["code"], found["path"]) == ("FIELD_UNREADABLE", "total")
    assert bench.by_id(sound)["state"] == "ready"
    change_document(bench.source, document_id, total=Decimal(10), number="3")
    bench.stage()
    assert bench.states() == {"1": "ready", "2": "ready", "3": "ready"}
    assert bench.row("3")["line_count"] == 1


def test_a_batched_document_that_becomes_unreadable_leaves_its_batch(bench: Bench) -> None:
    document_id = insert_document(bench.source)
    bench.stage()
    bench.advance("536365", "batched")
    change_document(bench.source, document_id, total=Decimal("NaN"))
    bench.stage()
    assert (bench.row("536365")["state"], bench.row("536365")["batch"]) == ("held", None)


ODD_TEXTS = [
    "<>&\"'",
    "£ € ß",
    "😀\U0001d4b3",
    "back\\slash",
    "a \\u0000 b",
    "tab\tline\nfeed\r",
    "{\\N}",
    "'; drop table x; --",
]


@pytest.mark.parametrize("text", ODD_TEXTS)
def test_odd_text_arrives_as_it_is(text: str, bench: Bench) -> None:
    document_id = insert_document(bench.source, memo=text)
    bench.source.execute("update invoice_lines set description = %s", [text])
    bench.stage()
    row = bench.by_id(document_id)
    assert (row["memo"], row["lines"][0][2], row["state"]) == (text, text, "ready")
    before = bench.versions()
    bench.stage()
    assert bench.versions() == before


def test_a_nul_is_held_with_a_stand_in_and_fails_nothing_else(bench: Bench) -> None:
    odd = document(
        "1\0",
        line(1, description="a\0b\\u0000c\\\0\0", extra={"x": "\0"}),
        line(2, item="\0"),
        memo="\0",
        currency="G\0P",
        branch="\0",
        extra={"y": "\0"},
        document_id="7",
    )
    bad = BadDocument("9", "9\0", "total", "'\\x00'", "total \0 is odd.", "in\0voice", "\0")
    take_over(bench, [odd, document("2"), credit_memo("3", status="\0", kind="\0", customer="\0")], [bad])
    assert bench.states() == {"1␀": "held", "2": "ready", "3": "held", "9␀": "held"}
    row = bench.row("1␀")
    assert row["lines"][0][2] == "a␀b\\u0000c\\␀␀"
    assert (row["memo"], row["currency"]) == ("␀", "G␀P")
    paths = {found["path"] for found in row["findings"] if found["code"] == "TEXT_UNPRINTABLE"}
    assert paths == {
        *("number", "memo", "currency", "branch", "y"),
        *("lines[1].description", "lines[1].x", "lines[2].item"),
    }


@pytest.mark.parametrize("like", [" 536365", "536365 ", "536 365", "536\u00a0365", "\t536365"])
def test_a_number_that_differs_only_in_blanks_is_flagged_on_both_and_goes(bench: Bench, like: str) -> None:
    first = insert_document(bench.source, "536365")
    insert_document(bench.source, "C536365", kind="credit_memo")
    bench.stage()
    assert bench.codes("536365") == []
    second = insert_document(bench.source, like)
    bench.stage()
    for number, other in (("536365", second), (like, first)):
        (found,) = bench.row(number)["findings"]
        assert (found["code"], found["severity"], found["value"]) == ("NUMBER_LIKE_ANOTHER", "warning", number)
        assert found["message"] == f"But for blanks, this is the number of the ids {other}"
        assert bench.row(number)["state"] == "ready"
    assert bench.codes("C536365") == []
    change_document(bench.source, second, number="777")
    bench.stage()
    assert (bench.codes("536365"), bench.codes("777")) == ([], [])


def test_numbers_that_have_other_blanks_in_one_staging_are_flagged_on_both(bench: Bench) -> None:
    insert_document(bench.source, "A 12")
    insert_document(bench.source, "A1 2")
    insert_document(bench.source, "A 13")
    bench.stage()
    assert [bench.codes(number) for number in ("A 12", "A1 2", "A 13")] == [["NUMBER_LIKE_ANOTHER"]] * 2 + [[]]


def test_a_number_like_a_posted_one_is_flagged_and_the_posted_one_stays_as_it_is(bench: Bench) -> None:
    insert_document(bench.source, "536365")
    bench.stage()
    bench.advance("536365", "posted")
    insert_document(bench.source, "536 365")
    bench.stage()
    assert (bench.codes("536365"), bench.codes("536 365")) == ([], ["NUMBER_LIKE_ANOTHER"])


def test_a_held_document_goes_on_by_itself_when_the_mapping_learns_its_customer(bench: Bench, tmp_path: Path) -> None:
    insert_document(bench.source, customer_no="NEW")
    bench.stage()
    assert bench.codes("536365") == ["CUSTOMER_UNMAPPED"]
    config = shipped("config")
    content = yaml.safe_load((config / "mapping.yaml").read_text())
    for name, table in content["tables"].items():
        text = (config / table["file"]).read_text()
        (tmp_path / f"{name}.csv").write_text(text + ("NEW,9999\n" if name == "customers" else ""))
        table["file"] = f"{name}.csv"
    (tmp_path / "mapping.yaml").write_text(yaml.safe_dump(content))
    bench.stage(mapping=load_mapping(tmp_path / "mapping.yaml"))
    assert (bench.row("536365")["state"], bench.codes("536365")) == ("ready", [])
    bench.stage()
    assert bench.row("536365")["state"] == "held"


def test_a_new_prefix_of_external_ids_reaches_what_is_not_posted(bench: Bench, tmp_path: Path) -> None:
    insert_document(bench.source, "1")
    insert_document(bench.source, "2")
    bench.stage()
    bench.advance("2", "posted")
    config = shipped("config")
    content = yaml.safe_load((config / "mapping.yaml").read_text())
    content["external_id"]["invoice"] = "NEW-"
    for table in content["tables"].values():
        table["file"] = str(config / table["file"])
    (tmp_path / "mapping.yaml").write_text(yaml.safe_dump(content))
    bench.stage(mapping=load_mapping(tmp_path / "mapping.yaml"))
    assert (bench.row("1")["external_id"], bench.row("2")["external_id"]) == ("NEW-1", "INV-2")


def test_what_is_staged_is_what_is_posted_to_the_last_digit(bench: Bench) -> None:
    lines = (
        line(1, "9999999999.99", quantity=Decimal("-80995"), unit_price=Decimal("0.00100")),
        line(
            2, "-9999999989.99", tax_code="S", tax_rate=Decimal("20.000"), tax_amount=Decimal("0.10"), extra={"m": "1"}
        ),
    )
    parsed = parse_lines(orjson.loads(lines_json(lines)))
    assert parsed == lines
    insert_document(bench.source, lines=[("10002", "80995", "0.001", "81.00")])
    bench.stage()
    (read,) = parse_lines(bench.row("536365")["lines"])
    assert (read.quantity, read.unit_price, read.amount) == (Decimal(80995), Decimal("0.001"), Decimal(81))


def test_the_hash_of_a_content_does_not_depend_on_how_it_was_written() -> None:
    def hashed(one: Document) -> bytes:
        return content_hash(one, lines_json(one.lines))

    plain = document("1", line(1, "10.00", extra={"a": "1", "b": "2"}), extra={"x": "1", "y": None})
    same = document("1", line(1, "10", extra={"b": "2", "a": "1"}), total=Decimal("1E+1"), extra={"y": None, "x": "1"})
    assert hashed(plain) == hashed(same)
    assert len(hashed(plain)) == 32
    others = [
        document("1", line(1, "10.01", extra={"a": "1", "b": "2"}), extra={"x": "1", "y": None}),
        document("1", line(1, "10.00", extra={"a": "1", "b": "3"}), extra={"x": "1", "y": None}),
        document("1", line(1, "10.00", extra={"a": "1", "b": "2"}), extra={"x": "1", "y": "2"}),
        document("1", line(2, "10.00", extra={"a": "1", "b": "2"}), extra={"x": "1", "y": None}),
    ]
    assert len({hashed(one) for one in [plain, *others]}) == 5
