"""Where every kWh is: each row of usage on one live invoice or in one explained place, in exact numbers."""

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from billing_assets.foundation.database.connection import Connection
from billing_assets.invoicing.batches import reviewing
from billing_assets.invoicing.batches.selections import Selection, Wanted
from billing_assets.invoicing.batches.states import Batch
from billing_assets.invoicing.batches.validating import lock, validate
from billing_assets.invoicing.control.explaining_kwh import EveryKwh, every_kwh, months_until
from billing_assets.invoicing.corrections import asking
from billing_assets.invoicing.invoices import releasing
from billing_assets.invoicing.invoices.engine import rate_case
from billing_assets.invoicing.invoices.processing import process
from billing_assets.metering.usage import store as usage_store
from billing_assets_tests.rooms.invoicing.customers import CUT_OFF, JULY, JUNE, customers, load, metered, point_of
from billing_assets_tests.rooms.metering.usage.arriving import arrive
from billing_assets_tests.unit.metering.usage.messages import usage

MONTHS = date(2026, 6, 1), date(2026, 8, 1)
TODAY = date(2026, 8, 10)
MARA = ("Mara", "As agreed")


def found(state: Connection) -> EveryKwh:
    return every_kwh(state, *MONTHS)


def placed(state: Connection) -> dict[str, tuple[str, int, Decimal]]:
    """Why, rows and kWh of June by place; all is explained."""
    explained = found(state)
    assert explained.is_explained, explained.wrong
    (june, *_) = explained.months
    assert june.placed == june.metered
    return {one.place: (one.why, one.rows, one.kwh) for one in june.places}


def locked(state: Connection, *accounts: str) -> int:
    wanted = Wanted(Selection.CUSTOMER, CUT_OFF, accounts)
    (batch,) = lock(state, wanted, *MARA)
    validate(state, batch.batch, today=TODAY)
    return batch.batch


def invoiced(state: Connection, url: str, *accounts: str) -> int:
    """The batch of these accounts, drafted."""
    batch = locked(state, *accounts)
    state.execute("update billing.batch_members set state = 'clear', content = 'x' where state = 'held'")
    reviewing.proceed(state, batch, *MARA)
    done = process(url, state, rate_case, "a test", batch, today=TODAY)
    assert done is not None
    return batch


def test_each_row_of_a_month_is_in_one_place_and_the_places_add_up_to_what_was_metered(
    state: Connection, state_url: str, tmp_path: Path
) -> None:
    customers(state, tmp_path, 1, 2, 3, 4, 5, 6)
    for number, kwh in enumerate((1000, 900, 800, 700, 600, 500), 1):
        metered(state, number, amount=kwh, paired=number != 5)
    load(state, tmp_path, billed_elsewhere=f"point,issuer,valid_from\n{point_of(6)},SAP AU,2026-01-01\n")
    assert invoiced(state, state_url, "A1")
    locked(state, "A2")
    batch = locked(state, "A3")
    (member,) = state.execute("select id from billing.batch_members where batch = %s", [batch])
    reviewing.take_out(state, member["id"], *MARA)
    places = placed(state)
    assert places["invoiced"] == ("", 1, Decimal(1000))
    assert places["in_batch"] == (Batch.IN_REVIEW, 1, Decimal(900))
    assert places["taken_out"] == ("Mara: As agreed", 1, Decimal(800))
    assert places["billed_elsewhere"] == ("SAP AU", 1, Decimal(500))
    waiting = {one.why: one.kwh for one in found(state).months[0].places if one.place == "waiting"}
    assert waiting == {"READY": Decimal(700), "WAIT_CHARGES": Decimal(600)}
    (june,) = found(state).months
    assert (june.metered, june.rows) == (Decimal(4500), 6)
    assert june.many("waiting") == 2


def test_usage_of_no_account_of_ours_waits_for_master_data(state: Connection, tmp_path: Path) -> None:
    customers(state, tmp_path, 1)
    metered(state, 1)
    for table, more, value in (("service_points", "zone", "UTC"), ("supply_periods", "account", "B9")):
        state.execute(
            f"insert into billing.{table} (point, valid_from, {more}) values (%s, '2026-06-03', %s)",  # noqa: S608
            [point_of(9), value],
        )
    metered(state, 9, amount=50)
    metered(state, 7, amount=20)
    reasons = {one.why: one.kwh for one in found(state).months[0].places}
    assert reasons == {
        "ACCOUNT_UNKNOWN": Decimal(50),
        "NO_SERVICE_POINT": Decimal(20),
        "READY": Decimal(1000),
    }


