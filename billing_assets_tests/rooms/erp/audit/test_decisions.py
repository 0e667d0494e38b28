"""Auditors' decisions: files out and in, row by row, kept with who and when; and a hold that holds."""

import csv
from pathlib import Path
from typing import Any

import psycopg
import pytest
from openpyxl import load_workbook

from billing_assets.erp.audit.files import FileError
from billing_assets.erp.batches.ledger import DOCUMENTS
from billing_assets.erp.batches.planning import plan
from billing_assets.foundation.sections import BatchSettings
from billing_assets.posting.locks import lock
from billing_assets_tests.rooms.erp.audit.conftest import CONTRACT, Office, queued
from proving.world.builders import change_document, close_document, insert_document

HEAT = {"service": "HEAT", "charged": "monthly"}


def decisions(office: Office) -> list[tuple[str, str, str]]:
    rows: list[dict[str, Any]] = office.bench.state.execute(
        "select a.decision, w.why as comment, w.decided_by from billing.audit_decisions as a "
        "join billing.decisions as w on w.id = a.decision_id order by a.id"
    ).fetchall()
    return [(row["decision"], row["comment"], row["decided_by"]) for row in rows]


def test_an_exported_workbook_comes_back_with_what_the_auditor_filled_in(office: Office) -> None:
    office.contract(HEAT)
    office.charge("1", HEAT="10.00")
    office.charge("2", GARDEN="1234.56")
    office.audit()
    path = office.export()
    book = load_workbook(path)
    sheet = book["Audit"]
    titles = [str(cell.value) for cell in sheet[1]]
    rows = {sheet.cell(row, titles.index("Number") + 1).value: row for row in (2, 3)}
    shown = dict(zip(titles, (cell.value for cell in sheet[rows["2"]]), strict=True))
    assert (shown["Total"], shown["Contract"], shown["Customer"]) == (1234.56, CONTRACT, "12346")
    assert str(shown["Findings"]).startswith("SERVICE_NOT_IN_CONTRACT  GARDEN: GBP 1,234.56 in")
    assert "CONTRACT_UNKNOWN" in [cell.value for cell in book["How to"]["A"]]
    sheet.cell(rows["2"], titles.index("Decision") + 1).value = " Hold "
    sheet.cell(rows["2"], titles.index("Comment") + 1).value = "GARDEN is not ordered"
    book.save(path)
    result = office.take(path, by="Ann")
    assert ([one.subject.number for one in result.taken], result.problems) == (["2"], [])
    again = load_workbook(office.export("again.xlsx"))["Audit"]
    cells = [[cell.value for cell in row][16:19] for row in again.iter_rows(min_row=2)]
    assert sorted(cells, key=str) == sorted([[None, None, None], ["hold", "GARDEN is not ordered", "Ann"]], key=str)


def test_the_same_file_twice_changes_nothing_also_after_others_decided_otherwise(office: Office) -> None:
    queued(office, "1", "2")
    first = office.filled_in(("1", "hold", "why?"), ("2", "comment", "looked at it"))
    assert len(office.take(first).taken) == 2
    assert len(office.decide(("1", "approve", ""), name="second.csv", by="Bob").taken) == 1
    once_more = office.take(first)
    assert (once_more.taken, once_more.unchanged, once_more.taken_before) == ([], 2, 2)
    assert len(office.decide(("1", "approve", ""), name="third.csv", by="Bob").taken) == 0, "it says what stands"
    assert decisions(office) == [("hold", "why?", "Ann"), ("comment", "looked at it", "Ann"), ("approve", "", "Bob")]
    (row, _) = sorted(office.queue(), key=lambda one: one["number"])
    assert (row["decision"], row["decided_by"]) == ("approve", "Bob")


