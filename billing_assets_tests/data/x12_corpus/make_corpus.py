"""Writes the corpus: `python -m billing_assets_tests.data.x12_corpus.make_corpus` makes every file;
`--check` compares with those that are there.

Plain Python, nothing of the product: the corpus is written from the specification, not from the parser.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

from billing_assets_tests.data.x12_corpus import (
    cases_answers,
    cases_charges,
    cases_eastern,
    cases_envelope,
    cases_intervals,
    cases_sets,
    cases_usage,
    sequences_pairing,
    sequences_pairs,
    sequences_versions,
)
from billing_assets_tests.data.x12_corpus.expecting import CASES, SEQUENCES, Case, Expected

HERE = Path(__file__).parent


def text_of(expected: Expected) -> bytes:
    return (json.dumps(expected, indent=1, ensure_ascii=False) + "\n").encode()


def check_counts(case: Case) -> None:
    """Stops when a file that should pass has a wrong count: the corpus must not be broken by accident."""
    data = case.data.decode("latin-1").lstrip("\xef\xbb\xbf")
    element, terminator = data[3], data[105]
    segments = [one.strip("\r\n").split(element) for one in data.split(terminator)]
    start = 0
    for at, one in enumerate(segments):
        if one[0] == "ST":
            start = at
        elif one[0] == "SE" and (at - start + 1 != int(one[1]) or one[2] != segments[start][2]):
            message = f"{case.number} {case.name}: SE{one[1:]}, {at - start + 1} segments"
            raise SystemExit(message)


def files() -> dict[str, bytes]:
    """Every file of the corpus by its path."""
    out: dict[str, bytes] = {}
    for one in sorted(CASES, key=lambda case: case.number):
        stem = f"{one.number:03d}-{one.name}"
        if f"{stem}.x12" in out or any(name.startswith(f"{one.number:03d}-") for name in out):
            message = f"number {one.number} twice"
            raise SystemExit(message)
        if one.expected.get("verdict") in {"accept", "hold"}:
            check_counts(one)
        out[f"{stem}.x12"], out[f"{stem}.json"] = one.data, text_of(one.expected)
    for number, sequence in enumerate(SEQUENCES, 1):
        folder = f"{600 + number}-{sequence.name}"
        out |= {f"{folder}/{at}.x12": data for at, data in enumerate(sequence.files, 1)}
        out[f"{folder}/expected.json"] = text_of(sequence.expected)
    return out


def main() -> None:
    for module in (
        cases_envelope,
        cases_answers,
        cases_usage,
        cases_intervals,
        cases_eastern,
        cases_charges,
        cases_sets,
        sequences_pairing,
        sequences_versions,
        sequences_pairs,
    ):
        module.add()
    wanted = files()
    there = {
        str(path.relative_to(HERE)): path
        for path in HERE.rglob("*")
        if path.is_file() and re.match(r"\d{3}-", str(path.relative_to(HERE)))
    }
    if "--check" in sys.argv:
        wrong = sorted(
            name
            for name in wanted.keys() | there.keys()
            if name not in wanted or name not in there or there[name].read_bytes() != wanted[name]
        )
        raise SystemExit("\n".join(["differs from the generator:", *wrong]) if wrong else 0)
    for name in there.keys() - wanted.keys():
        there[name].unlink()
        if there[name].parent != HERE and not any(there[name].parent.iterdir()):
            there[name].parent.rmdir()
    for name, data in wanted.items():
        (HERE / name).parent.mkdir(exist_ok=True)
        (HERE / name).write_bytes(data)
    print(f"{len(CASES)} files, {len(SEQUENCES)} sequences")


if __name__ == "__main__":
    main()
