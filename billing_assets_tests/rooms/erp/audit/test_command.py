"""`billing audit`: the queue out as a file, decisions in, and what is said about them."""

from pathlib import Path

from openpyxl import load_workbook

from billing_assets_tests.rooms.operations.test_cli import Command, machine
from proving.world.builders import insert_document
from proving.world.command import complete
from proving.world.system import PERIOD, System

__all__ = ["machine"]


def test_an_auditor_exports_decides_and_imports(machine: Command, system: System, tmp_path: Path) -> None:
    path = tmp_path / "the queue.xlsx"
    complete(
        machine("audit", "export", str(path)), 0, ["0 entries written", "The queue is made by the job audit_month"]
    )
    insert_document(system.source, "500001", status="open")
    insert_document(system.source, "500002", status="open")
    system.stage()
    system.run("audit_month", PERIOD)
    complete(machine("audit", "export", str(path), "--month", PERIOD), 0, ["2 entries written to", "the queue.xlsx"])
    book = load_workbook(path)
    sheet = book["Audit"]
    columns = {str(cell.value): place for place, cell in enumerate(sheet[1], start=1)}
    sheet.cell(2, columns["Decision"]).value, sheet.cell(2, columns["Comment"]).value = "hold", "Which contract?"
    sheet.cell(3, columns["Decision"]).value = "perhaps"
    book.save(path)
    wrong = machine("audit", "import", str(path), "--by", "Ann", "--strict")
    complete(wrong, 1, ["Taken: 0 decisions", "row 3, column Decision, “perhaps”: write approve", "Nothing was taken"])
    said = machine("audit", "import", str(path), "--by", "Ann")
    complete(said, 1, ["Taken: 1 decisions (0 approve, 1 hold, 0 comment)", "Not taken: row 3", "1 rows are wrong"])
    again = machine("audit", "import", str(path), "--by", "Ann")
    complete(again, 1, ["Taken: 0 decisions", "1 rows of this very file were taken before"])


def test_a_file_that_is_not_there_or_cannot_be_written_is_one_clear_message(machine: Command, tmp_path: Path) -> None:
    complete(machine("audit", "import", str(tmp_path / "none.csv"), "--by", "Ann"), 2, ["none.csv: No such file"])
    complete(machine("audit", "export", str(tmp_path / "none" / "a.csv")), 2, ["No such file or directory"])
    complete(machine("audit", "export", str(tmp_path / "a.pdf")), 2, ["must end in .xlsx or .csv"])
