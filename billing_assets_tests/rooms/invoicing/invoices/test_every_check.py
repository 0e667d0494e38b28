"""Each check before release on a real database: the smallest draft that raises it, and one beside it that does not."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from billing_assets.foundation.database.connection import Connection, connect
from billing_assets.invoicing.batches import reports as batch_reports
from billing_assets.invoicing.batches import reviewing
from billing_assets.invoicing.invoices import releasing, reports
from billing_assets.invoicing.invoices.drafting import Bounds
from billing_assets.invoicing.invoices.engine import rate_case
from billing_assets.invoicing.invoices.processing import process
from billing_assets.invoicing.invoices.quality import CODES
from billing_assets.invoicing.invoices.reports import Reviewed
from billing_assets.invoicing.tariffs import store as tariffs
from billing_assets_tests.rooms.invoicing.batches.making import MAY, Making
from billing_assets_tests.rooms.invoicing.customers import CUT_OFF, JULY, JUNE
from proving.world.databases import _database

Make = Callable[[Making, int, bool], None]

TAX = {
    "code": "sales",
    "kind": "tax",
    "applies_to": {"groups": ["energy"]},
    "versions": [{"valid_from": "2026-01-01", "rate": "0.10"}],
}
WIRES = {"code": "BAS001", "text": "Wires", "indicator": "C", "amount": "4321"}
FIXED = {"code": "fixed", "kind": "fixed_daily", "versions": [{"valid_from": "2026-01-01", "price": "1"}]}


def energy(price: str, **given: Any) -> dict[str, Any]:
    return {"code": "energy", "kind": "usage", "versions": [{"valid_from": "2026-01-01", "price": price}]} | given


class Case(NamedTuple):
    """How the draft is made (with the fault or without), and what a person reads of the fault."""

    make: Make
    severity: str
    sentence: str


CASES: dict[str, Case] = {}


def case(code: str, severity: str, sentence: str) -> Callable[[Make], Make]:
    def add(make: Make) -> Make:
        CASES[code] = Case(make, severity, sentence)
        return make

    return add


def product(made: Making, code: str, *charges: dict[str, Any]) -> str:
    """An approved tariff."""
    content = {"code": code, "currency": "USD", "charges": list(charges)}
    file = tariffs.FileOf("made.json", "json", b"f" * 32)
    loaded = tariffs.load(made.state, content, code.encode().ljust(32), [], file, "Mara", "New")
    if loaded.is_new:
        tariffs.approve(made.state, code, loaded.number, "Ben", "As agreed")
    return code


def tampered(made: Making, n: int, statement: str, *values: object) -> None:
    """What no part of the engine writes, and a check is there for: of the account's last draft."""
    with made.state.transaction():
        made.state.execute("set local session_replication_role = replica")
        made.state.execute(
            statement.replace("DRAFT", "(select max(id) from billing.utility_invoices where account = %s)"),
            [*values, f"A{n}"],
        )


@case("QA_ZERO_BILL", "warning", "Total is zero although there is usage.")
def _zero(made: Making, n: int, wrong: bool) -> None:
    made.customer(n, tariff=product(made, "NOTHING", energy("0")) if wrong else "FLAT")
    made.comes(n)


@case("QA_NEGATIVE_BILL", "warning", "Total is below zero and there is no feed-in or correction.")
def _negative(made: Making, n: int, wrong: bool) -> None:
    back = product(made, "BACK", energy("-0.1"))
    fed = product(made, "FED", energy("-0.1", kind="feed_in", channels=["general"]), FIXED)
    made.customer(n, tariff=back if wrong else fed)
    made.comes(n)


@case("QA_HIGH_BILL", "warning", "602.25 against a mean of 300.02 over 2 bills (2\N{MULTIPLICATION SIGN}).")
def _high(made: Making, n: int, wrong: bool) -> None:
    _after_two(made, n, 2190 if wrong else 2181)


@case("QA_LOW_BILL", "warning", "147.13 against a mean of 300.02 over 2 bills (0.5\N{MULTIPLICATION SIGN}).")
def _low(made: Making, n: int, wrong: bool) -> None:
    _after_two(made, n, 535 if wrong else 546)


