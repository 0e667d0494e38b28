"""External ids: NetSuite takes them, and two documents never share one."""

from hypothesis import given
from hypothesis import strategies as st

from billing_assets.erp.documents.external_id import LONGEST, external_id, is_external_id

# Every character that can reach us, with more of those that meet in escapes and in numbers of documents.
numbers = st.text(
    st.one_of(st.sampled_from("_-0123456789ABCDEFabcdef /"), st.characters(exclude_categories=["Cs"])), min_size=1
)


@given(numbers)
def test_it_is_always_valid_and_in_capitals(number: str) -> None:
    result = external_id("INV-", number)
    assert is_external_id(result)
    assert result == result.upper()
    assert result.isascii()
    assert len(result) <= LONGEST


@given(numbers, numbers)
def test_two_numbers_never_share_one(one: str, other: str) -> None:
    assert (external_id("INV-", one) == external_id("INV-", other)) == (one == other)


@given(numbers.filter(lambda number: len(number) <= 16))
def test_it_can_be_read_back(number: str) -> None:
    escaped = external_id("", number)
    raw = bytearray()
    place = 0
    while place < len(escaped):
        if escaped[place] == "_":
            raw.append(int(escaped[place + 1 : place + 3], 16))
            place += 3
        else:
            raw += escaped[place].encode()
            place += 1
    assert raw.decode() == number


def test_numbers_as_they_are() -> None:
    assert external_id("INV-", "536365") == "INV-536365"
    assert external_id("CM-", "C536379") == "CM-C536379"


def test_what_netsuite_cannot_tell_apart_differs() -> None:
    numbers = ["C1", "c1", "C_1", "_631", "C 1", "C1 ", "Ç1", "C1\0"]
    assert len({external_id("CM-", number) for number in numbers}) == len(numbers)


def test_a_number_too_long_to_be_asked_for_has_a_short_one_of_its_own() -> None:
    emoji = ["\U0001f600" * 44 + last for last in ("1", "2", "_")]
    found = [external_id("INV-", number) for number in emoji]
    assert {len(one) for one in found} == {len("INV-__") + 64}
    assert len(set(found)) == 3


def test_a_text_with_anything_else_is_no_external_id() -> None:
    assert not any(map(is_external_id, ["", "inv-1", "INV 1", "INV-1\n", "Ä", "INV/1"]))
