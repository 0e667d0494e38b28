"""A day of fees, stops and aging is a day where the branch is, not in UTC."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from billing_assets.foundation.calendar.business_days import Days, Zones
from billing_assets.foundation.database.connection import Connection
from billing_assets.receivables.balances import fee_store, store
from billing_assets.receivables.balances.aging import BRANCH, age, business_day
from billing_assets.receivables.balances.late_fee_rules import LateFeeError, LateFeeRules, Rule
from billing_assets.receivables.balances.late_fees import Decided, Proposed, approve, propose
from billing_assets_tests.rooms.receivables.balances.balances import read, receivable
from billing_assets_tests.rooms.receivables.balances.test_late_fees import DIGITS, RULES, stop
from billing_assets_tests.unit.foundation.calendar.test_business_days import BERLIN, DAYS, LOS_ANGELES, SYDNEY, midnight

ZONES = Zones(BERLIN, {"USA": LOS_ANGELES, "Australia": SYDNEY})
EVERYWHERE = LateFeeRules(
    rules=(Rule(name="5 %", branches=("*",), effective_from=date(2009, 1, 1), percent=Decimal(5)),)
)
MINUTE = timedelta(minutes=1)


def proposed(state: Connection, zones: Zones, rules: LateFeeRules = EVERYWHERE, asked: str | None = None) -> Proposed:
    """As the job of every night proposes."""
    days = business_day(asked, store.last_read_at(state), zones)
    return propose(state, rules, days, DIGITS, zones)


def approved(state: Connection, zones: Zones, now: datetime) -> Decided:
    return approve(state, None, "anna", "", now, timedelta(hours=26), zones)


def test_no_fee_while_the_last_day_to_pay_is_not_over(state: Connection) -> None:
    read_at = datetime(2011, 1, 5, 16, 30, tzinfo=LOS_ANGELES).astimezone(UTC)
    read(state, [receivable(document_date=date(2010, 12, 20), due_date=date(2011, 1, 5))], read_at=read_at)
    assert proposed(state, ZONES, RULES).new == 0


def test_a_stop_that_begins_today_holds_today(state: Connection) -> None:
    now = datetime(2011, 1, 20, 8, 30, tzinfo=SYDNEY).astimezone(UTC)
    zones = Zones(branches={"USA": SYDNEY})
    read(state, [receivable("1")], read_at=now - timedelta(minutes=30))
    assert proposed(state, zones, RULES).new == 1
    stop(state, "1", starts_on=date(2011, 1, 20))
    decided = approved(state, zones, now)
    assert (decided.fees, decided.refused) == ([], {"1": "a stop is in force"})


@pytest.mark.parametrize(("zone", "day", "hours"), DAYS)
def test_the_last_day_to_pay_ends_at_midnight_there_also_where_the_clocks_change(
    state: Connection, zone: ZoneInfo, day: date, hours: int
) -> None:
    zones, ends = Zones(branches={"there": zone}), midnight(day + timedelta(days=1), zone)
    due = receivable("1", branch="there", due_date=day)
    begins = ends - timedelta(hours=hours)
    for moment in (begins, begins + timedelta(hours=hours / 2), ends - MINUTE):
        read(state, [due], read_at=moment)
        assert proposed(state, zones).waiting == 0
        (aged,) = age(state, zones.days(moment))
        assert (aged.current, aged.overdue) == (Decimal(100), Decimal(0))
    read(state, [due], read_at=ends)
    assert proposed(state, zones).waiting == 1
    (aged,) = age(state, zones.days(ends))
    assert (aged.current, aged.days_1_30) == (Decimal(0), Decimal(100))


@pytest.mark.parametrize(("zone", "day", "hours"), DAYS)
def test_a_stop_holds_from_midnight_to_midnight_there_also_where_the_clocks_change(
    state: Connection, zone: ZoneInfo, day: date, hours: int
) -> None:
    zones, ends = Zones(branches={"there": zone}), midnight(day + timedelta(days=1), zone)
    begins = ends - timedelta(hours=hours)
    read(state, [receivable(number, branch="there") for number in "12"], read_at=begins - MINUTE)
    assert proposed(state, zones).waiting == 2
    stop(state, "1", starts_on=day, ends_on=day)
    for moment in (begins, ends - MINUTE):
        assert set(refused(state, zones, moment)) == {"1"}
        assert fee_store.stopped(state, zones.days(moment)) == 1
    for moment in (begins - MINUTE, ends):
        assert refused(state, zones, moment) == {}
        assert fee_store.stopped(state, zones.days(moment)) == 0


def refused(state: Connection, zones: Zones, now: datetime) -> dict[str, str]:
    """What approving everything would refuse at a moment; nothing is approved."""
    with state.transaction(force_rollback=True):
        return approved(state, zones, now).refused


def test_every_branch_has_its_own_day_in_one_run(state: Connection) -> None:
    """06:00 UTC on the 5th: in Los Angeles it is the 4th, in Berlin and Sydney the 5th."""
    now = datetime(2011, 1, 5, 6, tzinfo=UTC)
    branches = {"1": "USA", "2": "Australia", "3": "Germany"}
    rows = [receivable(number, branch=branch, due_date=date(2011, 1, 4)) for number, branch in branches.items()]
    read(state, rows, read_at=now)
    assert proposed(state, ZONES).new == 2
    days = {one.number: one.as_of for one in fee_store.fees(state)}
    assert days == {"2": date(2011, 1, 5), "3": date(2011, 1, 5)}
    overdue = {one.branch: one.overdue for one in age(state, ZONES.days(now), BRANCH)}
    assert overdue == {"Australia": Decimal(100), "Germany": Decimal(100), "USA": Decimal(0)}
    read(state, rows, read_at=now + timedelta(hours=2))  # midnight in Los Angeles
    assert proposed(state, ZONES).new == 1
    assert {one.number: one.as_of for one in fee_store.fees(state)}["1"] == date(2011, 1, 5)
    assert len(approved(state, ZONES, now + timedelta(hours=2)).fees) == 3


def test_a_day_that_a_branch_has_not_reached_is_refused_and_the_branch_is_named(state: Connection) -> None:
    read(state, [receivable("1"), receivable("2", branch="Australia")], datetime(2011, 1, 5, 6, tzinfo=UTC))
    with pytest.raises(LateFeeError, match=r"read 2011-01-05 06:00 UTC, on 2011-01-04 in USA; .* propose 2011-01-05"):
        proposed(state, ZONES, asked="2011-01-05")
    assert proposed(state, ZONES, asked="2011-01-04").new == 2
    only_there = EVERYWHERE.rules[0].model_copy(update={"branches": ("Australia",)})
    proposed(state, ZONES, LateFeeRules(rules=(only_there,)), "2011-01-05")  # no rule, no matter


def test_a_fee_of_a_day_that_its_branch_had_not_reached_when_balances_were_read_is_not_approved(
    state: Connection,
) -> None:
    """Proposed from a later reading before the database was put back, say, or by the days of UTC."""
    now = datetime(2011, 1, 6, 0, 30, tzinfo=UTC)
    rows = [receivable("1", due_date=date(2011, 1, 5)), receivable("2", branch="Australia")]
    read(state, rows, read_at=now)
    propose(state, EVERYWHERE, Days(date(2011, 1, 6)), DIGITS, Zones())
    proposed(state, ZONES)
    decided = approved(state, ZONES, now)
    assert [one.number for one in decided.fees] == ["2"]
    assert decided.refused == {"1": "proposed for a later day: propose again"}
