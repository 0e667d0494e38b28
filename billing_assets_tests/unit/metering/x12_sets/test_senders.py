"""What differs between senders is a setting, by the partner's name: nothing that is not certain is built in."""

import io

import pytest
from pydantic import ValidationError

from billing_assets.foundation.x12.partners import Partner, Partners
from billing_assets.metering.import_engine.formats import read_file
from billing_assets.metering.import_engine.messages import FileReport, SetMessage
from billing_assets.metering.import_engine.options import ReadOptions
from billing_assets.metering.import_engine.settings import MeteringSettings
from billing_assets_tests.unit.metering.x12_sets.written import CHARGES, a_group, a_set, an_interchange, changed


def partner(name: str, identifier: str, **more: str) -> Partner:
    found = {
        "qualifier": "01",
        "our_qualifier": "01",
        "our_identifier": "829000001",
        "our_group_identifier": "829000001",
    }
    return Partner.model_validate(
        found | {"name": name, "identifier": identifier, "group_identifier": identifier, "environment": "P"} | more
    )


def codes_and_references(settings: MeteringSettings, *files: bytes) -> list[tuple[list[str], str]]:
    partners = Partners(settings.partners)
    options = ReadOptions(sets_by_sender=lambda isa: settings.sets_of(partners.of(isa)))
    sets = read_file(io.BytesIO(b"".join(files)), FileReport(), options)
    return [(one.codes, one.keys["cross_reference"]) for one in sets if isinstance(one, SetMessage)]


def from_sender(identifier: str, control: str, body: str) -> bytes:
    data = an_interchange(a_group("IN", [a_set("810", body)]), control=control)
    return data.replace(b"*01*900000026      *", f"*01*{identifier:15}*".encode(), 1)


def test_each_interchange_of_a_file_is_read_as_its_sender_writes() -> None:
    settings = MeteringSettings.model_validate(
        {
            "partners": [partner("WIRES", "900000026"), partner("OTHER", "900000027", cross_reference="BIG06")],
            "sets": {"WIRES": {"charge_codes": ["BAS001"], "charge_kinds": ["QQ", "ME"]}},
        }
    )
    body = changed(CHARGES, "***U77001**ME", "***U77001*U88001*QQ")
    one, other = from_sender("900000026", "000000001", body), from_sender("900000027", "000000002", body)
    assert codes_and_references(settings, one, other) == [(["UNKNOWN_CHARGE"], "U77001"), (["R-CODE"], "U88001")]


def test_the_eastern_guides_have_their_own_clock() -> None:
    settings = MeteringSettings.model_validate({"partners": [partner("E", "900000028", profile="eastern")]})
    assert settings.sets_of(settings.partners[0]).zone == "America/New_York"
    assert settings.sets_of(None).zone == "America/Chicago"


def test_a_setting_that_there_is_not_is_refused() -> None:
    with pytest.raises(ValidationError, match="charge_code"):
        MeteringSettings.model_validate({"sets": {"WIRES": {"charge_code": ["BAS001"]}}})
    with pytest.raises(ValidationError, match="there is no partner WIRE"):
        MeteringSettings.model_validate({"partners": [partner("WIRES", "900000026")], "sets": {"WIRE": {}}})