def _after_two(made: Making, n: int, kwh: int) -> None:
    """Bills of 275.00 and 325.00 before."""
    made.customer(n, since=MAY[0])
    made.was(n, MAY, amount=1000)
    made.was(n, JUNE, amount=1182)
    made.comes(n, amount=kwh)


@case("QA_VERY_HIGH", "error", "Above 5,000.00 for class any.")
def _very_high(made: Making, n: int, wrong: bool) -> None:
    made.customer(n)
    made.comes(n, amount=18200 if wrong else 18181)


@case("QA_UNIT_PRICE", "error", "2,001.00/1000 = 2.001 a kWh, outside 0.02\N{HORIZONTAL ELLIPSIS}2.")
def _price(made: Making, n: int, wrong: bool) -> None:
    dear, less = product(made, "DEAR", energy("2.001"), TAX), product(made, "LESS", energy("2"), TAX)
    made.customer(n, tariff=dear if wrong else less)
    made.comes(n)


@case("QA_NO_USAGE_CHARGE", "error", "Usage, but no usage charge (supply portion 0).")
def _no_usage_charge(made: Making, n: int, wrong: bool) -> None:
    made.customer(n, tariff=product(made, "FIXED0" if wrong else "FIXED1", FIXED, energy("0" if wrong else "0.1")))
    made.comes(n)


@case("QA_NO_FIXED_CHARGE", "warning", "The fixed charge is missing.")
def _no_fixed_charge(made: Making, n: int, wrong: bool) -> None:
    made.customer(n, tariff=product(made, "BOTH", FIXED, energy("0.1")))
    made.comes(n)
    if wrong:
        lost = "delete from billing.utility_invoice_lines where code = 'fixed' and invoice = DRAFT"
        made.drafted.append(lambda: tampered(made, n, lost))


@case("QA_DAYS_LINES", "error", "Lines cover 31 days, the bill 32.")
def _days(made: Making, n: int, wrong: bool) -> None:
    made.customer(n)
    made.comes(n)
    if wrong:
        short = "update billing.utility_invoice_lines set period_end = period_end - 1 where invoice = DRAFT"
        made.drafted.append(lambda: tampered(made, n, short))


@case("QA_METER_COUNT", "error", "1 of 2 meters are on the bill.")
def _meters(made: Making, n: int, wrong: bool) -> None:
    made.customer(n)
    made.comes(n)
    if wrong:
        more = """
            insert into billing.invoiced_usage (invoice, version, stream, days, kwh)
            select invoice, 'lost', -1, days, 0 from billing.invoiced_usage where invoice = DRAFT"""
        made.drafted.append(lambda: tampered(made, n, more))


@case("QA_RATE_CHANGED", "info", "First bill on a new rate or price version: sample.")
def _rate_changed(made: Making, n: int, wrong: bool) -> None:
    made.customer(n, JUNE, agreed_until="2026-07-02" if wrong else "")
    if wrong:
        made.moves_in(n, n, JULY[0], tariff="OTHER")
    made.comes(n)


@case("QA_FIRST_BILL", "warning", "First or final bill: a person looks.")
def _first(made: Making, n: int, wrong: bool) -> None:
    made.customer(n, *([] if wrong else [JUNE]))
    made.comes(n)


@case("QA_FINAL_BILL", "warning", "First or final bill: a person looks.")
def _final(made: Making, n: int, wrong: bool) -> None:
    made.customer(n)
    made.comes(n, final=wrong)


@case("QA_DUPLICATE_TOTAL", "warning", "Same total and period end as the last bill.")
def _twice(made: Making, n: int, wrong: bool) -> None:
    made.customer(n)
    made.comes(n)
    made.customer(n + 5, account_of=n)
    made.comes(n + 5, amount=1000 if wrong else 1001)


@case("QA_TAX_ZERO", "error", "No tax and no exemption on file.")
def _no_tax(made: Making, n: int, wrong: bool) -> None:
    made.customer(n, tariff=product(made, "UNTAXED", energy("0.1")), is_taxed="yes" if wrong else "no")
    made.comes(n)


