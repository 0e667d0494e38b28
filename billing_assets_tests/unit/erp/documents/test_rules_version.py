"""An upgrade judges every document again exactly when the code that judges changed: `RULES_VERSION` says so."""

import ast
import hashlib
import re
from pathlib import Path

import pytest

from billing_assets.erp.documents import rules
from billing_assets.erp.netsuite import mapping

RECORDED = {1: "81af6189d256ad2c"}
"""What judges, by version of the rules. After a change: count `RULES_VERSION` up and add the new digest here."""

_FIELDS = {"annotation", "returns", "type_params", "type_comment", "kind", "type_ignores", "ctx"}


def what_judges(*texts: str) -> str:
    """A digest of code without what judges nothing: comments, docstrings, types, imports and words for people."""
    return hashlib.sha256("".join(_told(ast.parse(text)) for text in texts).encode()).hexdigest()[:16]


def _told(node: object) -> str:
    match node:
        case ast.Expr(value=ast.Constant()) | ast.Import() | ast.ImportFrom() | None:
            return ""
        case ast.Constant(value=str(text)) if re.search(r"[a-z.,:;] |^ [a-z]", text):
            return "words"
        case ast.Constant(value=value):
            return repr(value)
        case ast.AST():
            fields = (_told(value) for name, value in ast.iter_fields(node) if name not in _FIELDS)
            return f"{type(node).__name__}({''.join(fields)})"
        case list():
            return "".join(map(_told, node))
        case _:
            return f"{node};"


def test_the_version_of_the_rules_counts_up_with_the_code_that_judges() -> None:
    texts = [Path(str(module.__file__)).read_text(encoding="utf-8") for module in (rules, mapping)]
    assert RECORDED.get(rules.RULES_VERSION) == what_judges(*texts), (
        "the code that judges documents changed: count RULES_VERSION in erp/documents/rules.py up and record the digest"
    )


CODE = '''
def judged(total: int) -> str:
    """What is wrong."""
    return finding("SIGN", "total", f"It is {total}.") if total < 0 else ""
'''


@pytest.mark.parametrize(
    ("was", "now"),
    [
        ('"""What is wrong."""', '"""What is not right."""'),
        ("It is {total}.", "The total is {total}."),
        ("int", "float"),
    ],
)
def test_another_word_or_type_judges_no_document_again(was: str, now: str) -> None:
    assert what_judges(CODE) == what_judges(CODE.replace(was, now) + "# a comment\n")


@pytest.mark.parametrize(
    ("was", "now"), [("< 0", "<= 0"), ("SIGN", "OTHER"), ('"total"', '"amount"'), ("finding", "found")]
)
def test_another_comparison_code_or_field_does(was: str, now: str) -> None:
    assert what_judges(CODE) != what_judges(CODE.replace(was, now))
