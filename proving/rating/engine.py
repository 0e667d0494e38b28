"""The engine from outside: `billing rate CASE… --json`, cases as bytes in, answers as parsed JSON out."""

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

import typer
from typer.testing import CliRunner

from billing_assets.operations.cli import command_line
from proving.rating.bill import Json


class NoAnswerError(Exception):
    """The engine gave no answer: a refusal of the case, or a crash."""


def there() -> bool:
    """Whether this version has the command."""
    group = typer.main.get_command(command_line())
    return "rate" in getattr(group, "commands", {})


def rate(case: Json) -> Json:
    """The engine's answer for one case.

    Raises:
        NoAnswerError: the command did not end with an answer; the text says how it ended.

    """
    return answers([case])[0]


def answers(cases: Sequence[Json]) -> list[Json]:
    """The engine's answers, each case from a file of its own, in one process."""
    app = command_line()
    found = []
    with tempfile.TemporaryDirectory(prefix="billing-rating-") as folder:
        path = Path(folder) / "case.json"
        for case in cases:
            path.write_text(json.dumps(case), encoding="utf-8")
            result = CliRunner().invoke(app, ["rate", str(path), "--json"])
            if result.exit_code != 0 or not result.stdout.strip():
                raise NoAnswerError(f"exit {result.exit_code}: {result.exception!r} {result.output[-400:]}")
            found.append(_only(json.loads(result.stdout)))
    return found


def _only(answer: Json | list[Json]) -> Json:
    return answer[0] if isinstance(answer, list) else answer
