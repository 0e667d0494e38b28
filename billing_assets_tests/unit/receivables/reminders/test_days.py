"""A reminder's days are the customer's: around midnight, and where the clocks change."""

from datetime import UTC, date, datetime, time, timedelta
from email import message_from_bytes, policy
from zoneinfo import ZoneInfo

import pytest

from billing_assets.foundation.calendar.business_days import Zones
from billing_assets.foundation.shipped import shipped
from billing_assets.receivables.reminders.due import Hours, Place, Step, next_reminder
from billing_assets.receivables.reminders.message import written
from billing_assets.receivables.reminders.policy import load_policy
from billing_assets_tests.unit.foundation.calendar.test_business_days import BERLIN, LOS_ANGELES, SYDNEY, midnight
from billing_assets_tests.unit.receivables.reminders.test_message import made
from proving.world.reminders import DUE, contact, shipped_templates

DENVER = ZoneInfo("America/Denver")
OFFICE = Hours(time(9), time(17))
BEFORE, ON_IT = Step("before", -1, "t"), Step("due", 0, "t")

# Sundays.
CLOCK_CHANGES = [
    (LOS_ANGELES, date(2026, 3, 8)),
    (LOS_ANGELES, date(2026, 11, 1)),
    (BERLIN, date(2026, 3, 29)),
    (BERLIN, date(2026, 10, 25)),
    (SYDNEY, date(2026, 10, 4)),
    (SYDNEY, date(2026, 4, 5)),
]


@pytest.mark.parametrize(("zone", "sunday"), CLOCK_CHANGES)
def test_what_is_due_when_the_clocks_change_goes_out_at_nine_on_the_next_morning_there(
    zone: ZoneInfo, sunday: date
) -> None:
    place, monday = Place(zone, None, None), sunday + timedelta(days=1)
    for moment in (midnight(sunday, zone) - timedelta(minutes=1), midnight(monday, zone) - timedelta(minutes=1)):
        found = next_reminder((ON_IT,), sunday, {}, place, OFFICE, moment)
        assert found is not None
        assert (found.day, found.sends_at.astimezone(zone).isoformat()[:16]) == (monday, f"{monday}T09:00")


@pytest.mark.parametrize("zone", [LOS_ANGELES, BERLIN, SYDNEY])
def test_a_step_before_the_due_date_goes_out_to_the_end_of_that_days_business_hours(zone: ZoneInfo) -> None:
    """16:45 in Los Angeles is the day after in UTC already."""
    place = Place(zone, None, None)
    last = datetime.combine(DUE, time(16, 45), zone).astimezone(UTC)
    found = next_reminder((BEFORE,), DUE, {}, place, OFFICE, last)
    assert found is not None
    assert found.sends_at == last
    assert next_reminder((BEFORE,), DUE, {}, place, OFFICE, last + timedelta(minutes=15)) is None


@pytest.mark.parametrize("clock", [time(0), time(8, 30), time(16, 45), time(23, 59)])
@pytest.mark.parametrize("zone", [LOS_ANGELES, BERLIN, SYDNEY])
def test_a_letter_counts_the_days_overdue_to_the_customers_own_day(zone: ZoneInfo, clock: time) -> None:
    letter = made("overdue_7")._replace(place=Place(zone, None, None))
    now = datetime.combine(DUE + timedelta(days=7), clock, zone).astimezone(UTC)
    mail = message_from_bytes(written(letter, shipped_templates(), now), policy=policy.default)
    assert str(mail["Subject"]).endswith("is 7 days overdue")


def test_a_customer_whose_time_zone_is_not_known_has_its_branchs() -> None:
    ladder = load_policy(shipped("config/reminders.yaml"), Zones(BERLIN, {"USA": LOS_ANGELES}))
    russian = contact("1", country="RU")  # eleven zones, and it does not say which
    said = ladder.terms("USA").model_copy(update={"time_zone": "America/Denver"})
    for terms, zone in ((ladder.terms("USA"), LOS_ANGELES), (ladder.terms("Austria"), BERLIN), (said, DENVER)):
        assert ladder.place(russian, terms).time_zone == zone
