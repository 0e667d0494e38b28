"""Reads of registers that a person gives, or has estimated."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from billing_assets.decisions.store import Subject, history
from billing_assets.foundation.database.connection import Connection
from billing_assets.metering.validation import store
from billing_assets.metering.validation.clerk_reads import edit_read, estimate_read
from billing_assets.metering.validation.series import EditError
from billing_assets_tests.rooms.metering.validation.points import (
    AUGUST,
    JULY,
    POINT,
    TODAY,
    judge,
    master_data,
    reads,
    take,
)

CLERK = "A. Clerk"
JUNE = date(2026, 6, 1)


@pytest.fixture
def point(state: Connection) -> Connection:
    """A point whose register was read until 1 July: 310 kWh in July of last year, 240 in June."""
    master_data(state)
    last_year = reads(date(2025, 7, 1), date(2025, 8, 1), "00500", "00810")
    take(state, last_year, reads(JUNE, JULY, "04000", "04240"))
    return state


def counting(state: Connection, day: date) -> dict[str, Any]:
    """The reads that count of the period that ends on a day."""
    (row,) = state.execute(
        """
        select * from billing.register_readings where state = 'current' and ends_at = %s::date - interval '10 hours'""",
        [day],
    ).fetchall()
    return row


def test_a_read_that_did_not_come_is_estimated_by_the_same_days_of_last_year(point: Connection) -> None:
    done = estimate_read(point, POINT, "11", AUGUST, CLERK, "No access.", today=TODAY)
    row = counting(point, AUGUST)
    assert (row["begin_read"], row["end_read"], row["quantity"]) == ("04240", "04550", Decimal(310))
    assert (row["origin"], row["method"], row["end_quality"]) == ("estimate", "previous year", "E")
    assert (row["decision"], row["inputs"]["daily"]) == (done.decision, "10")
    with pytest.raises(EditError, match="was read on 2026-08-01"):
        estimate_read(point, POINT, "11", AUGUST, CLERK, "Again.", today=TODAY)


def test_without_last_year_the_last_90_days_are_taken(point: Connection) -> None:
    september = date(2026, 9, 1)
    take(point, reads(JULY, AUGUST, "04240", "04550"))
    done = estimate_read(point, POINT, "11", september, CLERK, "No access.", today=TODAY)
    assert done.methods == ("average daily load",)
    # 240 in the 30 days of June and 310 in the 31 of July: 550 / 61 * 31 = 279.5
    assert counting(point, september)["quantity"] == 280


def test_what_cannot_be_estimated_is_left_to_a_person(point: Connection) -> None:
    with pytest.raises(EditError, match="No register reads have come"):
        estimate_read(point, POINT, "99", AUGUST, CLERK, "x", today=TODAY)
    assert not history(point, Subject.METER_DATA)


def test_the_actual_read_takes_the_place_of_the_estimate(point: Connection) -> None:
    estimate_read(point, POINT, "11", AUGUST, CLERK, "No access.", today=TODAY)
    take(point, reads(JULY, AUGUST, "04240", "04500"))
    assert (counting(point, AUGUST)["end_read"], counting(point, AUGUST)["origin"]) == ("04500", "message")


def test_a_read_that_was_misread_is_given_by_a_person_and_judged_again(point: Connection) -> None:
    take(point, reads(JULY, AUGUST, "04240", "01450"))
    judge(point)
    assert [one["rule"] for one in store.findings(point) if one["rule"] == "NEGATIVE"] == ["NEGATIVE"] * 2
    edit_read(point, POINT, "11", AUGUST, "04550", CLERK, "The photo shows 04550.", today=TODAY)
    row = counting(point, AUGUST)
    assert (row["origin"], row["end_read"], row["quantity"], row["end_quality"]) == ("edit", "04550", 310, "F")
    assert not [one for one in store.findings(point) if one["rule"] == "NEGATIVE"]
    (said,) = history(point, Subject.METER_DATA)
    assert (said.decision, said.why) == ("read 01450 edited to 04550", "The photo shows 04550.")
    with pytest.raises(EditError, match="would have gone back"):
        edit_read(point, POINT, "11", AUGUST, "00001", CLERK, "x", today=TODAY)


def test_the_multiplier_of_the_device_is_used_and_another_one_of_the_file_is_found(point: Connection) -> None:
    point.execute("insert into billing.meters (point, serial, valid_from) values (%s, 'M1', '2020-01-01')", [POINT])
    point.execute(
        """
        insert into billing.registers (point, serial, register, suffix, digits, multiplier, valid_from)
        values (%s, 'M1', '1', '11', 5, 40, '2020-01-01')""",
        [POINT],
    )
    by_file = reads(JULY, AUGUST, "04240", "04250")
    by_file.explained = "equal"
    take(point, by_file)
    judge(point)
    (one,) = store.findings(point, rule="MULTIPLIER")
    assert (one["observed"], one["allowed"]) == ("1", "40")
