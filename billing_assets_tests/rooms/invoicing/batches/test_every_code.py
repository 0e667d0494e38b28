"""Each validation on a real database: the smallest account that raises it, and one beside it that does not."""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

import pytest

from billing_assets.foundation.database.connection import connect
from billing_assets.invoicing.batches import reports
from billing_assets.invoicing.batches.codes import CODES
from billing_assets.invoicing.batches.reports import FindingRow
from billing_assets.invoicing.tariffs import store as tariffs
from billing_assets.metering.usage import store as usage_store
from billing_assets.metering.usage.facts import Fact
from billing_assets_tests.rooms.invoicing.batches.making import MAY, Making, intervals, meter, said
from billing_assets_tests.rooms.invoicing.customers import JULY, JUNE, point_of
from billing_assets_tests.rooms.metering.usage.arriving import arrive
from billing_assets_tests.unit.metering.usage.messages import charges, usage
from proving.world.databases import _database

Make = Callable[[Making, int, bool], None]


class Case(NamedTuple):
    """How the account is made (with the fault or without), and what a person reads of the fault."""

    make: Make
    severity: str
    sentence: str
    waivable: bool = False


CASES: dict[str, Case] = {}


def case(code: str, severity: str, sentence: str, *, waivable: bool = False) -> Callable[[Make], Make]:
    def add(make: Make) -> Make:
        CASES[code] = Case(make, severity, sentence, waivable)
        return make

    return add


@case(
    "CONSUMPTION_APPROVAL",
    "error",
    "The supplier's rules ask for approval of this usage; no one has approved it (index bills).",
    waivable=True,
)
def _approval(made: Making, n: int, wrong: bool) -> None:
    made.customer(n, agreement={"needs_approval": "yes" if wrong else "no"})
    made.comes(n)


@case("CONSUMPTION_TYPE", "warning", "The usage is an adjustment or a rollover, not a normal read.")
def _type(made: Making, n: int, wrong: bool) -> None:
    made.customer(n)
    made.comes(n, content=said(report_type="AJ" if wrong else "DD"))


@case("READ_MISMATCH", "error", "The begin read 1101 is not the last end read 1100 of meter M1.", waivable=True)
def _read(made: Making, n: int, wrong: bool) -> None:
    made.customer(n, since=JUNE[0])
    made.was(n, content=said(meter()))
    made.comes(n, content=said(meter(begin="1101" if wrong else "1100", end="2101")))


@case("SERVICE_DATE_MISMATCH", "error", "This period begins 2026-07-03, the last one ended 2026-07-02.", waivable=True)
def _service_date(made: Making, n: int, wrong: bool) -> None:
    made.customer(n, JUNE)
    made.comes(n, (JULY[0] + timedelta(days=wrong), JULY[1]))


@case("CONSUMPTION_MULTIPLE", "warning", "The meter has 2 unbilled periods.")
def _multiple(made: Making, n: int, wrong: bool) -> None:
    made.customer(n, since=JUNE[0] if wrong else None)
    if wrong:
        made.comes(n, JUNE)
    made.comes(n)


@case("RATE_MISSING", "error", "The customer has no active rate on 2026-08-02, or it was never applied.")
def _rate(made: Making, n: int, wrong: bool) -> None:
    made.customer(n, tariff="NONE" if wrong else "FLAT")
    made.comes(n)


@case("TDSP_MISSING", "error", "No utility charges for 2026-07-02\N{EN DASH}2026-08-03.")
def _no_charges(made: Making, n: int, wrong: bool) -> None:
    made.customer(n)
    made.comes(n, paired=not wrong)


@case("TDSP_MULTIPLE", "warning", "2 utility invoices for the same period.")
def _two_charges(made: Making, n: int, wrong: bool) -> None:
    made.customer(n)
    made.comes(n)
    if wrong:
        made.came.append(lambda: _settled(made, n, charges(f"SECOND{n}", period=JULY)))


def _settled(made: Making, n: int, fact: Fact) -> None:
    arrive(made.state, [fact._replace(point=point_of(n))])
    with made.state.transaction():
        usage_store.settle(made.state, [point_of(n)])


@case("ROLLOVER_NOT_APPLIED", "error", "The agreement ended on 2026-07-10 and no follow-on product was applied.")
def _rollover(made: Making, n: int, wrong: bool) -> None:
    made.customer(n, agreed_until="2026-07-10" if wrong else "2026-08-03")
    made.comes(n)


