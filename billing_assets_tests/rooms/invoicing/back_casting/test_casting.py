"""Newer prices of what was billed: the customer pays the newest value, each difference once."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import dagster as dg
import psycopg
import pytest
from pydantic import SecretStr

from billing_assets.definitions import build_defs
from billing_assets.foundation.database.connection import Connection
from billing_assets.foundation.runtime import Runtime
from billing_assets.foundation.settings import make_settings
from billing_assets.invoicing.adjustments import reports as adjustment_reports
from billing_assets.invoicing.adjustments import store as adjustments
from billing_assets.invoicing.adjustments.kinds import AdjustmentError
from billing_assets.invoicing.back_casting import store
from billing_assets.invoicing.back_casting.casting import BackCast, Cast, Outcome, back_cast
from billing_assets.invoicing.back_casting.settings import BackCastSettings
from billing_assets.invoicing.corrections import asking
from billing_assets.invoicing.corrections.arrivals import answer
from billing_assets.invoicing.invoices.adjusting import withdraw
from billing_assets.invoicing.invoices.engine import rate_case
from billing_assets.invoicing.tariffs import store as tariffs
from billing_assets.metering.validation.validating import validate_all
from billing_assets_tests.rooms.invoicing.invoices.test_intervals import (
    AMBER,
    GST,
    amber,
    amber_nem12,
    amber_series,
    approved,
    billed,
    cents,
    clear,
    customer,
    imported,
)
from billing_assets_tests.rooms.invoicing.test_commands import Invoicing
from proving.world.command import complete

POINT = "4102000001"
TODAY = AMBER[1] + timedelta(days=10)
EVERYTHING = BackCastSettings(threshold={"*": Decimal(0)})
SPOT = {"code": "energy", "kind": "index", "versions": [{"valid_from": "2020-01-01", "series": "RETAIL"}]}


def start_of(row: dict[str, str]) -> datetime:
    ends = datetime.strptime(row["NEM Time"], "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
    return ends - timedelta(hours=10, minutes=30)


def imports() -> list[dict[str, str]]:
    return [one for one in amber() if one["Channel Type"] == "general"]


def revised(state: Connection, prices: dict[int, str]) -> None:
    """New prices, in cents a kWh, of some of the customer's half hours."""
    rows = imports()
    values = [(start_of(rows[place]), Decimal(price) * 10) for place, price in prices.items()]
    file = tariffs.FileOf("revised.csv", "csv", b"r" * 32)
    tariffs.load_series(state, "price", "RETAIL", 30, values, file, "Mara", "Revised by the market")


def cost(prices: dict[int, str]) -> Decimal:
    """What the customer's half hours cost with some of the prices changed, to the cent."""
    return cents(_exact(prices))


def _exact(prices: dict[int, str]) -> Decimal:
    each = enumerate(imports())
    return sum((Decimal(one["Usage"]) * Decimal(prices.get(n, one["Price"])) / 100 for n, one in each), Decimal(0))


def largest() -> int:
    """The half hour of most use."""
    return max(enumerate(imports()), key=lambda one: Decimal(one[1]["Usage"]))[0]


@pytest.fixture
def spot(state: Connection, state_url: str, tmp_path: Path) -> Connection:
    """A customer of real half hours with an issued bill by the market's prices."""
    return with_bill(state, state_url, tmp_path, None)


def with_bill(state: Connection, state_url: str, tmp_path: Path, supplied_until: date | None) -> Connection:
    customer(state, tmp_path, POINT, (AMBER[0], supplied_until), "SPOT")
    approved(state, "SPOT", SPOT, GST)
    amber_series(state)
    imported(state, state_url, tmp_path, "amber.csv", amber_nem12(POINT))
    billed(state, state_url, AMBER)
    return state


def cast(state: Connection, settings: BackCastSettings = EVERYTHING, today: date = TODAY) -> list[tuple[Decimal, str]]:
    done = back_cast(state, rate_case, today, settings)
    assert done.failed == []
    return [(one.change, str(one.outcome)) for one in done.done]


def held(state: Connection) -> list[tuple[str, Decimal]]:
    return [(one.lines[0]["bill_text"], one.amount) for one in adjustments.held(state, "A1", "AUD")]


def rows(state: Connection) -> list[dict[str, Any]]:
    return state.execute("select * from billing.back_casts order by id").fetchall()


