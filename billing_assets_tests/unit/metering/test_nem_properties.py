"""What holds for every NEM12 and NEM13 file, whatever is in it."""

import dataclasses
import io
import re
import zipfile
from decimal import Decimal
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nemreader import NEMFile

from billing_assets.metering.import_engine.messages import IntervalBlock, Message, Verdict
from billing_assets.metering.import_engine.nem import values
from billing_assets.metering.import_engine.nem.day_lines import DayLines
from billing_assets_tests.unit.metering.nem_files import FOLDER, STREAM, accepted, day, nem12, read
from billing_assets_tests.unit.metering.nem_writer import write

EXAMPLES = settings(max_examples=60, deadline=None)
FILES = st.sampled_from([name for name in accepted() if (FOLDER / name).exists()])
INTERVALS = FILES.filter(lambda name: "NEM12" in name.upper() and "empty" not in name)


@cache
def content(name: str) -> bytes:
    """What is in a file, unzipped."""
    data = (FOLDER / name).read_bytes()
    if not data.startswith(b"PK"):
        return data
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return archive.read(archive.namelist()[0])


def said(messages: list[Message]) -> list[dict[str, object]]:
    """Messages to compare, without their lines."""
    found = [{name.name: getattr(one, name.name) for name in dataclasses.fields(one)} for one in messages]
    for one in found:
        del one["line"]
        if "values" in one:
            one["values"] = list(one["values"])
    return found


@pytest.mark.parametrize("name", [name for name in accepted() if (FOLDER / name).exists()])
def test_what_is_written_from_messages_reads_as_the_same(name: str) -> None:
    messages, report = read(content(name))
    again, second = read(write(messages, report.header))
    assert said(again) == said(messages)
    assert {stream: one.sum for stream, one in second.streams.items()} == {
        stream: one.sum for stream, one in report.streams.items()
    }
    assert second.quality == report.quality


@given(FILES, st.floats(0, 1))
@EXAMPLES
def test_a_file_that_is_cut_off_is_refused(name: str, share: float) -> None:
    whole = content(name)
    end = int(share * len(whole))
    messages, report = read(whole[:end])
    if whole[end:].strip():
        assert report.worst is Verdict.REFUSE
    else:
        assert said(messages) == said(read(whole)[0])


@pytest.mark.parametrize(
    "name", ["sample/Example_NEM12_multiple_quality.csv", "sample/Example_NEM13_forward_estimate.csv"]
)
def test_a_file_that_is_cut_off_anywhere_is_refused(name: str) -> None:
    whole = content(name).rstrip()
    for end in range(len(whole)):
        assert read(whole[:end])[1].worst is Verdict.REFUSE, whole[:end][-40:]
    assert read(whole)[1].worst is Verdict.ACCEPT


@given(INTERVALS, st.data())
@EXAMPLES
def test_a_changed_digit_changes_one_reading(name: str, data: st.DataObject) -> None:
    whole = content(name)
    days = list(re.finditer(rb"(?m)^300,[0-9]{8},((?:[0-9.]+,)+)[AENFSV]", whole))
    row = data.draw(st.sampled_from(days))
    at = data.draw(st.sampled_from([n for n in range(row.start(1), row.end(1)) if whole[n : n + 1].isdigit()]))
    digit = data.draw(st.sampled_from([n for n in b"0123456789" if n != whole[at]]))
    before, _ = read(whole)
    after, report = read(whole[:at] + bytes([digit]) + whole[at + 1 :])
    assert report.worst is Verdict.ACCEPT
    different = [
        (one, other)
        for block, changed in zip(before, after, strict=True)
        if isinstance(block, IntervalBlock) and isinstance(changed, IntervalBlock)
        for one, other in zip(block.values, changed.values, strict=True)
        if one != other
    ]
    assert len(different) == 1


@given(INTERVALS, st.randoms(use_true_random=False))
@EXAMPLES
def test_the_order_of_blocks_and_days_changes_no_total(name: str, random) -> None:  # type: ignore[no-untyped-def]
    lines = content(name).splitlines()
    first = next(n for n, line in enumerate(lines) if line.startswith(b"200"))
    last = next(n for n, line in enumerate(lines) if line.startswith(b"900"))
    blocks: list[list[list[bytes]]] = []
    for line in lines[first:last]:
        if line.startswith(b"200"):
            blocks.append([[line]])
        elif line.startswith(b"300"):
            blocks[-1].append([line])
        else:
            blocks[-1][-1].append(line)
    random.shuffle(blocks)
    mixed: list[bytes] = []
    for head, *days in blocks:
        random.shuffle(days)
        mixed += [line for part in (head, *days) for line in part]
    before, after = (read(b"\n".join(one))[1] for one in (lines, [*lines[:first], *mixed, *lines[last:]]))
    assert after.worst is before.worst is Verdict.ACCEPT
    assert after.quality == before.quality
    assert {stream: (one.readings, one.sum, one.first, one.last) for stream, one in after.streams.items()} == {
        stream: (one.readings, one.sum, one.first, one.last) for stream, one in before.streams.items()
    }


