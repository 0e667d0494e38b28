"""What our own engine issued is closed documents of a billing system: staged, posted and closed to the cent."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy import make_url

from billing_assets.erp.billing_system.doctor import examine
from billing_assets.erp.billing_system.resource import BillingSystem
from billing_assets.erp.close.comparing import compared
from billing_assets.erp.settings import SourceSettings
from billing_assets.foundation.runtime import BoundElsewhereError
from billing_assets.invoicing.corrections import asking
from billing_assets.invoicing.invoices import releasing
from billing_assets.invoicing.invoices.engine import rate_case
from billing_assets.sandbox.netsuite.process import RunningSandbox
from billing_assets_tests.rooms.invoicing.customers import CUT_OFF, JULY, approved_tariff, customers, metered
from billing_assets_tests.rooms.invoicing.handing_over import company
from billing_assets_tests.rooms.invoicing.invoices.test_invoices import billed, invoiced, pending
from proving.world.account import Account
from proving.world.builders import create_billing_system, insert_document, open_for_writing
from proving.world.system import System, metadata, why

PERIOD = "2026-08"


@pytest.fixture
def system(state_url: str, tmp_path: Path, sandbox: RunningSandbox, sandbox_account: Account) -> Iterator[System]:
    with company(state_url, tmp_path, sandbox, sandbox_account) as opened:
        yield opened


def staged(system: System) -> dict[str, tuple[str, str, Decimal]]:
    """Kind, state and total of what staging knows of the engine, by number."""
    rows = system.state.execute(
        "select number, kind, state, total from billing.staged_invoices where source = 'invoicing'"
    ).fetchall()
    return {row["number"]: (row["kind"], row["state"], row["total"]) for row in rows}


def test_issued_invoices_are_posted_and_the_month_closes_to_the_cent(
    system: System, state_url: str, tmp_path: Path
) -> None:
    customers(system.state, tmp_path, 1, 2)
    metered(system.state, 1, amount=1001)
    metered(system.state, 2, amount=400)
    _, numbers = billed(system.state, state_url)
    result = system.stage()
    assert result.success, why(result)
    assert metadata(result, "staged_invoices")["documents_new"] == 2
    assert staged(system) == {
        numbers[0]: ("invoice", "ready", Decimal("275.28")),
        numbers[1]: ("invoice", "ready", Decimal("110.00")),
    }
    post_all(system)
    records = system.records()
    assert {one: Decimal(str(record["total"])) for one, record in records.items()} == {
        f"INV-{numbers[0]}": Decimal("275.28"),
        f"INV-{numbers[1]}": Decimal("110.00"),
    }
    close = compared(system.runtime, system.state, PERIOD)
    assert close.complete
    (row,) = close.rows
    assert row.billing.total == row.netsuite.total == Decimal("385.28")


def test_a_tax_inside_the_prices_is_taken_off_them_in_the_ledger(
    system: System, state_url: str, tmp_path: Path
) -> None:
    approved_tariff(system.state, includes_tax=True)
    customers(system.state, tmp_path, 1)
    metered(system.state, 1, amount=1000)
    (number,) = billed(system.state, state_url)[1]
    result = system.stage()
    assert result.success, why(result)
    assert staged(system) == {number: ("invoice", "ready", Decimal("250.00"))}
    (key,) = system.planned()
    posted = system.post(key)
    assert posted.success, why(posted)
    record = system.account.show(f"invoice/eid:INV-{number}")
    assert [(one["item"]["id"], Decimal(str(one["amount"]))) for one in record["item"]["items"]] == [
        ("101", Decimal("250.00")),
        ("103", Decimal("22.73")),
        ("104", Decimal("-22.73")),
    ]
    (cancel,) = asking.cancel(system.state, number, "Mara", "Wrong price", CUT_OFF).numbers
    assert system.stage().success
    assert staged(system)[cancel] == ("credit_memo", "ready", Decimal("-250.00"))


def test_a_cancel_is_a_credit_memo_that_names_its_invoice_and_the_month_closes_over_all_three(
    system: System, state_url: str, tmp_path: Path
) -> None:
    customers(system.state, tmp_path, 1)
    metered(system.state, 1, amount=1001)
    (first,) = billed(system.state, state_url)[1]
    assert system.stage().success
    post_all(system)
    cancel, rebill = asking.rebill(system.state, first, "Mara", "Wrong price", rate_case, CUT_OFF).numbers
    result = system.stage()
    assert result.success, why(result)
    assert staged(system) == {
        first: ("invoice", "posted", Decimal("275.28")),
        cancel: ("credit_memo", "ready", Decimal("-275.28")),
        rebill: ("invoice", "ready", Decimal("275.28")),
    }
    assert drifted(system) == [], "the cancelled invoice itself is as it was posted"
    post_all(system)
    assert Decimal(system.records()[f"CM-{cancel}"]["total"]) == Decimal("275.28")
    assert open_in_netsuite(system, first) == 0
    close = compared(system.runtime, system.state, PERIOD)
    assert close.complete
    assert sum(row.billing.total for row in close.rows) == Decimal("275.28")


def test_what_staging_sees_of_a_month_is_what_was_issued_less_what_was_cancelled(
    system: System, state_url: str, tmp_path: Path
) -> None:
    customers(system.state, tmp_path, 1, 2, 3)
    for number in (1, 2, 3):
        metered(system.state, number, amount=1000 * number + 1)
    first, second, _ = billed(system.state, state_url)[1]
    asking.cancel(system.state, first, "Mara", "Moved out", CUT_OFF)
    asking.rebill(system.state, second, "Mara", "Wrong price", rate_case, CUT_OFF)
    assert system.stage().success
    (row,) = system.state.execute(
        """
        select (select sum(total) from billing.utility_invoices where kind = 'invoice' and number is not null)
            + (select sum(total) from billing.utility_invoices where kind = 'cancel' and number is not null) as issued,
            (select sum(total) from billing.staged_invoices where source = 'invoicing') as staged"""
    ).fetchall()
    assert row["issued"] == row["staged"] == Decimal("1375.56")


def post_all(system: System) -> None:
    for key in system.planned():
        posted = system.post(key)
        assert posted.success, why(posted)


def drifted(system: System) -> list[str]:
    rows = system.state.execute("select number from billing.staged_invoices where drift is not null").fetchall()
    return [row["number"] for row in rows]


def open_in_netsuite(system: System, number: str) -> Decimal:
    """What is unpaid of an invoice there."""
    return Decimal(str(system.account.show(f"invoice/eid:INV-{number}")["amountRemaining"]))


def test_what_is_not_issued_is_no_document(system: System, state_url: str, tmp_path: Path) -> None:
    customers(system.state, tmp_path, 1)
    metered(system.state, 1)
    batch = pending(system.state)
    invoiced(system.state, state_url, batch)
    assert system.stage().success
    assert staged(system) == {}
    releasing.check_quality(system.state, batch, CUT_OFF)
    releasing.issue(system.state, batch, CUT_OFF)
    assert system.stage().success
    assert [state for _, state, _ in staged(system).values()] == ["ready"]


def test_a_second_staging_reads_only_what_was_issued_since(system: System, state_url: str, tmp_path: Path) -> None:
    customers(system.state, tmp_path, 1)
    metered(system.state, 1)
    billed(system.state, state_url)
    assert system.stage().success
    assert metadata(system.stage(), "staged_invoices")["documents_new"] == 0
    metered(system.state, 1, period=JULY)
    billed(system.state, state_url)
    found = metadata(system.stage(), "staged_invoices")
    assert found["documents_new"] == 1
    assert len(staged(system)) == 2


def test_it_is_staged_beside_a_billing_system_of_another_kind(
    state_url: str, database: str, tmp_path: Path, sandbox: RunningSandbox, sandbox_account: Account
) -> None:
    create_billing_system(database)
    source = SourceSettings(url=SecretStr(database))
    with (
        company(state_url, tmp_path, sandbox, sandbox_account, source=source) as system,
        open_for_writing(database) as other,
    ):
        customers(system.state, tmp_path, 1)
        metered(system.state, 1)
        (number,) = billed(system.state, state_url)[1]
        insert_document(other, "500001", customer_no="A2", currency="USD", lines=[("energy", "1", "5.00", "5.00")])
        result = system.stage()
        assert result.success, why(result)
        rows = system.state.execute("select source, number, state from billing.staged_invoices").fetchall()
        assert {(row["source"], row["number"], row["state"]) for row in rows} == {
            ("billing", "500001", "ready"),
            ("invoicing", number, "ready"),
        }
        marks = system.state.execute("select source, max(watermark) as mark from billing.staging_runs group by 1")
        assert {row["source"] for row in marks} == {"billing", "invoicing"}
        bound = system.state.execute("select name, value from billing.bindings where subject = 'source'").fetchall()
        assert {row["name"]: row["value"].split()[0] for row in bound} == {"billing": "postgresql", "invoicing": "our"}


def test_a_role_that_only_reads_these_tables_is_enough_and_one_of_another_database_is_refused(
    system: System, state_url: str, another_database: str, tmp_path: Path
) -> None:
    customers(system.state, tmp_path, 1)
    metered(system.state, 1)
    billed(system.state, state_url)
    with reader_of(system) as url:
        reader = system.changed(source=SourceSettings(own_url=url))
        result = reader.stage()
        assert result.success, why(result)
        assert len(staged(system)) == 1
        assert {one.what: one.well for one in examine(reader.runtime)} == {
            "Billing system": True,
            "Billing system's rows": True,
        }
        wrong = system.changed(source=SourceSettings(own_url=SecretStr(another_database)))
        with pytest.raises(BoundElsewhereError, match="BILLING_SOURCE__OWN_URL leads to"):
            wrong.runtime.of(BillingSystem).compare()


@contextmanager
def reader_of(system: System) -> Iterator[SecretStr]:
    """Our database as a role that may read what is issued, and nothing else."""
    role = f"reader_{uuid.uuid4().hex}"
    tables = "billing.utility_invoices, billing.utility_invoice_lines, billing.utility_invoice_taxes"
    system.state.execute(f"create role {role} login password 'reads-only'")
    system.state.execute(f"grant usage on schema billing to {role}")
    system.state.execute(f"grant select on {tables} to {role}")
    try:
        url = make_url(system.state_url).set(username=role, password="reads-only")
        yield SecretStr(url.render_as_string(hide_password=False))
    finally:
        system.state.execute(f"drop owned by {role}")
        system.state.execute(f"drop role {role}")
