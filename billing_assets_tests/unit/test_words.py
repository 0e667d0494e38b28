"""Plain English: words that a native reader stumbles over stay out of everything that people read."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

INSTEAD = {
    r"anew": "again",
    r"mend(s|ed|ing)?": "fix",
    r"whoever": "name who it is: the run, the person, an engineer",
    r"nobody": "no one, or say what is not the case",
    r"by itself": "automatically, on its own, separately",
    r"held against": "compared with",
    r"told of": "is reported",
    r"stands? in": "is in",
    r"likes of": "such as",
    r"again changes nothing": "safe to repeat",
}
"""What to avoid, and what to write instead."""

_HOLDS = re.compile("|".join(rf"\b({word})\b" for word in INSTEAD), re.IGNORECASE)
_FOLDERS = ("billing_assets", "proving/benchmarks", "config", "deploy", "docs", "sql")
_ENDINGS = {".md", ".py", ".yaml", ".j2", ".typ", ".sql"}
_USER = "foundation/database/server_programs.py"  # `nobody` is a user of the system


def prose() -> Iterator[Path]:
    """Everything that we write for people, comments included; not what is generated or from elsewhere."""
    yield from ROOT.glob("*.md")
    for folder in _FOLDERS:
        for path in sorted((ROOT / folder).rglob("*")):
            if (
                path.suffix in _ENDINGS
                and not path.as_posix().endswith(_USER)
                and "sandbox/data" not in path.as_posix()
            ):
                yield path


@pytest.mark.parametrize("text", ["Made anew.", "Nobody knows.", "It goes by itself."])
def test_the_list_finds_what_it_names(text: str) -> None:
    assert _HOLDS.search(text)


def test_no_word_of_the_list_is_in_anything_that_people_read() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{number}: {hit[0]}"
        for path in prose()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if (hit := _HOLDS.search(line))
    ]
    assert found == []
