"""Every error that we know has one root: no list by hand decides which is a message and which a traceback."""

import ast
from collections.abc import Iterator
from pathlib import Path

import billing_assets
from billing_assets.foundation.errors import BillingError, of_code

PACKAGE = Path(billing_assets.__file__).parent

OTHERS = {
    "BillingError",  # the root
    "Unwell",  # what the doctor finds
    "Unproven",
    "Unreadable",  # a value of one document, which becomes a finding
    "NotSentError",  # between the client and its connection
    "BrokenExchangeError",
    "NoColumnError",  # of a row or a head of a CSV export, which become findings
    "NotANumberError",
    "NotAStampError",
    "SkippedHourError",
    "FieldError",  # of a record of an extract, which becomes a finding
}
"""What is no error for people: it ends where it is caught."""


def without_root() -> Iterator[str]:
    """Public exceptions of ours with none but Python's as a base; sandboxes import nothing of ours."""
    for path in PACKAGE.rglob("*.py"):
        if "sandbox" in path.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                bases = {ast.unparse(base) for base in node.bases}
                if bases and bases <= {"Exception", "ValueError", "RuntimeError", "LookupError", "OSError"}:
                    yield node.name


def test_every_error_of_ours_has_the_root() -> None:
    assert set(without_root()) == OTHERS


def test_an_error_says_what_is_known_of_its_type() -> None:
    class ToyError(BillingError):
        system = "the toy"
        to_do = "Wind it up."

    class LostToyError(ToyError):
        retryable = True

    assert (LostToyError("Gone.").code, LostToyError.system, LostToyError.to_do, LostToyError.retryable) == (
        "LostToyError",
        "the toy",
        "Wind it up.",
        True,
    )
    assert of_code("LostToyError") is LostToyError
    assert not ToyError.retryable
    assert of_code("ValueError") is None
