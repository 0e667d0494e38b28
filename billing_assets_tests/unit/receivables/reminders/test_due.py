"""When reminders go out, over all clocks, calendars and outages that Hypothesis thinks of."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing_assets.foundation.calendar.business_days import is_business_day
from billing_assets.receivables.reminders.due import (
    MARGIN,
    Hours,
    Next,
    Noted,
    Place,
    Step,
    might_be_due,
    next_opening,
    next_reminder,
    step_day,
)

LADDER = tuple(Step(name, days, "t") for name, days in [("before", -2), ("due", 0), ("week", 7), ("fortnight", 14)])
LONDON = Place(ZoneInfo("Europe/London"), "GB", None)
OFFICE = Hours(time(9), time(17))
SENT = Noted("sent", None)

ZONES = [
    "Europe/London",
    "America/New_York",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "Asia/Kathmandu",
    "America/St_Johns",
]
COUNTRIES = [
    ("GB", None),
    ("GB", "SCT"),
    ("DE", "BY"),
    ("DE", "??"),
    ("SA", None),
    ("IL", None),
    ("US", "CA"),
    ("XX", None),
]
places = st.builds(
    lambda zone, where: Place(ZoneInfo(zone), *where),
    st.sampled_from(ZONES),
    st.sampled_from([*COUNTRIES, (None, None)]),
)
days = st.dates(date(2009, 12, 1), date(2030, 12, 31))
moments = st.datetimes(datetime(2009, 12, 1), datetime(2030, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001
hours = st.tuples(st.integers(0, 22), st.integers(1, 8)).map(lambda x: Hours(time(x[0]), time(min(x[0] + x[1], 23))))
ladders = st.sets(st.integers(-30, 60), min_size=1, max_size=5).map(
    lambda found: tuple(Step(f"s{n}", n, "t") for n in sorted(found))
)


def local(found: Next, place: Place) -> datetime:
    return found.sends_at.astimezone(place.time_zone)


@given(places, hours, moments)
def test_it_goes_out_in_local_business_hours_of_a_business_day_and_not_in_the_past(
    place: Place, office: Hours, now: datetime
) -> None:
    opens = next_opening(now, place, office)
    there = opens.astimezone(place.time_zone)
    assert opens >= now
    assert is_business_day(there.date(), place.country, place.region)
    assert there.time() < office.closes
    # Where the clocks are put forward over the opening, the office opens when they have been.
    assert (
        there.time() >= office.opens
        or there.utcoffset() != (opens - timedelta(hours=3)).astimezone(place.time_zone).utcoffset()
    )


@given(places, hours, moments)
def test_nobody_waits_for_the_next_day_while_the_office_is_open(place: Place, office: Hours, now: datetime) -> None:
    opens = next_opening(now, place, office)
    assert next_opening(opens, place, office) == opens
    assert opens - now < timedelta(days=20)


@given(places, days, st.integers(-30, 60))
def test_a_step_before_the_due_date_moves_back_to_a_business_day_and_any_other_forward(
    place: Place, due_date: date, offset: int
) -> None:
    nominal = due_date + timedelta(days=offset)
    day = step_day(Step("s", offset, "t"), due_date, place)
    assert is_business_day(day, place.country, place.region)
    between = (min(day, nominal), max(day, nominal))
    assert day <= nominal if offset < 0 else day >= nominal
    skipped = [between[0] + timedelta(days=n) for n in range((between[1] - between[0]).days + 1)]
    assert not any(is_business_day(one, place.country, place.region) for one in skipped if one != day)
    assert abs(day - nominal) < MARGIN


def outages() -> st.SearchStrategy[list[int]]:
    """Half hours between two looks: mostly one, at times days."""
    return st.lists(st.one_of(st.just(1), st.integers(2, 48 * 12)), min_size=60, max_size=60)


@settings(max_examples=40, deadline=None)
@given(places, ladders, days, outages(), st.integers(0, 12))
def test_over_all_outages_each_step_goes_out_once_in_order_and_never_two_at_once(
    place: Place, ladder: tuple[Step, ...], due_date: date, gaps: list[int], early: int
) -> None:
    noted: dict[str, Noted] = {}
    sent: list[tuple[datetime, Step]] = []
    now = datetime.combine(due_date, time(), UTC) - timedelta(days=35 + early)
    for gap in gaps:
        found = next_reminder(ladder, due_date, noted, place, OFFICE, now)
        if found is not None and found.sends_at == now:
            assert found.step.name not in noted
            assert found.day <= local(found, place).date()
            assert not (found.step.days < 0 and local(found, place).date() > due_date)
            noted[found.step.name] = SENT
            noted |= {step.name: Noted("skipped", None) for step in found.passed_over}
            sent.append((now, found.step))
        now += timedelta(minutes=30 * gap)
    offsets = [step.days for _, step in sent]
    assert offsets == sorted(set(offsets))
    assert len({moment for moment, _ in sent}) == len(sent)
    rest = next_reminder(ladder, due_date, noted, place, OFFICE, now)
    last = rest.step if rest else sent[-1][1] if sent else None
    assert last == ladder[-1] or ladder[-1].days < 0 or (rest is not None and rest.sends_at >= now)


@given(places, ladders, days, moments, st.dictionaries(st.integers(0, 4), st.sampled_from(["sent", "deferred"])))
def test_the_cheap_look_never_leaves_out_what_is_due(
    place: Place, ladder: tuple[Step, ...], due_date: date, now: datetime, done: Mapping[int, str]
) -> None:
    noted = {ladder[n].name: Noted(state, now) for n, state in done.items() if n < len(ladder)}
    found = next_reminder(ladder, due_date, noted, place, OFFICE, now)
    if found is not None:
        assert might_be_due(ladder, due_date, noted, found.sends_at.date() + timedelta(days=1))


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_after_days_without_a_daemon_the_latest_step_goes_out_and_the_earlier_ones_are_passed_over() -> None:
    found = next_reminder(LADDER, date(2026, 11, 4), {}, LONDON, OFFICE, at("2026-11-12T10:00"))
    assert found is not None
    assert found.step.name == "week"
    assert found.sends_at == at("2026-11-12T10:00")
    assert [step.name for step in found.passed_over] == ["before", "due"]


def test_a_step_before_the_due_date_is_not_sent_after_it() -> None:
    only_before = LADDER[:1]
    assert next_reminder(only_before, date(2026, 11, 4), {}, LONDON, OFFICE, at("2026-11-04T10:00")) is not None
    assert next_reminder(only_before, date(2026, 11, 4), {}, LONDON, OFFICE, at("2026-11-05T10:00")) is None


def test_a_mail_that_was_put_off_goes_again_when_its_time_has_come_unless_the_next_step_has() -> None:
    put_off = {"due": Noted("deferred", at("2026-11-05T10:30")), "before": SENT}
    found = next_reminder(LADDER, date(2026, 11, 4), put_off, LONDON, OFFICE, at("2026-11-05T10:00"))
    assert found is not None
    assert (found.step.name, found.sends_at) == ("due", at("2026-11-05T10:30"))
    later = next_reminder(LADDER, date(2026, 11, 4), put_off, LONDON, OFFICE, at("2026-11-11T10:00"))
    assert later is not None
    assert later.step.name == "week"
    assert [step.name for step in later.passed_over] == ["due"]


def test_what_fell_due_before_one_began_is_never_sent() -> None:
    began = date(2026, 11, 10)
    found = next_reminder(LADDER, date(2026, 11, 4), {}, LONDON, OFFICE, at("2026-11-10T10:00"), began)
    assert found is not None
    assert (found.step.name, found.passed_over) == ("week", ())
    old = next_reminder(LADDER, date(2026, 1, 5), {}, LONDON, OFFICE, at("2026-11-10T10:00"), began)
    assert old is None


@pytest.mark.parametrize(
    ("zone", "day", "opens"),
    [
        ("Europe/London", "2026-03-27", "2026-03-27T09:00"),  # winter time
        ("Europe/London", "2026-03-30", "2026-03-30T08:00"),  # the clocks went forward on the 29th
        ("America/New_York", "2026-10-30", "2026-10-30T13:00"),
        ("America/New_York", "2026-11-02", "2026-11-02T14:00"),  # and back on the 1st
        ("Asia/Kathmandu", "2026-11-02", "2026-11-02T03:15"),
    ],
)
def test_nine_in_the_morning_is_nine_there_whatever_the_clocks_do(zone: str, day: str, opens: str) -> None:
    place = Place(ZoneInfo(zone), None, None)
    midnight = datetime.combine(date.fromisoformat(day), time(), place.time_zone).astimezone(UTC)
    assert next_opening(midnight, place, OFFICE) == at(opens)


@pytest.mark.parametrize(
    ("country", "region", "day", "works"),
    [
        ("GB", None, "2026-12-25", False),
        ("DE", "BY", "2026-01-06", False),  # Epiphany is a holiday in Bavaria
        ("DE", "BE", "2026-01-06", True),  # and not in Berlin
        ("DE", "nowhere", "2026-10-03", False),
        ("SA", None, "2026-11-06", False),  # a Friday
        ("SA", None, "2026-11-08", True),  # a Sunday
        ("XX", None, "2026-11-07", False),
        (None, None, "2026-12-25", True),
    ],
)
def test_holidays_and_weekends_are_those_of_the_country_and_region(
    country: str | None, region: str | None, day: str, works: bool
) -> None:
    assert is_business_day(date.fromisoformat(day), country, region) is works
