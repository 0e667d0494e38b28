"""An interchange is let in from a partner, for us, and of the partner's environment; from no one else."""

from typing import Any

import pytest
from pydantic import ValidationError

from billing_assets.foundation.x12.envelope import Checks
from billing_assets.foundation.x12.partners import Partner, Partners, PartnersUnclearError
from billing_assets_tests.unit.foundation.x12.samples import PAIR, found


def _partner(**changes: Any) -> Partner:
    return Partner(
        **{
            "name": "Wires Co",
            "qualifier": "01",
            "identifier": "900000026",
            "our_qualifier": "01",
            "our_identifier": "829000001",
            "group_identifier": "900000026",
            "our_group_identifier": "8290000010000",
        }
        | changes
    )


_TEST = {"name": "Wires Co test", "identifier": "900000026T", "environment": "T"}


def _codes(text: str, *partners: Partner) -> list[str]:
    return found(text, Checks(admit=Partners(partners).admit)).codes


def test_an_interchange_of_a_partner_is_let_in() -> None:
    assert _codes(PAIR, _partner(), _partner(**_TEST)) == []
    test = PAIR.replace("900000026      ", "900000026T     ").replace("*0*P*", "*0*T*")
    assert _codes(test, _partner(), _partner(**_TEST)) == []


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("*01*900000026      *", "*01*900000027      *", "R-SENDER"),
        ("*01*900000026      *", "*ZZ*900000026      *", "R-SENDER"),
        ("*01*829000001      *", "*01*829000002      *", "R-RECEIVER"),
        ("*01*829000001      *", "*ZZ*829000001      *", "R-RECEIVER"),
        ("*0*P*", "*0*T*", "R-ENVIRONMENT"),
        ("*0*P*", "*0*I*", "R-ENVIRONMENT"),
    ],
)
def test_from_another_sender_to_another_receiver_or_of_another_environment_it_is_refused(
    old: str, new: str, code: str
) -> None:
    assert old in PAIR
    assert _codes(PAIR.replace(old, new, 1), _partner()) == [code]
    assert _codes(PAIR.replace(old, new, 1)) == ["R-SENDER"]


def test_one_sender_may_write_to_two_of_our_identifiers() -> None:
    both = Partners([_partner(), _partner(name="second", our_identifier="829000002")])
    (one,) = found(PAIR.replace("829000001      ", "829000002      ")).interchanges
    partner = both.of(one.isa)
    assert partner is not None
    assert partner.name == "second"
    assert both.named("Wires Co") == _partner()
    assert both.named("no one") is None
    assert both.admit(one.isa) == []


def test_partners_that_cannot_be_told_apart_are_refused() -> None:
    with pytest.raises(PartnersUnclearError, match="the name Wires Co"):
        Partners([_partner(), _partner(identifier="1234")])
    with pytest.raises(PartnersUnclearError, match="Wires Co and other"):
        Partners([_partner(), _partner(name="other")])


@pytest.mark.parametrize(
    "wrong",
    [
        {"identifier": "1" * 16},
        {"identifier": " 1"},
        {"identifier": ""},
        {"qualifier": "1"},
        {"group_identifier": "A B"},
        {"environment": "I"},
        {"segment_terminator": "*"},
        {"element_separator": "A"},
        {"element_separator": "-"},
        {"component_separator": ""},
        {"cross_reference": "BIG07"},
        {"acknowledge_within_hours": 0},
        {"advice_codes": {"R": "LONGER"}},
        {"further": 1},
    ],
)
def test_a_partner_that_could_not_be_written_to_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        _partner(**wrong)


def test_what_is_not_said_is_usual() -> None:
    one = _partner()
    assert (one.environment, one.profile, one.cross_reference, one.ta1, one.acknowledge_within_hours) == (
        "P",
        "texas",
        "BIG05",
        False,
        24,
    )
    assert "".join(one.delimiters) == "*>~"
