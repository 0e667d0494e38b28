"""From the text of a set to the facts that the machine works with."""

import io
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from billing_assets.metering.import_engine.message_store import as_json
from billing_assets.metering.import_engine.messages import FileReport, SetMessage
from billing_assets.metering.import_engine.options import DEFAULT
from billing_assets.metering.import_engine.x12_reader import read
from billing_assets.metering.usage.contents import content_hash, fact_of
from billing_assets.metering.usage.facts import Fact
from billing_assets.metering.usage.states import Kind, Purpose
from billing_assets_tests.unit.metering.usage.messages import JUNE, POINT
from billing_assets_tests.unit.metering.usage.x12 import charges_set, interchange, usage_set

ARRIVED = datetime(2026, 7, 6, 9, tzinfo=UTC)


def sets(*written: list[str], number: int = 4711) -> list[SetMessage]:
    report = FileReport()
    found = list(read(io.BytesIO(interchange(written, number)), DEFAULT, report))
    assert report.findings == [] or all(one.verdict != "refuse" for one in found), report.findings
    return found


def facts(*written: list[str]) -> list[Fact | None]:
    return [
        fact_of(number, one.type, as_json(one.content), one.codes, ARRIVED)
        for number, one in enumerate(sets(*written), 1)
    ]


def one(written: list[str]) -> Fact:
    (found,) = facts(written)
    assert found is not None
    return found


def test_usage_has_its_point_its_period_and_its_energy() -> None:
    found = one(usage_set("U1"))
    assert (found.kind, found.id, found.purpose, found.point) == (Kind.USAGE, "U1", Purpose.ORIGINAL, POINT)
    assert ((found.start, found.end), found.amount, found.codes) == (JUNE, Decimal(1150), ())
    assert (found.utility, found.sent_at) == ("900000026", datetime(2026, 7, 4, tzinfo=UTC))
    assert not found.estimated
    assert one(usage_set("U1", estimated=True)).estimated
    cancel = one(usage_set("X1", "01", of="U1"))
    assert (cancel.purpose, cancel.refers_to) == (Purpose.CANCEL, "U1")


def test_charges_have_their_total_in_the_currency_and_name_their_usage() -> None:
    found = one(charges_set("I1", names="U1"))
    assert (found.kind, found.id, found.cross_reference) == (Kind.CHARGES, "I1", "U1")
    assert (found.amount, found.alone, (found.start, found.end)) == (Decimal("43.21"), False, JUNE)
    assert one(charges_set("I2", "05", of="I1")).refers_to == "I1"
    misc = [part.replace("*ME*", "*26*") for part in charges_set("I3")]
    assert one(misc).alone
    assert one([part.replace("*ME*", "*FB*") for part in charges_set("I3")]).final


def test_what_its_reader_holds_is_held_by_that_code_and_a_warning_is_none() -> None:
    assert one(charges_set("I1", names="U1", total=4322)).codes == ("CHARGES_NOT_TOTAL",)
    unknown = [part.replace("*BAS001*", "*ODD*") for part in charges_set("I1", names="U1")]
    assert one(unknown).codes == ()


def test_a_copy_in_another_interchange_on_another_day_is_the_same_message() -> None:
    def hashed(*written: list[str], number: int = 4711) -> list[str]:
        return [content_hash(as_json(one.content)) for one in sets(*written, number=number)]

    (first,) = hashed(usage_set("U1"))
    assert hashed(charges_set("I1"), usage_set("U1", issued="20260709"), number=99)[1] == first
    for changed in (usage_set("U1", kwh=1160), usage_set("U1", period=(JUNE[0], date(2026, 7, 1)))):
        assert hashed(changed) != [first]


def test_an_867_with_reads_only_is_no_usage() -> None:
    content: dict[str, Any] = as_json(sets(usage_set("U1"))[0].content)
    assert fact_of(1, "867", content | {"purpose": "SU", "kind": "reads"}, (), ARRIVED) is None


def test_a_set_without_a_point_is_settled_alone() -> None:
    content: dict[str, Any] = as_json(sets(usage_set("U1"))[0].content)
    made = [fact_of(number, "867", content | {"point": ""}, ("NO_POINT",), ARRIVED) for number in (1, 2)]
    assert len({one.point for one in made if one is not None}) == 2
    assert [one.codes for one in made if one is not None] == [("NO_POINT",)] * 2