def test_a_file_that_is_older_than_what_another_decided_changes_nothing_of_it(office: Office) -> None:
    queued(office, "1", "2")
    rows = (("1", "approve", ""), ("2", "perhaps", ""))
    part, corrected = (office.filled_in(*these, name=f"{n}.csv") for n, these in enumerate([rows, rows[:1]]))
    mine = office.filled_in(("1", "approve", "seen"), ("2", "approve", ""), name="mine.csv")
    assert len(office.take(part).taken) == 1
    assert (office.take(corrected).unchanged, decisions(office)) == (1, [("approve", "", "Ann")]), "it was taken before"
    assert len(office.decide(("1", "hold", "wait"), name="bob.csv", by="Bob").taken) == 1
    for stale in (corrected, mine):
        problem = office.take(stale).problems[0]
        assert problem[:3] == (2, "Decision", "approve")
        assert problem.message.startswith("since this file was exported, Bob decided hold (20")
    assert decisions(office) == [("approve", "", "Ann"), ("hold", "wait", "Bob"), ("approve", "", "Ann")]
    assert [row["decision"] for row in sorted(office.queue(), key=lambda one: one["number"])] == ["hold", "approve"]


def test_an_amount_that_changed_since_the_export_is_not_approved_but_may_be_held(office: Office) -> None:
    queued(office, "1", "2")
    path = office.filled_in(("1", "approve", ""), ("2", "approve", ""))
    holds = office.filled_in(("1", "hold", "why so much?"), name="holds.csv")
    close_document(office.bench.source, office.bench.row("2")["document_id"])
    change_document(office.bench.source, office.bench.row("1")["document_id"], currency="EUR")
    office.bench.stage()
    result = office.take(path)
    assert [one.subject.number for one in result.taken] == ["2"], "a document that was closed charges what it did"
    assert "what the document charges has changed" in str(result.problems[0])
    assert [one.subject.number for one in office.take(holds).taken] == ["1"]


@pytest.mark.parametrize(
    ("number", "decision", "comment", "said"),
    [
        ("1", "stop", "", "row 2, column Decision, “stop”: write approve, hold or comment"),
        ("1", "", "why?", "row 2, column Decision, “”: empty beside a comment"),
        ("1", "hold", "", "row 2, column Comment, “”: say why"),
        ("1", "comment", "x" * 501, "501 characters; at most 500"),
        ("77", "approve", "", "row 2, column Reference, “77”: no document"),
        ("9" * 30, "approve", "", "no document"),
        (CONTRACT, "hold", "why?", "nothing to hold"),
    ],
)
def test_a_wrong_row_is_named_and_the_good_ones_are_taken(
    office: Office, number: str, decision: str, comment: str, said: str
) -> None:
    office.contract(HEAT)
    queued(office, "1", "2")
    rows = [(number, decision, comment), ("2", "approve", "")]
    result = office.decide(*rows, strict=True)
    assert (result.taken, len(result.problems), decisions(office)) == ([], 1, [])
    result = office.decide(*rows)
    assert [one.subject.number for one in result.taken] == ["2"]
    (problem,) = result.problems
    assert said in str(problem)
    corrected = office.decide(("2", "approve", ""), (CONTRACT, "approve", "vacant"), name="corrected.csv")
    assert [one.subject.contract for one in corrected.taken] == [CONTRACT], "a contract without a document can be"


def test_a_row_whose_number_or_mark_was_sorted_away_from_its_reference_is_refused(office: Office) -> None:
    queued(office, "1", "2", "3")
    path = office.filled_in(("1", "approve", ""), ("2", "approve", "x"), ("3", "approve", ""))
    head, first, second, third = path.read_text().replace(",", ";").splitlines()
    first = first.replace(";1;", ";2;")
    third = third[: third.rindex(";")]
    path.write_text("\n".join([head, first, second, third]))
    result = office.take(path)
    assert [one.comment for one in result.taken] == ["x"]
    sorted_away, without_mark = result.problems
    assert "the reference" in sorted_away.message
    assert sorted_away[:3] == (2, "Number", "2")
    assert str(without_mark).startswith("row 4, column For the machine, “”: not as it was exported")


