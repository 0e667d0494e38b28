"""No float anywhere in the room: the syntax of every module is read."""

import ast
from pathlib import Path

import pytest

from billing_assets.invoicing import rating

MODULES = sorted(Path(rating.__file__).parent.glob("*.py"))
FLOATS = {"float", "float16", "float32", "float64", "double", "mean", "average", "true_divide", "divide"}


def floats_in(source: str) -> list[str]:
    """What makes or may make a float: literals, the type, numpy's types, and true division."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, float | complex):
            found.append(f"{node.lineno}: {node.value}")
        elif isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(node.op, ast.Div):
            found.append(f"{node.lineno}: /")
        elif isinstance(node, ast.Name) and node.id == "float":
            found.append(f"{node.lineno}: {node.id}")
        elif isinstance(node, ast.Attribute) and node.attr in FLOATS:
            found.append(f"{node.lineno}: {node.attr}")
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_no_module_of_rating_has_a_float(path: Path) -> None:
    assert floats_in(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("source", ["0.1", "1 / 3", "x /= 2", "float('1')", "values.astype(np.float64)", "np.mean(x)"])
def test_a_float_would_be_seen(source: str) -> None:
    assert floats_in(source)
