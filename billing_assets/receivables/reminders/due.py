"""When a reminder goes out: plain dates and clocks; the caller gives the time.

A step falls on the invoice's due date plus its days. On a day without business it moves: a step before the due date to
the business day before, any other to the next one. It goes out in the customer's business hours of that day; if it was
not sent then, of a later one: the latest step that fell due, and only that one.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from billing_assets.foundation.calendar.business_days import is_business_day, local_day

MARGIN = timedelta(days=15)
"""No country rests for longer: a step moves by less."""


class Place(NamedTuple):
    """Where a customer is. `country` and `region` are ISO 3166 codes; without a country only weekends are free."""

    time_zone: ZoneInfo
    country: str | None
    region: str | None

    def day(self, moment: datetime) -> date:
        """The day that it is there at a moment."""
        return local_day(moment, self.time_zone)


class Hours(NamedTuple):
    """Business hours in local time, from `opens` up to but without `closes`, within a day."""

    opens: time
    closes: time


class Step(NamedTuple):
    """A rung of the ladder: `days` after the due date, before it where negative. The name is its key for ever."""

    name: str
    days: int
    template: str


class Noted(NamedTuple):
    """What is known of a step of an invoice. One that is `deferred` is tried again at `retry_at`; any other is over.

    `resolved_at`: when a person decided about it. `to_customer`: whether it went, or was to go, to the customer who
    owes the invoice now.
    """

    state: str
    retry_at: datetime | None
    resolved_at: datetime | None = None
    to_customer: bool = True

    @property
    def over(self) -> bool:
        """Whether nothing more is to be done about it."""
        return self.state != "deferred"


class Next(NamedTuple):
    """The next reminder of an invoice: `sends_at` in UTC, in business hours; `day` is the one on which the step falls.

    `passed_over` are earlier steps that fell due, were not sent and never will be.
    """

    step: Step
    day: date
    sends_at: datetime
    passed_over: tuple[Step, ...]


def step_day(step: Step, due_date: date, place: Place) -> date:
    """The business day on which a step falls."""
    day = due_date + timedelta(days=step.days)
    way = timedelta(days=-1 if step.days < 0 else 1)
    while not is_business_day(day, place.country, place.region):
        day += way
    return day


def next_opening(earliest: datetime, place: Place, hours: Hours) -> datetime:
    """The first moment (UTC) that is not before `earliest` and in business hours of a business day."""
    day = place.day(earliest)
    while True:
        if is_business_day(day, place.country, place.region):
            opens, closes = (_moment(day, clock, place.time_zone) for clock in hours)
            # Only where it is that day: a whole day was once left out of a calendar, and an hour is every year.
            if opens < closes and max(opens, earliest) < closes and place.day(opens) == day:
                return max(opens, earliest)
        day += timedelta(days=1)


def next_reminder(
    steps: Sequence[Step],
    due_date: date,
    noted: Mapping[str, Noted],
    place: Place,
    hours: Hours,
    now: datetime,
    not_before: date | None = None,
) -> Next | None:
    """The next reminder of an invoice if nothing else happens, or None after the last step.

    `steps` are in the order of their days, `noted` is by step name, `now` is UTC-aware. What fell on a day before
    `not_before` counts as over. Of two steps on one day only the later one is sent.
    """
    left = _left(steps, noted)
    days = {step: step_day(step, due_date, place) for step in left}
    ours = [step for step in left if not_before is None or days[step] >= not_before]
    earliest = now
    while True:
        sends_at = next_opening(earliest, place, hours)
        today = place.day(sends_at)
        fallen = [step for step in ours if days[step] <= today and not (step.days < 0 and today > due_date)]
        waits = [_moment(days[step], time.min, place.time_zone) for step in ours if days[step] > today]
        if fallen:
            retry_at = noted[fallen[-1].name].retry_at if fallen[-1].name in noted else None
            if retry_at is None or retry_at <= sends_at:
                gone = [step for step in ours if days[step] <= today and step != fallen[-1]]
                return Next(fallen[-1], days[fallen[-1]], sends_at, tuple(gone))
            waits.append(retry_at)
        if not waits:
            return None
        earliest = max(min(waits), sends_at)


def might_be_due(
    steps: Sequence[Step], due_date: date, noted: Mapping[str, Noted], last_day: date, not_before: date | None = None
) -> bool:
    """Whether `next_reminder` can name a day up to `last_day` anywhere on earth: a cheap look before the exact one."""
    days = (due_date + timedelta(days=step.days) for step in _left(steps, noted))
    return any(day - MARGIN <= last_day and (not_before is None or day + MARGIN >= not_before) for day in days)


def _left(steps: Sequence[Step], noted: Mapping[str, Noted]) -> Sequence[Step]:
    """The steps after the last one that is over: none before it goes out any more, though the due date may move."""
    over = [place for place, step in enumerate(steps) if step.name in noted and noted[step.name].over]
    return steps[over[-1] + 1 :] if over else steps


def _moment(day: date, clock: time, zone: ZoneInfo) -> datetime:
    """A local time in UTC. Where the clocks change: one that is left out is as much later, of two the first."""
    return datetime.combine(day, clock, zone).astimezone(UTC)