def test_two_rows_about_one_document_are_refused_however_often_the_file_is_imported(office: Office) -> None:
    queued(office, "1")
    path = office.filled_in(("1", "approve", ""), ("1", "hold", "no"))
    for taken in (["approve"], []):
        result = office.take(path)
        assert ([one.decision for one in result.taken], result.problems[0].row) == (taken, 3)
        assert "decided in row 2 already" in result.problems[0].message


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.txt", b"", "must end in .xlsx or .csv"),
        ("a.ods", b"PK", "must end in .xlsx or .csv. Save the file as “Excel Workbook"),
        ("a.xls", b"", "must end in .xlsx or .csv. Save the file as “Excel Workbook"),
        ("a.csv", b"", "its first row must have the column Reference, Number, Decision, Comment, For the machine once"),
        ("a.csv", b"Reference,Number,Decision,Decision,For the machine\n", "Decision, Comment once"),
        ("a.csv", "Reference,Number,Decision,Comment\n1,1,hold,\xe4".encode("latin-1"), "CSV UTF-8"),
        ("a.csv", b'Reference,Number,Decision,Comment,For the machine\n1,1,hold,"x', "cannot be read as CSV"),
        ("a.xlsx", b"PK no workbook", "cannot be read as an Excel file"),
    ],
)
def test_a_file_that_is_none_of_ours_is_refused_with_what_to_do(
    office: Office, name: str, content: bytes, said: str
) -> None:
    path = office.folder / name
    path.write_bytes(content)
    with pytest.raises(FileError) as caught:
        office.take(path)
    assert said in str(caught.value)


def test_who_decided_must_be_said(office: Office) -> None:
    queued(office, "1")
    with pytest.raises(FileError, match="say who decided"):
        office.decide(("1", "approve", ""), by="  ")


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "=cmd|' /C calc'!A0"])
def test_a_text_that_begins_like_a_formula_is_written_as_text_and_comes_back_as_it_was(
    office: Office, text: str
) -> None:
    insert_document(office.bench.source, text, status="open", country=text)
    office.audit()
    sheet = load_workbook(office.export("a.xlsx"))["Audit"]
    cell = next(cell for cell in sheet[2] if cell.value == text)
    assert (cell.data_type, cell.quotePrefix) == ("s", True)
    path = office.export("a.csv")
    (row,) = csv.DictReader(path.open(encoding="utf-8-sig"))
    shown = "'" + text.replace("\t=", "\t'=")  # nor behind what separates cells elsewhere
    assert (row["Number"], row["Branch"]) == (shown, shown)
    fill_in(path, "approve")
    result = office.take(path)
    assert ([one.subject.number for one in result.taken], result.problems) == ([text], [])


def fill_in(path: Path, decision: str) -> None:
    rows = list(csv.DictReader(path.open(encoding="utf-8-sig")))
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(row | {"Decision": decision} for row in rows)


def test_decisions_are_kept_for_ever(office: Office) -> None:
    queued(office, "1")
    office.decide(("1", "hold", "why?"))
    for statement in ("delete from billing.audit_decisions", "update billing.audit_decisions set decision = 'hold'"):
        with pytest.raises(psycopg.errors.CheckViolation, match="append-only"):
            office.bench.state.execute(statement)


def hold(office: Office) -> list[str]:
    result = office.decide(("1", "hold", "Ask the customer"), name="hold.csv")
    assert (len(result.taken), result.problems) == (1, [])
    return result.notes


def approve(office: Office) -> None:
    assert len(office.decide(("1", "approve", ""), name="approve.csv", by="Bob").taken) == 1


