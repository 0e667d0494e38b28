"""A pair of usage and charges as it should look, to the digit."""

from datetime import date
from decimal import Decimal

from billing_assets.metering.import_engine.x12_sets.charges import Charges
from billing_assets.metering.import_engine.x12_sets.usage_content import Usage
from billing_assets_tests.unit.metering.x12_sets.written import (
    CHARGES,
    POINT,
    USAGE,
    a_group,
    a_set,
    an_interchange,
    read,
)


def the_pair(usage_count: int | None = None) -> bytes:
    usage = a_group("PT", [a_set("867", USAGE, count=usage_count)], 4711)
    return an_interchange(usage, a_group("IN", [a_set("810", CHARGES)], 4712))


def test_a_pair_comes_out_to_the_digit_and_names_each_other() -> None:
    found = read(the_pair())
    usage, charges = found.sets
    assert (found.report.worst, found.report.acknowledgement, dict(found.report.counts)) == ("accept", "A", {})
    assert usage.keys == {
        "point": POINT,
        "id": "U77001",
        "purpose": "00",
        "start": "2026-06-03",
        "end": "2026-07-02",
        "report_type": "DD",
        "estimated": "false",
        "final": "false",
        "utility": "900000026",
    }
    assert (usage.verdict, usage.quantities, usage.total) == ("accept", {"KH": "1150"}, None)
    shared = {name: usage.keys[name] for name in ("point", "purpose", "start", "end", "final", "utility")}
    assert charges.keys == shared | {
        "id": "I88001",
        "kind": "ME",
        "cross_reference": "U77001",
        "due": "2026-07-25",
    }
    assert (charges.verdict, charges.quantities, charges.total) == ("accept", {}, "43.21")
    assert usage.text.startswith("ST*867*0001~BPT*00*U77001")
    assert usage.text.endswith("SE*20*0001~")


def test_the_pair_has_its_meter_with_multiplier_and_rollover_and_its_charges_in_cents() -> None:
    usage, charges = (one.content for one in read(the_pair()).sets)
    assert isinstance(usage, Usage)
    assert isinstance(charges, Charges)
    summary, meter = usage.loops
    (row,) = meter.rows
    assert (summary.type, meter.type, meter.meter, meter.meter_type, meter.role) == ("SU", "PL", "A1234", "KHMON", "A")
    assert (row.begin_read, row.end_read, row.multiplier, row.quantity) == (
        "99950",
        "00065",
        Decimal(10),
        Decimal(1150),
    )
    assert row.rolled_over
    assert (usage.start, usage.end, usage.is_estimated, usage.is_final) == (
        date(2026, 6, 3),
        date(2026, 7, 2),
        False,
        False,
    )
    assert [(one.code, one.amount, one.indicator, one.level) for one in charges.lines] == [
        ("BAS001", 450, "C", "METER"),
        ("DIS001", 3871, "C", "METER"),
    ]
    assert charges.amount == Decimal("43.21")
    assert {(one.start, one.end) for one in charges.lines} == {(date(2026, 6, 3), date(2026, 7, 2))}


def test_a_wrong_segment_count_refuses_the_usage_and_leaves_the_charges() -> None:
    found = read(the_pair(usage_count=19))
    usage, charges = found.sets
    assert (usage.verdict, usage.codes, usage.content, usage.quantities) == ("refuse", ["R-SE-COUNT"], None, {})
    assert usage.keys["point"] == POINT
    assert (charges.verdict, charges.total) == ("accept", "43.21")
    assert found.report.acknowledgement == "P"
    assert [group.acknowledgement for group in found.report.interchanges[0].groups] == ["R", "A"]
    assert found.report.interchanges[0].groups[0].results[0].errors == ("4",)