def test_a_failed_member_waits_by_its_code(state: Connection, state_url: str, tmp_path: Path) -> None:
    customers(state, tmp_path, 1)
    metered(state, 1)
    batch = locked(state, "A1")
    state.execute("update billing.batch_members set state = 'clear' where state = 'held'")
    state.execute("update billing.agreements set replaced_at = clock_timestamp()")
    reviewing.proceed(state, batch, *MARA)
    process(state_url, state, rate_case, "a test", batch, today=TODAY)
    assert placed(state)["waiting"] == ("NO_RATE_INFORMATION", 1, Decimal(1000))


def test_what_a_person_cancelled_and_what_replaces_billed_usage_are_explained(
    state: Connection, state_url: str, tmp_path: Path
) -> None:
    customers(state, tmp_path, 1, 2)
    metered(state, 1)
    metered(state, 2, amount=300)
    batch = invoiced(state, state_url, "A1", "A2")
    releasing.check_quality(state, batch, CUT_OFF)
    state.execute("update billing.utility_invoices set state = 'drafted' where state in ('qa_hold', 'approved')")
    state.execute("update billing.utility_invoices set state = 'approved' where state = 'drafted'")
    one, _ = releasing.issue(state, batch, TODAY).numbers
    asking.cancel(state, one, *MARA, TODAY)
    assert placed(state)["cancelled"][1:] == (1, Decimal(1000))
    new = usage("U2b", period=JUNE, amount=Decimal(310), purpose="05", refers_to=f"U2-{JUNE[0]}-1")
    arrive(state, [new._replace(point=point_of(2))])
    with state.transaction():
        usage_store.settle(state, [point_of(2)])
    explained = found(state)
    assert explained.is_explained, explained.wrong


@pytest.mark.parametrize(
    ("fault", "why", "twice"),
    [
        (
            "update billing.usage_messages set state = 'billed' where kind = 'usage' and point like '%%2'",
            "billed, and on no invoice",
            False,
        ),
        (
            "insert into billing.batch_members (batch, account, point, period_start, period_end, usage) "
            "select batch, account, point, period_start, period_end, usage from billing.batch_members "
            "where state = 'invoiced' returning id",
            "also in a batch: completed",
            True,
        ),
        ("update billing.invoiced_usage set kwh = 999", "another quantity than its invoice", False),
        (
            "insert into billing.billed_elsewhere (point, issuer, valid_from) "
            "select point, 'SAP', '2026-01-01' from billing.batch_members",
            "also billed by SAP",
            True,
        ),
    ],
    ids=[
        "billed on no invoice",
        "on an invoice and in a batch",
        "another quantity",
        "billed although another bills it",
    ],
)
def test_what_is_in_no_place_or_in_two_is_named(
    state: Connection, state_url: str, tmp_path: Path, fault: str, why: str, twice: bool
) -> None:
    customers(state, tmp_path, 1, 2)
    metered(state, 1)
    metered(state, 2)
    invoiced(state, state_url, "A1")
    assert found(state).is_explained
    for table in ("usage_messages", "batch_members", "invoiced_usage"):
        state.execute(f"alter table billing.{table} disable trigger user")
    state.execute(
        "alter table billing.batch_members drop constraint unique_in_its_batch"
        if "batch_members (batch" in fault
        else "select 1"
    )
    state.execute(fault.replace("%%", "%"))
    broken = found(state)
    assert not broken.is_explained
    assert [(one.why, one.is_double) for one in broken.wrong] == [(why, twice)]


def test_months_end_with_the_one_of_the_day() -> None:
    assert months_until(date(2026, 2, 28), 3) == (date(2025, 12, 1), date(2026, 3, 1))
    assert months_until(JULY[0], 1) == (date(2026, 7, 1), date(2026, 8, 1))
