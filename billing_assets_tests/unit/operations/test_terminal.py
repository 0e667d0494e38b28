"""No text from outside colours or turns the terminal of a person, or looks like a line of ours."""

from io import StringIO

import pytest
import structlog

from billing_assets.foundation.commands.console import Terminal
from billing_assets.foundation.commands.tables import simple_table
from billing_assets.foundation.logs import configure_logs

NAME = "\x1b[31mPeel\u202e\x9b2J & Co\nPosted: 3 documents"
SHOWN = "[U+001B][31mPeel[U+202E][U+009B]2J & Co"


def test_a_name_is_shown_with_its_controls_as_codes_on_a_line_and_in_a_table() -> None:
    text = StringIO()
    console = Terminal(file=text, width=200, soft_wrap=True)
    console.print(NAME)
    console.print(NAME, markup=False, style="red")
    console.print(f"[red]{NAME}[/red]")
    table = simple_table(NAME, ["Name", NAME], right=())
    table.add_row(NAME, "חיפה 东京\ntwo")
    console.print(table)
    lines = text.getvalue().splitlines()
    assert lines[:3] == [f"{SHOWN}[U+000A]Posted: 3 documents"] * 3
    assert text.getvalue().count(SHOWN) == 6
    assert not {"\x1b", "\x9b", "\u202e"} & set(text.getvalue())
    assert "חיפה 东京" in text.getvalue()


def test_colours_of_our_own_stay() -> None:
    text = StringIO()
    Terminal(file=text, force_terminal=True, color_system="standard").print("[red]Not taken[/red]", highlight=False)
    assert text.getvalue() == "\x1b[31mNot taken\x1b[0m\n"


def test_a_name_in_a_log_line_for_people_stays_on_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    before = structlog.get_config()
    try:
        configure_logs("console")
        structlog.get_logger().warning("document_held", name=NAME)
        try:
            int(NAME)
        except ValueError:
            structlog.get_logger().exception("failed")
    finally:
        structlog.configure(**before)
    said = capsys.readouterr().err
    assert f"{SHOWN}[U+000A]Posted: 3 documents" in said.splitlines()[0]
    assert "\n  File " in said, "a traceback is of many lines"
    assert not {"\x1b", "\x9b", "\u202e"} & set(said)
