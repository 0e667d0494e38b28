"""The made corpus of X12, written from the specification by someone who had not read the reader: file by file."""

import io
import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from billing_assets.foundation.x12.acknowledgement import answers
from billing_assets.foundation.x12.envelope import Checks
from billing_assets.foundation.x12.partners import Partner, Partners
from billing_assets.foundation.x12.writer import write_set
from billing_assets.metering.import_engine.formats import read_file
from billing_assets.metering.import_engine.messages import FileReport, SetMessage, Severity
from billing_assets.metering.import_engine.offline_commands import as_object
from billing_assets.metering.import_engine.options import ReadOptions
from billing_assets.metering.import_engine.x12_sets.codes import ANSWERS
from billing_assets.metering.import_engine.x12_sets.options import SetOptions

CORPUS = Path(__file__).parents[3] / "data/x12_corpus"
CASES = sorted(path for path in CORPUS.glob("[0-9]*.json"))

LEFT_OUT = {
    "153-esi-not-ours": "whether a point is ours is not in the file: rooms/metering/usage/test_files.py plays it",
}
ANSWERS_LEFT_OUT = {"031-two-interchanges": "its second interchange has a group too, and gets a 997"}
"""Where the corpus is thought to be wrong, and why."""


def options_of(given: dict[str, Any]) -> ReadOptions:
    """What has to be configured first, as our settings have it."""
    sets = SetOptions(
        cross_reference="BIG06" if given.get("cross_reference") == "BIG06" else "BIG05",
        investor_owned=frozenset(given.get("investor_owned", ())),
    )
    if "partners" not in given:
        return ReadOptions(sets=sets)
    ours = given["receiver"]
    partners = [
        Partner(
            name=name,
            qualifier="01",
            identifier=name,
            our_qualifier="01",
            our_identifier=ours,
            group_identifier=name,
            our_group_identifier=ours,
            environment="P" if given["environment"] == "production" else "T",
        )
        for name in given["partners"]
    ]
    return ReadOptions(sets=sets, x12_checks=Checks(admit=Partners(partners).admit))


def differences(found: dict[str, Any], expected: dict[str, Any], warnings: set[str], where: str = "") -> Iterator[str]:
    """What is not as expected; what the corpus leaves open is not looked at."""
    codes = sorted(code for code in found["codes"] if code not in warnings)
    for key in ("verdict", "type", "control"):
        if key in expected and found[key] != expected[key]:
            yield f"{where}{key}: {found[key]} for {expected[key]} ({found['codes']})"
    if "codes" in expected and codes != expected["codes"]:
        yield f"{where}codes: {codes} for {expected['codes']}"
    if not set(expected.get("codes_include", ())) <= set(codes):
        yield f"{where}codes: {codes} without {expected['codes_include']}"
    for key, value in expected.get("keys", {}).items():
        got = found["keys"].get(key)
        if (got or "") != (str(value).lower() if isinstance(value, bool) else value or ""):
            yield f"{where}{key}: {got!r} for {value!r}"
    quantities = {unit: Decimal(value) for unit, value in expected.get("quantities", {}).items()}
    if "quantities" in expected and {unit: Decimal(one) for unit, one in found["quantities"].items()} != quantities:
        yield f"{where}quantities: {found['quantities']} for {expected['quantities']}"
    if expected.get("total") and Decimal(found["total"] or "NaN") != Decimal(expected["total"]):
        yield f"{where}total: {found['total']} for {expected['total']}"


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_every_file_comes_out_as_the_specification_says(path: Path) -> None:
    if path.stem in LEFT_OUT:
        pytest.skip(LEFT_OUT[path.stem])
    expected = json.loads(path.read_text(encoding="utf-8"))
    report, sets = FileReport(), []
    file = io.BytesIO(path.with_suffix(".x12").read_bytes())
    for one in read_file(file, report, options_of(expected.get("given", {}))):
        assert isinstance(one, SetMessage)
        sets.append({name: getattr(one, name) for name in ("type", "control", "codes", "keys", "quantities", "total")})
        sets[-1]["verdict"] = one.verdict.value
    wrong = [*of_the_file(as_object(path.stem, report, sets), sets, report, expected)]
    wrong += of_the_answers(report, expected, path.stem)
    assert wrong == [], expected["why"]


def of_the_file(
    found: dict[str, Any], sets: list[dict[str, Any]], report: FileReport, expected: dict[str, Any]
) -> Iterator[str]:
    """What differs in verdict, codes and sets."""
    warnings = {one.code for one in report.findings if one.severity is Severity.WARN}
    yield from differences(found, expected, warnings)
    if "verdict_in" in expected and found["verdict"] not in expected["verdict_in"]:
        yield f"verdict: {found['verdict']} is none of {expected['verdict_in']}"
    if "ack" in expected and found.get("ack") != expected["ack"]:
        yield f"ack: {found.get('ack')} for {expected['ack']}"
    if "sets" not in expected:
        return
    if len(sets) != len(expected["sets"]):
        yield f"{len(sets)} sets for {len(expected['sets'])}"
    for number, (one, other) in enumerate(zip(sets, expected["sets"], strict=False), 1):
        yield from differences(one, other, warnings, f"set {number}: ")


def of_the_answers(report: FileReport, expected: dict[str, Any], name: str) -> Iterator[str]:
    """What differs in the 997s that go back, and in the reason of an 824."""
    replies = [
        write_set(answer).rstrip("~").split("~")[1:-1]
        for interchange in report.interchanges
        for answer in answers(interchange)
    ]
    plain = [[one for one in reply if one[:3] not in {"AK3", "AK4"}] for reply in replies]
    if "997" in expected and name not in ANSWERS_LEFT_OUT and plain != expected["997"]:
        yield f"997: {plain} for {expected['997']}"
    for reply, wanted in zip(replies, expected.get("997_contains", ()), strict=False):
        if not set(wanted) <= set(reply):
            yield f"997: {reply} without {wanted}"
    if "824" in expected:
        holds = [one.code for one in report.findings if one.severity is Severity.HOLD]
        answer = ANSWERS.get(holds[0], "A13") if holds else None
        if answer != expected["824"]:
            yield f"824: {answer} for {expected['824']}"


def test_there_is_a_corpus() -> None:
    assert len(CASES) > 200