def test_an_open_document_on_hold_is_held_when_it_closes_and_goes_on_once_approved(office: Office) -> None:
    queued(office, "1")
    (row,) = office.queue()
    hold(office)
    assert office.bench.states() == {"1": "open"}
    close_document(office.bench.source, office.bench.row("1")["document_id"])
    office.bench.stage()
    assert (office.bench.states(), office.bench.codes("1")) == ({"1": "held"}, ["AUDIT_HOLD"])
    assert office.bench.row("1")["findings"][0]["message"].endswith(": Ask the customer")
    before = office.bench.versions()
    office.bench.stage()
    assert office.bench.versions() == before, "it is not read and written again and again"
    approve(office)
    assert office.bench.states() == {"1": "held"}
    office.bench.stage()
    assert office.bench.states() == {"1": "ready"}
    assert row["state"] == "open"


@pytest.mark.parametrize("state", ["ready", "batched", "rejected"])
def test_a_hold_wins_at_once_against_whatever_no_run_has_locked(office: Office, state: str) -> None:
    queued(office, "1")
    close_document(office.bench.source, office.bench.row("1")["document_id"])
    office.bench.stage()
    if state != "ready":
        office.bench.advance("1", state)
    assert hold(office) == []
    row = office.bench.row("1")
    assert (row["state"], row["batch"], office.bench.codes("1")) == ("held", None, ["AUDIT_HOLD"])
    assert plan(office.bench.state, BatchSettings()) == []
    change_document(office.bench.source, row["document_id"], memo="another text")
    office.bench.stage()
    assert office.bench.states() == {"1": "held"}, "also when it changes at the source"
    office.decide(("1", "hold", "For another reason"), name="again.csv")
    assert office.bench.codes("1") == ["AUDIT_HOLD"]
    approve(office)
    office.bench.stage()
    assert (office.bench.states(), office.bench.codes("1")) == ({"1": "ready"}, [])


@pytest.mark.parametrize("default", ["read\\ committed", "repeatable\\ read", "serializable"])
def test_a_hold_that_is_decided_while_staging_reads_is_not_overruled_by_what_it_read(
    office: Office, default: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the database says of transactions. libpq puts PGOPTIONS into every connection."""
    monkeypatch.setenv("PGOPTIONS", f"-c default_transaction_isolation={default}")
    queued(office, "1")
    close_document(office.bench.source, office.bench.row("1")["document_id"])
    office.bench.stage(during=lambda _: hold(office))
    assert (office.bench.states(), office.bench.codes("1")) == ({"1": "held"}, ["AUDIT_HOLD"])


def test_a_document_held_for_something_else_keeps_that_finding(office: Office) -> None:
    insert_document(office.bench.source, "1", customer_no=None)
    office.audit(closed=True)
    hold(office)
    assert office.bench.codes("1") == ["CUSTOMER_MISSING", "AUDIT_HOLD"]
    office.bench.stage()
    assert office.bench.codes("1") == ["CUSTOMER_MISSING", "AUDIT_HOLD"]
    approve(office)
    office.bench.stage()
    assert office.bench.codes("1") == ["CUSTOMER_MISSING"]


def test_a_posted_document_cannot_be_held_and_that_is_said(office: Office) -> None:
    queued(office, "1")
    close_document(office.bench.source, office.bench.row("1")["document_id"])
    office.bench.stage()
    office.bench.advance("1", "posted")
    result = office.decide(("1", "hold", "too late"))
    assert result.taken == []
    assert "it is in NetSuite already and cannot be held" in str(result.problems[0])
    assert len(office.decide(("1", "comment", "to be credited"), name="second.csv").taken) == 1


def test_a_hold_on_what_a_run_has_says_that_it_may_be_late_and_never_waits_for_the_run(office: Office) -> None:
    queued(office, "1")
    close_document(office.bench.source, office.bench.row("1")["document_id"])
    office.bench.stage()
    (key,) = plan(office.bench.state, BatchSettings())
    with office.bench.state.transaction():
        lock(office.bench.state, DOCUMENTS, key, "run", 60, retry_rejected=False)
    (note,) = hold(office)
    assert "a run has it just now (locked)" in note
    assert office.bench.states() == {"1": "locked"}
