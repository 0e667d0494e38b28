"""What holds for every interchange, whatever is in it and whatever divides it."""

from datetime import datetime

from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from billing_assets.foundation.x12.delimiters import Delimiters
from billing_assets.foundation.x12.interchange import Interchange
from billing_assets.foundation.x12.syntax import segments_of
from billing_assets.foundation.x12.writer import LAST_CONTROL, GroupToWrite, InterchangeToWrite, SetToWrite, write
from billing_assets_tests.unit.foundation.x12.samples import ISA, Found, found

modest = settings(max_examples=40, deadline=None, database=None, suppress_health_check=list(HealthCheck))

_PRINTED = [chr(one) for one in (*range(0x21, 0x7F), *range(0xA0, 0x100))]
_DIVIDING = [one for one in (*_PRINTED, "\x1c", "\x1d", "\x1e", "\x1f", "\x85", "\x07") if not one.isalnum()]
_IDS = st.from_regex("[A-Z][A-Z0-9]{1,2}", fullmatch=True).filter(
    lambda one: one not in {"ISA", "IEA", "GS", "GE", "ST", "SE"}
)


@st.composite
def delimiters(draw: st.DrawFn) -> Delimiters:
    element, component, segment = draw(
        st.tuples(st.sampled_from(_DIVIDING), st.sampled_from(_DIVIDING), st.sampled_from([*_DIVIDING, "\n", "\r"]))
    )
    assume(len({element, component, segment}) == 3)
    return Delimiters(element, component, segment)


@st.composite
def interchanges(draw: st.DrawFn) -> InterchangeToWrite:
    """An interchange of any sets. An element is never only blanks, which is what some strip."""
    used = draw(delimiters())
    letters = [one for one in (*_PRINTED, " ") if one not in used]
    texts = st.text(letters, max_size=8)
    identifiers = st.text([one for one in letters if one != " "], min_size=1, max_size=15)
    segment = st.tuples(_IDS, st.lists(texts, max_size=5)).map(lambda one: (one[0], *one[1]))
    groups = []
    for _ in range(draw(st.integers(0, 3))):
        count = draw(st.integers(0, 3))
        sets = [
            SetToWrite(
                draw(st.sampled_from(["867", "810", "850"])), f"{number:04}", draw(st.lists(segment, max_size=4))
            )
            for number in range(1, count + 1)
        ]
        kind = draw(st.sampled_from(["PT", "IN", "PO"]))
        groups.append(
            GroupToWrite(kind, draw(identifiers), draw(identifiers), draw(st.integers(1, LAST_CONTROL)), sets)
        )
    at = draw(st.datetimes(datetime(2001, 1, 1), datetime(2050, 1, 1)))  # noqa: DTZ001  a partner's clock
    control = draw(st.integers(1, LAST_CONTROL))
    return InterchangeToWrite(
        "ZZ", draw(identifiers), "01", draw(identifiers), control, "T", at, groups, delimiters=used
    )


def _again(read: Found, one: Interchange, at: datetime) -> InterchangeToWrite:
    """What was read, as it is to be written."""
    sets: dict[int, list[SetToWrite]] = {}
    for found_set in read.sets:
        body = [(segment.id, *segment.elements) for segment in found_set.segments[1:-1]]
        sets.setdefault(id(found_set.group), []).append(SetToWrite(found_set.type, found_set.control, body))
    groups = [
        GroupToWrite(
            group.type, group.sender, group.receiver, int(group.control), sets.get(id(group), []), group.version
        )
        for group in one.groups
    ]
    isa = one.isa
    return InterchangeToWrite(
        isa.sender_qualifier,
        isa.sender,
        isa.receiver_qualifier,
        isa.receiver,
        int(isa.control),
        isa.usage,
        at,
        groups,
        delimiters=isa.delimiters,
        version=isa.version,
        wants_ta1=isa.wants_ta1,
    )


@given(out=interchanges())
@modest
def test_what_is_written_is_read_and_written_again_to_the_same_bytes(out: InterchangeToWrite) -> None:
    data = write(out)
    read = found(data, rules={})
    (one,) = read.interchanges
    assert read.whole, [*read.codes, data]
    assert write(_again(read, one, out.written_at)) == data
    for found_set in read.sets:
        assert found_set.text.encode("latin-1") in data
        assert segments_of(found_set.text, out.delimiters, found_set.position) == found_set.segments


@given(out=interchanges(), data=st.data())
@modest
def test_cut_anywhere_it_is_refused(out: InterchangeToWrite, data: st.DataObject) -> None:
    whole = write(out)
    end = data.draw(st.integers(0, len(whole) - 1))
    cut = found(whole[:end], rules={})
    lost = whole[end:].decode("latin-1")
    assert cut.whole == (not lost.strip("\r\n"))


@given(out=interchanges(), other=delimiters())
@modest
def test_other_delimiters_carry_the_same(out: InterchangeToWrite, other: Delimiters) -> None:
    texts = [text for group in out.groups for one in group.sets for segment in one.segments for text in segment]
    names = [out.sender, out.receiver, *(name for group in out.groups for name in (group.sender, group.receiver))]
    assume(not any(one in text for one in other for text in (*texts, *names)))
    before, after = found(write(out), rules={}), found(write(out._replace(delimiters=other)), rules={})
    assert after.whole
    assert [one.segments for one in after.sets] == [one.segments for one in before.sets]


@given(out=interchanges(), data=st.data())
@modest
def test_a_changed_byte_never_stops_the_reader(out: InterchangeToWrite, data: st.DataObject) -> None:
    whole = bytearray(write(out))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    read = found(bytes(whole), rules={})
    assert read.end.segments >= len(read.interchanges)


@given(out=interchanges(), data=st.data())
@modest
def test_a_lost_segment_is_never_accepted_unseen(out: InterchangeToWrite, data: st.DataObject) -> None:
    """Whichever it is, some count or number no longer fits."""
    terminator = out.delimiters.segment.encode("latin-1")
    pieces = write(out).split(terminator)[:-1]
    lost = data.draw(st.integers(1, len(pieces) - 1))
    assert not found(terminator.join([*pieces[:lost], *pieces[lost + 1 :], b""]), rules={}).whole


@example(name="\xa0")
@example(name="\x85")
@given(name=st.text([*_PRINTED, "\x85", "\x1c"], min_size=1, max_size=15).filter(lambda one: not set(one) & set("*>~")))
@modest
def test_only_blanks_are_the_padding_of_an_identifier(name: str) -> None:
    read = found(ISA.replace("900000026      ", name.ljust(15)) + "IEA*0*000004711~", rules={})
    assert read.interchanges[0].isa.sender == name