def test_a_revised_price_is_a_line_for_the_next_bill_and_a_second_run_writes_nothing(spot: Connection) -> None:
    assert cast(spot) == [], "nothing is newer"
    place = largest()
    revised(spot, {place: "99.5"})
    change = cost({place: "99.5"}) - cost({})
    assert change > 1
    assert back_cast(spot, rate_case, TODAY, EVERYTHING) == Cast(
        [BackCast("ACME2600000001", "A1", "AUD", change, Outcome.ADJUSTED)], []
    )
    assert held(spot) == [("True-up 2026-04-12 to 2026-04-15", change)]
    before = rows(spot)
    assert cast(spot) == []
    assert (rows(spot), len(held(spot))) == (before, 1)


def test_true_ups_add_up_to_the_newest_value_however_often_prices_are_revised(spot: Connection) -> None:
    place, total = largest(), cost({})
    for price in ("99.5", "12.25", "-3", "40.0001"):
        revised(spot, {place: price})
        ((change, outcome),) = cast(spot)
        total += change
        assert (total, outcome) == (cost({place: price}), "adjusted")
    assert [Decimal(one["new_amount"]) for one in rows(spot)][-1] == total
    assert sum(amount for _, amount in held(spot)) == total - cost({})


def test_what_is_too_small_is_logged_and_in_the_next_difference(spot: Connection) -> None:
    small, large = (
        min((place, one) for place, one in enumerate(imports()) if Decimal(one["Usage"]) > Decimal("0.02"))[0],
        largest(),
    )
    settings = BackCastSettings(threshold={"*": Decimal("0.50"), "OTHER": Decimal(0)})
    price = str(Decimal(imports()[small]["Price"]) + 10)
    revised(spot, {small: price})
    first = cost({small: price}) - cost({})
    assert cast(spot, settings) == [(first, "logged")]
    assert held(spot) == []
    revised(spot, {large: "99.5"})
    whole = cost({small: price, large: "99.5"}) - cost({})
    assert cast(spot, settings) == [(whole, "adjusted")]


def test_what_a_person_withdrew_is_in_the_next_difference(spot: Connection) -> None:
    place = largest()
    revised(spot, {place: "99.5"})
    cast(spot)
    withdraw(spot, adjustments.held(spot, "A1", "AUD")[0].id, "Mara", "The market takes it back")
    revised(spot, {place: "98"})
    assert cast(spot) == [(cost({place: "98"}) - cost({}), "adjusted")]


def test_a_tariff_may_be_billed_again_instead_or_only_logged(spot: Connection) -> None:
    place = largest()
    revised(spot, {place: "99.5"})
    assert cast(spot, BackCastSettings(answer={"*": "adjust_next", "SPOT": "log"})) == [
        (cost({place: "99.5"}) - cost({}), "logged")
    ]
    revised(spot, {place: "99"})
    change = cost({place: "99"}) - cost({})
    assert cast(spot, BackCastSettings(answer={"*": "cancel_rebill"})) == [(change, "to_rebill")]
    (todo,) = store.to_rebill(spot)
    assert (todo["number"], todo["change"], held(spot)) == ("ACME2600000001", change, [])
    asking.cancel(spot, todo["number"], "Mara", "By newer prices", TODAY)
    assert store.to_rebill(spot) == []
    revised(spot, {place: "97"})
    assert cast(spot) == [], "what is cancelled is not rated again"


def test_after_the_days_of_its_tariff_a_bill_stays_as_it_is(spot: Connection) -> None:
    revised(spot, {largest(): "99.5"})
    days = BackCastSettings(days={"*": 400, "SPOT": 5})
    assert [outcome for _, outcome in cast(spot, days)] == ["logged"]
    revised(spot, {largest(): "98"})
    assert cast(spot, today=AMBER[1] + timedelta(days=500)) == []


def test_newer_readings_are_corrected_before_newer_prices_are_billed(
    spot: Connection, state_url: str, tmp_path: Path
) -> None:
    day = [one["Usage"] for one in imports()][:48]
    later = ["100,NEM12,202604200100,MDP1,RETAIL1", f"200,{POINT},E1B1,1,E1,N1,METER1,kWh,30,"]
    later += [f"300,20260412,{','.join(['1.5', *day[1:]])},A,,,20260420010000,20260420010000", "900", ""]
    imported(spot, state_url, tmp_path, "later.csv", "\r\n".join(later).encode())
    assert cast(spot) == [], "they are not validated yet"
    validate_all(spot, *AMBER, today=TODAY)
    opened = spot.execute(
        """
        select id from billing.validation_findings where severity <> 'info'
          and id not in (select finding from billing.cleared_findings)"""
    ).fetchall()
    for finding in opened:
        clear(spot, finding["id"])
    revised(spot, {0: "98"})
    assert cast(spot) == [], "its intervals are corrected first"
    more = Decimal("1.5") - Decimal(imports()[0]["Usage"])
    assert answer(spot, rate_case, TODAY).outcomes == {"rebilled": 1}
    old = cents(_exact({}) + more * Decimal(imports()[0]["Price"]) / 100)
    assert net(spot) == old, "by the prices of the first bill"
    assert cast(spot) == [(cents(_exact({0: "98"}) + more * Decimal("0.98")) - old, "adjusted")]
    assert cast(spot) == []