@case(
    "TDSP_PERIOD_MISMATCH",
    "error",
    "Utility charges are for 2026-07-02\N{EN DASH}2026-08-06, the usage for 2026-07-02\N{EN DASH}2026-08-03.",
    waivable=True,
)
def _charges_period(made: Making, n: int, wrong: bool) -> None:
    made.customer(n)
    made.comes(n, paired=False)
    until = JULY[1] + timedelta(days=3 if wrong else 2)
    made.came.append(lambda: _settled(made, n, charges(names=f"U{n}-{JULY[0]}-1", period=(JULY[0], until))))


@case("TDSP_ORPHAN_AGED", "warning", "Utility charges of 2026-08-07 wait 3 days for usage.")
def _orphan_charges(made: Making, n: int, wrong: bool) -> None:
    made.customer(n)
    made.comes(n)
    came = datetime(2026, 8, 7 if wrong else 8, tzinfo=UTC)
    made.came.append(lambda: _settled(made, n, charges(period=(JULY[1], date(2026, 9, 2)), arrived_at=came)))


@case("USAGE_ORPHAN_AGED", "warning", "Usage of 2026-08-07 waits 3 days for utility charges.")
def _orphan_usage(made: Making, n: int, wrong: bool) -> None:
    made.customer(n)
    made.comes(n, paired=False, arrived_at=datetime(2026, 8, 7 if wrong else 8, tzinfo=UTC))


@case("PERIOD_OVERLAP", "error", "2026-07-01\N{EN DASH}2026-08-03 overlaps invoice {number}.")
def _overlap(made: Making, n: int, wrong: bool) -> None:
    made.customer(n, JUNE)
    made.comes(n, (JULY[0] - timedelta(days=wrong), JULY[1]))


@case("PERIOD_GAP", "error", "1 days before 2026-07-02 were never billed.", waivable=True)
def _gap(made: Making, n: int, wrong: bool) -> None:
    made.customer(n, since=JULY[0] - timedelta(days=wrong))
    made.comes(n)


@case("PERIOD_LENGTH", "warning", "The period has 24 days.")
def _length(made: Making, n: int, wrong: bool) -> None:
    made.customer(n)
    made.comes(n, (JULY[0], JULY[0] + timedelta(days=24 if wrong else 25)))


@case("PERIOD_FUTURE", "error", "The usage ends on 2026-08-11, in the future.")
def _future(made: Making, n: int, wrong: bool) -> None:
    made.customer(n, since=JULY[0] + timedelta(days=5))
    made.comes(n, (JULY[0] + timedelta(days=5), date(2026, 8, 11 if wrong else 10)))


@case("USAGE_CANCELLED", "error", "The utility cancelled this usage; its replacement is not here yet.")
def _cancelled(made: Making, n: int, wrong: bool) -> None:
    made.customer(n)
    made.comes(n)
    if wrong:
        name = f"U{n}-{JULY[0]}-1"
        facts = [usage(f"C{name}", "01", of=name, period=JULY), charges(f"CI{name}", "01", of=f"I{name}", period=JULY)]
        made.locked += [lambda one=one: _settled(made, n, one) for one in facts]  # type: ignore[misc]


@case(
    "USAGE_HELD",
    "error",
    "Metering does not give this usage to billing: SUM_CHECK: its content is implausible; see its findings.",
)
def _held(made: Making, n: int, wrong: bool) -> None:
    made.customer(n)
    made.comes(n, paired=not wrong, codes=("SUM_CHECK",) if wrong else ())


@case("REPLACE_WITHOUT_CANCEL", "error", "A replacement came for usage that was not cancelled.")
def _replaced(made: Making, n: int, wrong: bool) -> None:
    made.customer(n, JUNE)
    if wrong:
        made.comes(n, JUNE, version=2, purpose="05", of=f"U{n}-{JUNE[0]}-1", paired=False)
    else:
        made.comes(n)


@case("INTERVALS_MISSING", "error", "2 of 768 intervals are missing.")
def _missing_intervals(made: Making, n: int, wrong: bool) -> None:
    made.customer(n)
    _with_intervals(made, n, Decimal(1000), missing=2 if wrong else 0, replaced=not wrong)


@case("INTERVAL_REGISTER_SUM", "error", "Intervals 1010.001 kWh, register 1000 kWh.", waivable=True)
def _interval_sum(made: Making, n: int, wrong: bool) -> None:
    made.customer(n)
    _with_intervals(made, n, Decimal("1010.001" if wrong else "1010"))


def _with_intervals(made: Making, n: int, kwh: Decimal, missing: int = 0, *, replaced: bool = False) -> None:
    made.comes(n)
    comes = made.came.pop()
    made.came.append(lambda: intervals(made.state, int(str(comes())), n, kwh, missing, replaced=replaced))