@case("QA_PASSTHROUGH_SHARE", "warning", "Utility charges are 80 % of the bill (usual 80 %).")
def _passthrough(made: Making, n: int, wrong: bool) -> None:
    version = {"valid_from": "2026-01-01", "codes": [{"code": "BAS001"}]}
    wires = {"code": "wires", "kind": "passthrough", "versions": [version]}
    made.customer(n, tariff=product(made, "WIRED", energy("0.1"), TAX, wires))
    made.comes(n, amount=98 if wrong else 99, charged={"total": "4321", "lines": [WIRES]})


@case("QA_BALANCE_FORWARD", "error", "Balance forward 12.00 is not receivables' 10.00.")
def _balance(made: Making, n: int, wrong: bool) -> None:
    made.customer(n)
    made.comes(n)
    carried = "update billing.utility_invoices set balance_forward = %s where id = DRAFT"
    made.drafted.append(lambda: tampered(made, n, carried, 12 if wrong else 10))
    made.state.execute(
        """
        insert into billing.open_receivables (source, transaction_id, kind, number, customer, branch, currency,
            document_date, due_date, total, open_amount, read_at)
        values ('netsuite', %s, 'invoice', '1', %s, '', 'USD', '2026-07-01', '2026-07-20', 30, 10, now())""",
        [str(n), f"A{n}"],
    )


@case("QA_DUE_DATE", "error", "Due 2026-08-25 is 15 days after issue, law asks 16.")
def _due(made: Making, n: int, wrong: bool) -> None:
    made.groups["SHORT"] = {"due_days": 15}
    made.customer(n, bill_group="SHORT" if wrong else "G1")
    made.comes(n)


@case("QA_ADDRESS_CHANGED", "warning", "New mailing address since the last bill.")
def _address(made: Making, n: int, wrong: bool) -> None:
    made.customer(n, JUNE, address_since="2026-08-11" if wrong else "2026-08-10")
    made.comes(n)


@case("QA_LANGUAGE", "warning", "No template in the customer's language.")
def _language(made: Making, n: int, wrong: bool) -> None:
    made.customer(n, language="fr" if wrong else "en")
    made.comes(n)


@case("TOTAL_TOO_LARGE", "error", "275.00 is above the ceiling 274.99 of the group.")
def _ceiling(made: Making, n: int, wrong: bool) -> None:
    made.groups |= {"LOW": {"ceiling": "274.99"}, "ENOUGH": {"ceiling": "275"}}
    made.customer(n, bill_group="LOW" if wrong else "ENOUGH")
    made.comes(n)


NUMBERS = {code: 100 + 10 * place for place, code in enumerate(CASES)}
OF_A_BATCH = {"QA_ESTIMATED_RUN", "QA_BATCH_SUM", "QA_SAMPLE"}  # below


@pytest.fixture(scope="module")
def found(server_url: str, _migrated: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Reviewed]]:
    """What is found in all these drafts, each with the fault of one code or one step off it."""
    folder: Path = tmp_path_factory.mktemp("accounts")
    with _database(server_url, template=_migrated) as url, connect(url) as state:
        made = Making(state, url, folder)
        for code, one in CASES.items():
            one.make(made, NUMBERS[code], True)
            one.make(made, NUMBERS[code] + 1, False)
        batches = made.make()
        for batch in batches:
            drafted(state, url, batch)
        for step in made.drafted:
            step()
        for batch in batches:
            releasing.check_quality(state, batch, invoice_date=CUT_OFF)
        yield [row for batch in batches for row in reports.quality(state, batch)]


def drafted(state: Connection, url: str, batch: int) -> None:
    reviewing.proceed(state, batch, "Mara", "Looked at")
    done = process(url, state, rate_case, "one", batch, bounds=Bounds(100), today=CUT_OFF)
    assert done is not None
    assert [one["why"] for one in batch_reports.failed(state, batch)] == []


def test_every_check_is_raised_here() -> None:
    assert CASES.keys() | OF_A_BATCH == CODES.keys()


@pytest.mark.parametrize("code", CASES)
def test_a_check_is_raised_by_its_fault_and_not_beside_it(found: list[Reviewed], code: str) -> None:
    expected = CASES[code]
    raised = {(one.severity, one.sentence) for one in found if one.code == code and one.account == f"A{NUMBERS[code]}"}
    assert raised == {(expected.severity, expected.sentence)}
    assert code not in {one.code for one in found if one.account == f"A{NUMBERS[code] + 1}"}