def net(state: Connection) -> Decimal:
    """Of the invoice that is live."""
    (row,) = state.execute(
        "select net from billing.utility_invoices where state = 'issued' and kind = 'invoice'"
    ).fetchall()
    return Decimal(row["net"])


@pytest.mark.parametrize(("minimum", "outcome"), [("50.00", "written_off"), ("0.01", "supplemented")])
def test_after_the_final_bill_a_difference_is_a_document_of_its_own_or_written_off(
    state: Connection, state_url: str, tmp_path: Path, minimum: str, outcome: str
) -> None:
    spot = with_bill(state, state_url, tmp_path, AMBER[1])
    revised(spot, {largest(): "99.5"})
    change = cost({largest(): "99.5"}) - cost({})
    assert Decimal("0.01") < change < 50
    settings = BackCastSettings(final_minimum=Decimal(minimum))
    assert cast(spot, settings) == [(change, outcome)]
    documents = spot.execute("select net, tax, deliver from billing.utility_invoices where kind = 'one_off'").fetchall()
    expected = [] if outcome == "written_off" else [(change, cents(change / 10), True)]
    assert [tuple(row.values()) for row in documents] == expected
    assert held(spot) == []


def test_a_bill_that_cannot_be_rated_again_is_named_and_tried_again(spot: Connection) -> None:
    def refuses(case: dict[str, Any]) -> dict[str, Any]:
        finding = {"code": "PRICE_MISSING", "severity": "error", "sentence": "1 prices of RETAIL are missing."}
        return {"lines": None, "findings": [finding]}

    revised(spot, {largest(): "99.5"})
    (failed,) = back_cast(spot, refuses, TODAY, EVERYTHING).failed
    assert (failed.number, failed.sentence) == (
        "ACME2600000001",
        "PRICE_MISSING: 1 prices of RETAIL are missing.",
    )
    assert rows(spot) == []
    assert [outcome for _, outcome in cast(spot)] == ["adjusted"]


def test_what_came_of_a_bill_never_changes_and_is_there_once(spot: Connection) -> None:
    revised(spot, {largest(): "99.5"})
    cast(spot)
    for sql in (
        "update billing.back_casts set new_amount = 0",
        "delete from billing.back_casts",
        "update billing.invoice_series set version = 9",
    ):
        with pytest.raises(psycopg.errors.CheckViolation):
            spot.execute(sql)
    with pytest.raises(psycopg.errors.UniqueViolation):
        spot.execute(
            """
            insert into billing.back_casts (invoice, versions, old_amount, new_amount, outcome)
            select invoice, versions, 0, 1, 'logged' from billing.back_casts"""
        )
    (one,) = adjustment_reports.adjustments(spot)
    assert (one["kind"], one["reason"], one["maker"]) == ("true_up", "TRUE_UP", None)
    with pytest.raises(AdjustmentError):
        adjustments.confirm(spot, one["adjustment"], "Ben", "It waits for no one")


def test_the_command_rates_again_and_says_what_came_of_it(
    spot: Connection, state_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    billing = Invoicing(capsys, state_url, tmp_path / "home")
    complete(billing("back-cast"), 0, ["Rated again: none."])
    revised(spot, {largest(): "99.5"})
    (one,) = billing.json("back-cast")["done"]
    assert (one["number"], one["outcome"]) == ("ACME2600000001", "adjusted")
    complete(billing("back-cast", "--to-rebill"), 0, ["To cancel and bill again: none."])
    complete(billing("adjustments"), 0, ["true_up", "TRUE_UP"])


def test_a_day_in_dagster_shows_what_changed(spot: Connection, state_url: str) -> None:
    revised(spot, {largest(): "99.5"})
    change = cost({largest(): "99.5"}) - cost({})
    runtime = Runtime(make_settings(database_url=SecretStr(state_url), areas="invoicing"))
    with dg.DagsterInstance.ephemeral() as instance:
        job = build_defs(runtime).get_repository_def().get_job("back_cast_bills")
        done = job.execute_in_process(instance=instance, partition_key="2026-05-01")
        (event,) = done.get_asset_materialization_events()
    metadata = event.materialization.metadata
    assert metadata["adjusted"].value == 1
    assert metadata["change_AUD_exact"].value == str(change)