@case("METER_MISSING", "error", "Meter M2 of the service point has no read, its siblings have.")
def _no_read(made: Making, n: int, wrong: bool) -> None:
    made.customer(n)
    made.comes(n, content=said(meter(), meter("M2", quantity=None if wrong else "5")))


@case("METER_UNKNOWN", "error", "A read came for a meter that the account does not have.")
def _unknown_meter(made: Making, n: int, wrong: bool) -> None:
    made.customer(n)
    made.state.execute(
        "insert into billing.meters (point, serial, valid_from) values (%s, 'M1', '2026-01-01')", [point_of(n)]
    )
    made.comes(n, content=said(meter(), *([meter("M9")] if wrong else [])))


@case("MULTIPLIER_CHANGED", "error", "The multiplier changed from 1 to 40.", waivable=True)
def _multiplier(made: Making, n: int, wrong: bool) -> None:
    made.customer(n, since=JUNE[0])
    made.was(n, content=said(meter()))
    made.comes(n, content=said(meter(begin="1100", end="1125", multiplier="40" if wrong else "1")))


@case("ZERO_USAGE", "warning", "Zero on an active service for 1 periods.")
def _zero(made: Making, n: int, wrong: bool) -> None:
    made.customer(n)
    made.comes(n, amount=0 if wrong else 1)


@case("NEGATIVE_USAGE", "error", "Usage is below zero.")
def _negative(made: Making, n: int, wrong: bool) -> None:
    made.customer(n)
    made.comes(n, amount=-1 if wrong else 1)


@case("HIGH_USAGE", "warning", "62.5 kWh a day against 31 last period and no bill a year ago.")
def _high(made: Making, n: int, wrong: bool) -> None:
    made.customer(n, since=MAY[0])
    made.was(n, MAY, amount=31 * 32)
    made.was(n, JUNE, amount=31 * 29)
    made.comes(n, amount=2000 if wrong else 2 * 31 * 32)


@case("LOW_USAGE", "warning", "15.3 kWh a day against 31 last period and no bill a year ago.")
def _low(made: Making, n: int, wrong: bool) -> None:
    made.customer(n, since=MAY[0])
    made.was(n, MAY, amount=31 * 32)
    made.was(n, JUNE, amount=31 * 29)
    made.comes(n, amount=490 if wrong else 16 * 31)


@case("CONSECUTIVE_ESTIMATES", "warning", "Estimate number 2 in a row.")
def _estimates(made: Making, n: int, wrong: bool) -> None:
    made.customer(n, since=JUNE[0])
    made.was(n, estimated=wrong)
    made.comes(n, estimated=True)


@case("ACTUAL_BELOW_ESTIMATE", "warning", "The actual read is lower than the billed estimate; 10 kWh go back.")
def _below(made: Making, n: int, wrong: bool) -> None:
    made.customer(n, since=JUNE[0])
    made.was(n, estimated=True, content=said(meter(end="1100")))
    made.comes(n, content=said(meter(begin="1100", end="1090" if wrong else "1100")))


@case("USAGE_AFTER_END", "error", "Usage lies after the end of the agreement on 2026-08-02.")
def _after(made: Making, n: int, wrong: bool) -> None:
    made.customer(n, until=JULY[1] - timedelta(days=wrong))
    made.comes(n)


@case("USAGE_BEFORE_START", "error", "Usage lies before the start on 2026-07-03.")
def _before(made: Making, n: int, wrong: bool) -> None:
    made.customer(n, since=JULY[0] + timedelta(days=wrong))
    made.comes(n)


@case("RATE_CLASS_MISMATCH", "error", "The utility bills rate class R2, the agreement says R1.", waivable=True)
def _rate_class(made: Making, n: int, wrong: bool) -> None:
    made.customer(n, agreement={"rate_class": "R1"})
    made.comes(n, content=said(references={"NH": "R2" if wrong else "R1"}))


@case("BILLING_MODEL_MISMATCH", "error", "The utility says DUAL, the account says supplier_consolidated.")
def _model(made: Making, n: int, wrong: bool) -> None:
    made.customer(n)
    made.comes(n, content=said(references={"BLT": "DUAL" if wrong else "ESP"}))


@case("TAX_PLACE_MISSING", "error", "The service address has no tax codes.")
def _tax_place(made: Making, n: int, wrong: bool) -> None:
    made.customer(n, tax_codes="" if wrong else "TX")
    made.comes(n)