@pytest.mark.parametrize("name", [name for name in accepted() if (FOLDER / name).exists()])
def test_another_reader_agrees_on_every_value(name: str) -> None:
    theirs = NEMFile(str(Path(FOLDER, name)), strict=True).nem_data().readings
    messages, _ = read(content(name))
    ours: dict[tuple[str, str], list[float]] = {}
    for one in messages:
        where = ours.setdefault((one.stream.point, one.stream.suffix), [])  # type: ignore[union-attr]
        if isinstance(one, IntervalBlock):
            where += (float(Decimal(int(value)).scaleb(-one.decimals)) for value in one.values)
        else:
            where.append(float(one.facts["Quantity"]))  # type: ignore[union-attr]
    assert {
        (nmi, suffix): sorted(one.read_value for one in found)
        for nmi, channels in theirs.items()
        for suffix, found in channels.items()
    } == {key: sorted(found) for key, found in ours.items()}


NUMBERS = st.one_of(
    st.decimals(0, 10**9, places=3).map(str),
    st.decimals(0, 10**4).filter(lambda one: "E" not in str(one) and len(str(one)) < 17).map(str),
    st.integers(0, 10**15 - 1).map(str),
    st.from_regex(r"[0-9]{1,6}(\.[0-9]{0,9})?|\.[0-9]{1,9}", fullmatch=True).map(lambda one: one[:15]),
)


@given(st.lists(NUMBERS, min_size=48, max_size=48))
@EXAMPLES
def test_every_number_is_taken_exactly_as_written(numbers: list[str]) -> None:
    messages, report = read(nem12(STREAM, day(values=",".join(numbers))))
    places = max(len(one.partition(".")[2]) for one in numbers)
    if max(Decimal(one).scaleb(places) for one in numbers) >= 2**63:
        assert "the whole day" in report.findings[0].sentence
        return
    (block,) = messages
    assert isinstance(block, IntervalBlock)
    assert [Decimal(int(one)).scaleb(-block.decimals) for one in block.values] == [Decimal(one) for one in numbers]
    (total,) = report.streams.values()
    assert total.sum == sum(map(Decimal, numbers))


@given(st.lists(NUMBERS, min_size=1, max_size=5), st.integers(0, 6))
@EXAMPLES
def test_the_fast_way_and_the_slow_one_agree(numbers: list[str], guess: int) -> None:
    line = ",".join(numbers).encode()
    quick = values.fast(line.split(b","), line, 0, len(line), guess)
    slow = values.slow(numbers, [])
    if quick is not None:
        assert slow is not None
        assert (list(quick[0]), quick[1:]) == (list(slow[0]), slow[1:])


LINES = st.one_of(
    st.sampled_from([STREAM, day(), day(tail="V,,,20050316014209,"), "400,1,48,A,,", "500,N,,20050316000001,1", "900"]),
    st.sampled_from(["250,", "550,N,,A,", "", ",,", "200," * 9, "300,20050315," + "1," * 52, "400,1,99999999999,A"]),
    st.text(max_size=60),
    st.from_regex(r"[1-9]00,[0-9A-Z,. -]{0,80}", fullmatch=True),
)


@given(
    st.lists(LINES, max_size=8), st.binary(max_size=20), st.sampled_from([b"100,NEM12,", b"100,NEM13,", b"900", b""])
)
@settings(max_examples=200, deadline=None)
def test_nothing_in_a_file_raises(lines: list[str], junk: bytes, start: bytes) -> None:
    data = start + "\r\n".join(lines).encode("utf-8", "surrogatepass") + junk
    messages, report = read(data)
    assert (report.worst is Verdict.REFUSE) == any(code.startswith("R-") for code in report.counts)
    assert all(one.sentence for one in report.findings)
    if report.worst is Verdict.ACCEPT:
        days = [one for one in messages if isinstance(one, IntervalBlock)]
        assert all(len(one.values) * one.stream.length_seconds == 86_400 for one in days)


@given(st.lists(st.sampled_from([1, *range(700_000, 700_140, 19), 3_000_000]), min_size=10, max_size=60))
@EXAMPLES
def test_a_day_is_known_again_whatever_days_were_between(days: list[int]) -> None:
    known: dict[int, int] = {}
    lines = DayLines()
    for line, one in enumerate(days, 1):
        assert lines.put(one, line) == known.get(one, 0)
        known.setdefault(one, line)