@case("EXEMPTION_EXPIRING", "info", "The exemption ends on 2026-09-09.")
def _exemption(made: Making, n: int, wrong: bool) -> None:
    made.customer(n, exempt_until="2026-09-09" if wrong else "2026-09-10")
    made.comes(n)


@case("ADDRESS_INCOMPLETE", "error", "The mailing address cannot be delivered to: no postcode.")
def _address(made: Making, n: int, wrong: bool) -> None:
    made.customer(n, address_fault="no postcode", delivery="both" if wrong else "email")
    made.comes(n)


@case("EMAIL_BOUNCED", "warning", "E-mail bounced 3 times; this bill will be paper.")
def _bounced(made: Making, n: int, wrong: bool) -> None:
    made.customer(n, delivery="email", email_bounces=3 if wrong else 2)
    made.comes(n)


@case("ACCOUNT_HOLD", "error", "The account is on billing hold: Complaint 7, by Mara, until 2026-08-11.")
def _hold(made: Making, n: int, wrong: bool) -> None:
    made.customer(n)
    made.on_hold(n, date(2026, 8, 11 if wrong else 10))
    made.comes(n)


@case("PRICE_SERIES_INCOMPLETE", "error", "2 prices of SHORT are missing.")
def _prices(made: Making, n: int, wrong: bool) -> None:
    name, missing = ("SHORT", 2) if wrong else ("WHOLE", 0)
    version = {"valid_from": "2026-01-01", "series": name}
    content = {"code": name, "currency": "USD", "charges": [{"code": "i", "kind": "index", "versions": [version]}]}
    file = tariffs.FileOf("made.json", "json", b"f" * 32)
    loaded = tariffs.load(made.state, content, name.encode().ljust(32), [], file, "Mara", "New")
    tariffs.approve(made.state, name, loaded.number, "Ben", "As agreed")
    start = datetime(2026, 7, 2, 5, tzinfo=UTC)  # midnight in Chicago
    hours = [(start + timedelta(hours=hour), Decimal(30)) for hour in range(32 * 24 - missing)]
    tariffs.load_series(made.state, "price", name, 60, hours, file, "Mara", "July")
    made.customer(n, tariff=name)
    made.comes(n)


@case("BACK_BILL_LIMIT", "error", "1 months lie behind the limit of 12 for this class and place.")
def _back_bill(made: Making, n: int, wrong: bool) -> None:
    period = (date(2025, 7 if wrong else 8, 1), date(2025, 8 if wrong else 9, 1))
    made.customer(n, since=period[0])
    made.comes(n, period)


@case("BILL_DEADLINE", "warning", "Day 20 of 30 since usage and charges were complete.")
def _deadline(made: Making, n: int, wrong: bool) -> None:
    made.customer(n)
    made.comes(n, arrived_at=datetime(2026, 7, 21 if wrong else 22, tzinfo=UTC))


NUMBERS = {code: 100 + 10 * place for place, code in enumerate(CASES)}
NOT_IN_A_BATCH = {"CONSUMPTION_MISSING"}  # there is no member then: test_batches.py


@pytest.fixture(scope="module")
def found(server_url: str, _migrated: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[FindingRow]]:
    """What is found in all these accounts, each with the fault of one code or one step off it, validated together."""
    folder: Path = tmp_path_factory.mktemp("accounts")
    with _database(server_url, template=_migrated) as url, connect(url) as state:
        made = Making(state, url, folder)
        for code, one in CASES.items():
            one.make(made, NUMBERS[code], True)
            one.make(made, NUMBERS[code] + 1, False)
        made.make()
        yield [row for batch in reports.batches(state) for row in reports.findings(state, batch.batch)]


def of(found: list[FindingRow], number: int) -> list[FindingRow]:
    return [row for row in found if row.account == f"A{number}"]


def test_every_code_is_raised_here() -> None:
    assert CASES.keys() | NOT_IN_A_BATCH == CODES.keys()


@pytest.mark.parametrize("code", CASES)
def test_a_code_is_raised_by_its_fault_and_not_beside_it(found: list[FindingRow], code: str) -> None:
    expected = CASES[code]
    raised = [one for one in of(found, NUMBERS[code]) if one.code == code]
    read = {(one.severity, one.sentence.replace(_number(one.sentence), "{number}"), one.waivable) for one in raised}
    assert read == {(expected.severity, expected.sentence, expected.waivable)}
    assert code not in [one.code for one in of(found, NUMBERS[code] + 1)]


def _number(sentence: str) -> str:
    """The number of an invoice in a sentence."""
    return next((word.rstrip(".") for word in sentence.split() if word.startswith("ACME26")), "{number}")
