"""Meter data of the market, from the file to the issued bill: each line equals a sum that the test makes itself."""

import csv
import io
import zipfile
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import pytest

from billing_assets.foundation.database.connection import Connection
from billing_assets.invoicing.batches import reviewing
from billing_assets.invoicing.batches.selections import Selection, Wanted
from billing_assets.invoicing.batches.states import Member
from billing_assets.invoicing.batches.validating import lock, validate
from billing_assets.invoicing.corrections import asking
from billing_assets.invoicing.corrections.arrivals import Answered, answer
from billing_assets.invoicing.corrections.states import Outcome
from billing_assets.invoicing.invoices import releasing
from billing_assets.invoicing.invoices.engine import rate_case
from billing_assets.invoicing.invoices.processing import process
from billing_assets.invoicing.tariffs import store as tariffs
from billing_assets.metering.validation import clerk
from billing_assets.metering.validation.validating import validate_all
from billing_assets_tests.rooms.invoicing.customers import ACCOUNTS, AGREEMENTS, GROUPS, load
from billing_assets_tests.rooms.metering.inboxes import fill, run, source

DATA = Path(__file__).parents[3] / "data"
GROUP = ("G1",)
_CENT = Decimal("0.01")
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

Series = dict[str, dict[datetime, Decimal]]
"""By suffix, by the market's time at the start of each interval."""


def cents(amount: Decimal) -> Decimal:
    return amount.quantize(_CENT, ROUND_HALF_UP)


def customer(
    state: Connection, folder: Path, point: str, period: tuple[date, date | None], tariff: str, **more: str
) -> None:
    """A customer of a group in Brisbane, whose clock is the market's, supplied over a period."""
    state.execute(
        "insert into billing.service_points (point, valid_from, zone) values (%s, '2000-01-01', 'Australia/Brisbane')",
        [point],
    )
    state.execute(
        "insert into billing.supply_periods (point, account, valid_from, valid_until) values (%s, 'A1', %s, %s)",
        [point, *period],
    )
    names, values = "".join(f",{one}" for one in more), "".join(f",{one}" for one in more.values())
    load(
        state,
        folder,
        bill_groups=GROUPS + "G1,ACME,AUD,false,200,,2000-01-01\n",
        accounts=ACCOUNTS + "A1,G1,dual,AU,2000-01-01\n",
        agreements=f"{AGREEMENTS.strip()}{names}\n{point},A1,{tariff},2000-01-01{values}\n",
    )


def approved(state: Connection, code: str, *charges: dict[str, Any]) -> None:
    content = {"code": code, "currency": "AUD", "charges": list(charges)}
    loaded = tariffs.load(
        state, content, code.encode().ljust(32), [], tariffs.FileOf("made.json", "json", b"f" * 32), "Mara", "New"
    )
    tariffs.approve(state, code, loaded.number, "Ben", "Compared with the contract")


def imported(state: Connection, url: str, folder: Path, name: str, content: bytes) -> None:
    assert run(url, source(fill(folder / "in", {name: content}))).states == {"accepted": 1}


def billed(state: Connection, url: str, period: tuple[date, date]) -> dict[str, Any]:
    """Validated by metering, billed and issued. Lines and taxes of the one invoice, and its total."""
    today = period[1] + timedelta(days=5)
    validate_all(state, *period, today=today)
    for finding in state.execute("select id from billing.validation_findings where severity <> 'info'").fetchall():
        clear(state, finding["id"])
    batch = planned(state, today)
    validate(state, batch, today=today)
    for row in open_findings(state, batch):
        reviewing.waive(state, row["member"], row["code"], "Mara", "A test of four days")
    reviewing.proceed(state, batch, "Mara", "Looked at")
    done = process(url, state, rate_case, "one", batch, today=today)
    failed = state.execute("select code, why from billing.batch_members where state = 'failed'").fetchall()
    assert done is not None
    assert not failed
    releasing.check_quality(state, batch, TODAY)
    for row in state.execute("select id from billing.utility_invoices where state = 'qa_hold'").fetchall():
        releasing.approve(state, row["id"], "Mara", "A test")
    assert len(releasing.issue(state, batch, today).numbers) == 1
    (invoice,) = state.execute("select * from billing.utility_invoices").fetchall()
    lines = state.execute(
        "select code, quantity, amount, detail->>'window' as window, is_estimated from billing.utility_invoice_lines "
        "order by position"
    ).fetchall()
    taxes = state.execute("select code, base, amount from billing.utility_invoice_taxes order by position").fetchall()
    return {"invoice": invoice, "lines": lines, "taxes": taxes}


def planned(state: Connection, today: date) -> int:
    ((batch, _, members),) = lock(state, Wanted(Selection.BILL_GROUP, today, GROUP), "Mara", "Month end")
    assert members == 1
    return batch


def clear(state: Connection, finding: int) -> None:
    clerk.verify(state, finding, "Mara", "The market's own test data")


def open_findings(state: Connection, batch: int) -> list[dict[str, Any]]:
    return state.execute(
        """
        select distinct f.member, f.code from billing.invoice_findings as f
        join billing.batch_members as m on m.id = f.member
        where m.batch = %s and f.state = 'open' and f.severity = 'error'""",
        [batch],
    ).fetchall()


# The market operator's own files


OPERATOR = DATA / "nem-mdff" / "operator-nem12"
FOUR_DAYS = (date(2005, 4, 1), date(2005, 4, 5))


def operator_file() -> tuple[str, bytes]:
    """A file that metering providers exchanged: energy both ways and reactive energy of four days, from Friday on."""
    (path,) = OPERATOR.glob("NEM12#000000000000002#*.zip")
    with zipfile.ZipFile(path) as archive:
        (name,) = archive.namelist()
        return f"{path.stem}.csv", archive.read(name)


def half_hours(content: bytes) -> Series:
    """The intervals of a NEM12 file, read here by its published columns alone."""
    found: Series = defaultdict(dict)
    suffix, minutes = "", 30
    for row in csv.reader(io.StringIO(content.decode())):
        if row[0] == "200":
            suffix, minutes = row[4], int(row[8])
        elif row[0] == "300":
            start = datetime.strptime(row[1], "%Y%m%d")  # noqa: DTZ007  the market's time
            for place, text in enumerate(row[2 : 2 + 1440 // minutes]):
                found[suffix][start + place * timedelta(minutes=minutes)] = Decimal(text)
    return found


GST = {
    "code": "gst",
    "kind": "tax",
    "applies_to": {"groups": ["energy", "fixed", "demand"]},
    "versions": [{"valid_from": "2000-01-01", "rate": "0.10"}],
}
PEAK, OFF = Decimal("0.5280"), Decimal("0.1870")
TOU = {
    "code": "energy",
    "kind": "tou",
    "versions": [
        {
            "valid_from": "2000-01-01",
            "windows": [
                {"name": "peak", "days": list(_DAYS[:5]), "from": "15:00", "to": "21:00", "price": str(PEAK)},
                {"name": "off", "days": list(_DAYS[:5]), "from": "21:00", "to": "15:00", "price": str(OFF)},
                {"name": "off", "days": [*_DAYS[5:], "holiday"], "from": "00:00", "to": "24:00", "price": str(OFF)},
            ],
        }
    ],
}
DEMAND: dict[str, Any] = {
    "code": "demand",
    "kind": "demand",
    "versions": [{"valid_from": "2000-01-01", "price": "0.3825", "charge_period": "bill"}],
}


def is_peak(start: datetime, holidays: tuple[date, ...] = ()) -> bool:
    return start.weekday() < 5 and 15 <= start.hour < 21 and start.date() not in holidays


@pytest.mark.parametrize(
    ("calendar", "holidays"), [("", ()), ("CY", (date(2005, 4, 1),))], ids=["no calendar", "the first is a holiday"]
)
def test_the_market_operators_file_is_billed_by_time_of_use_and_demand(
    state: Connection, state_url: str, tmp_path: Path, calendar: str, holidays: tuple[date, ...]
) -> None:
    name, content = operator_file()
    customer(state, tmp_path, "NEM1202022", FOUR_DAYS, "TOU", calendar=calendar, channels="K1=-")
    approved(state, "TOU", TOU, DEMAND, GST)
    imported(state, state_url, tmp_path, name, content)
    found = billed(state, state_url, FOUR_DAYS)
    energy = half_hours(content)["E1"]
    assert (len(energy), sum(energy.values())) == (192, Decimal("358797.395"))
    peak = sum(value for start, value in energy.items() if is_peak(start, holidays))
    off = sum(energy.values()) - peak
    most = max(energy.values()) * 2
    expected = {
        ("energy", "peak"): (peak, cents(peak * PEAK)),
        ("energy", "off"): (off, cents(off * OFF)),
        ("demand", None): (most, cents(most * Decimal("0.3825"))),
    }
    lines = {(one["code"], one["window"]): (one["quantity"], one["amount"]) for one in found["lines"]}
    assert lines == expected
    net = sum((amount for _, amount in expected.values()), Decimal(0))
    assert found["taxes"] == [{"code": "gst", "base": net, "amount": cents(net / 10)}]
    assert found["invoice"]["total"] == net + cents(net / 10)
    (on,) = state.execute("select version, kwh, is_live from billing.invoiced_usage").fetchall()
    assert (on["kwh"], on["is_live"]) == (sum(energy.values()), True)
    assert on["version"].startswith("intervals/")


# A customer of Amber, billed by the market's price of each half hour


AMBER = (date(2026, 4, 12), date(2026, 4, 15))


def amber() -> Iterator[dict[str, str]]:
    with (DATA / "interval" / "amber_sample.csv").open(newline="") as file:
        yield from csv.DictReader(file)


def amber_nem12(point: str) -> bytes:
    """The customer's intervals as a NEM12 file, the import as E1, what was fed in as B1."""
    lines = ["100,NEM12,202604160100,MDP1,RETAIL1"]
    for channel, suffix in (("general", "E1"), ("feedIn", "B1")):
        rows = [one for one in amber() if one["Channel Type"] == channel]
        lines.append(f"200,{point},E1B1,1,{suffix},N1,METER1,kWh,30,")
        for day in sorted({one["Day"] for one in rows}):
            values = [one["Usage"] for one in rows if one["Day"] == day]
            assert len(values) == 48
            lines.append(f"300,{day.replace('-', '')},{','.join(values)},A,,,20260416010000,20260416010000")
    return "\r\n".join([*lines, "900", ""]).encode()


def amber_series(state: Connection) -> None:
    """Its prices, published in cents a kWh, as series per MWh."""
    for channel, series in (("general", "RETAIL"), ("feedIn", "FEED_IN")):
        values = [
            (
                datetime.strptime(one["NEM Time"], "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
                - timedelta(hours=10, minutes=30),
                Decimal(one["Price"]) * 10 * (1 if channel == "general" else -1),
            )
            for one in amber()
            if one["Channel Type"] == channel
        ]
        tariffs.load_series(
            state, "price", series, 30, values, tariffs.FileOf("prices.csv", "csv", b"p" * 32), "Mara", "New"
        )


def test_a_customer_of_real_half_hours_is_billed_by_the_prices_of_the_market(
    state: Connection, state_url: str, tmp_path: Path
) -> None:
    point = "4102000001"
    customer(state, tmp_path, point, AMBER, "SPOT")
    index = {"valid_from": "2020-01-01"}
    approved(
        state,
        "SPOT",
        {"code": "energy", "kind": "index", "versions": [index | {"series": "RETAIL"}]},
        {"code": "solar", "kind": "feed_in", "versions": [index | {"series": "FEED_IN"}]},
    )
    amber_series(state)
    imported(state, state_url, tmp_path, "amber.csv", amber_nem12(point))
    found = billed(state, state_url, AMBER)
    cost = {channel: Decimal(0) for channel in ("general", "feedIn")}
    kwh = dict(cost)
    for one in amber():
        cost[one["Channel Type"]] += Decimal(one["Usage"]) * Decimal(one["Price"]) / 100
        kwh[one["Channel Type"]] += Decimal(one["Usage"])
    lines = {one["code"]: (abs(one["quantity"]), one["amount"]) for one in found["lines"]}
    assert lines == {
        "energy": (kwh["general"], cents(cost["general"])),
        "solar": (kwh["feedIn"], cents(cost["feedIn"])),
    }
    assert (lines["energy"][1], lines["solar"][1]) == (Decimal("15.43"), Decimal("-0.47"))


# What keeps interval usage from being billed, or from being billed twice


def prepared(state: Connection, url: str, folder: Path) -> None:
    name, content = operator_file()
    customer(state, folder, "NEM1202022", FOUR_DAYS, "TOU", channels="K1=- Q1=-")
    approved(state, "TOU", TOU)
    imported(state, url, folder, name, content)


def test_what_was_billed_is_not_planned_again(state: Connection, state_url: str, tmp_path: Path) -> None:
    prepared(state, state_url, tmp_path)
    billed(state, state_url, FOUR_DAYS)
    assert lock(state, Wanted(Selection.BILL_GROUP, date(2005, 5, 9), GROUP), "Mara", "Again") == []


TODAY = date(2005, 4, 9)


def validated(state: Connection, period: tuple[date, date] = FOUR_DAYS) -> None:
    """What metering makes of the readings; a person clears what it holds."""
    validate_all(state, *period, today=TODAY)
    rows = state.execute(
        """
        select id from billing.validation_findings as f where severity = 'issue'
          and id not in (select finding from billing.cleared_findings)
          and exists (select from billing.validated_periods as p where f.id = any(p.findings))"""
    ).fetchall()
    for finding in rows:
        clear(state, finding["id"])


def pending(state: Connection, period: tuple[date, date] = FOUR_DAYS) -> int:
    validated(state, period)
    batch = planned(state, TODAY)
    validate(state, batch, today=TODAY)
    for row in open_findings(state, batch):
        reviewing.waive(state, row["member"], row["code"], "Mara", "A test of four days")
    reviewing.proceed(state, batch, "Mara", "Looked at")
    return batch


def drafted(state: Connection, url: str, batch: int) -> None:
    process(url, state, rate_case, "one", batch, today=TODAY)
    releasing.check_quality(state, batch, TODAY)
    for row in state.execute("select id from billing.utility_invoices where state = 'qa_hold'").fetchall():
        releasing.approve(state, row["id"], "Mara", "A test")


def test_a_ratchet_looks_back_at_what_earlier_bills_measured(state: Connection, state_url: str, tmp_path: Path) -> None:
    name, content = operator_file()
    customer(state, tmp_path, "NEM1202022", FOUR_DAYS, "RATCHET", channels="K1=- Q1=-")
    version = {**DEMAND["versions"][0], "ratchet": {"percent": "120", "periods": 1}}
    approved(state, "RATCHET", {**DEMAND, "versions": [version]})
    imported(state, state_url, tmp_path, name, content)
    energy = half_hours(content)["E1"]
    most = []
    for period in ((FOUR_DAYS[0], date(2005, 4, 3)), (date(2005, 4, 3), FOUR_DAYS[1])):
        batch = pending(state, period)
        drafted(state, state_url, batch)
        assert len(releasing.issue(state, batch, TODAY).numbers) == 1
        most.append(max(value for start, value in energy.items() if period[0] <= start.date() < period[1]) * 2)
    rows = state.execute(
        "select quantity from billing.utility_invoice_lines where code = 'demand' order by period_start"
    ).fetchall()
    held = (most[0] * Decimal("1.2")).quantize(Decimal("0.001"), ROUND_HALF_UP)
    assert [row["quantity"] for row in rows] == [most[0], max(most[1], held)]
    assert held > most[1], "else it proves nothing"


def corrected(state: Connection, url: str, folder: Path) -> None:
    """The provider sends one of the days again, with other values."""
    later = ["100,NEM12,200504120900,CNRGYMDP,NEMMCO", "200,NEM1202022,E1,1,E1,N1,02022,KWH,30,"]
    later += [f"300,20050402,{','.join(['1.000'] * 48)},A,,,20050412090000,20050412090000", "900", ""]
    imported(state, url, folder, "later.csv", "\r\n".join(later).encode())


def test_a_draft_of_readings_that_were_corrected_before_it_is_issued_is_made_again(
    state: Connection, state_url: str, tmp_path: Path
) -> None:
    prepared(state, state_url, tmp_path)
    batch = pending(state)
    drafted(state, state_url, batch)
    corrected(state, state_url, tmp_path)
    validated(state)
    issued = releasing.issue(state, batch, TODAY)
    assert (issued.numbers, issued.stale) == ((), 1)
    again = pending(state)
    process(state_url, state, rate_case, "one", again, today=TODAY)
    (on,) = state.execute("select kwh from billing.invoiced_usage where is_live").fetchall()
    _, content = operator_file()
    old = half_hours(content)["E1"]
    kept = sum(value for start, value in old.items() if start.date() != date(2005, 4, 2))
    assert on["kwh"] == kept + 48


def test_readings_that_changed_after_validation_are_not_billed(
    state: Connection, state_url: str, tmp_path: Path
) -> None:
    prepared(state, state_url, tmp_path)
    batch, today = pending(state), TODAY
    corrected(state, state_url, tmp_path)
    done = process(state_url, state, rate_case, "one", batch, today=today)
    assert done is not None
    assert done.retried is not None
    rows = state.execute("select state, code from billing.batch_members order by id").fetchall()
    assert [tuple(row.values()) for row in rows] == [(Member.FAILED, "CHANGED_UNDERWAY"), (Member.SELECTED, None)]


def test_an_exemption_in_percent_is_on_the_bill(state: Connection, state_url: str, tmp_path: Path) -> None:
    name, content = operator_file()
    customer(state, tmp_path, "NEM1202022", FOUR_DAYS, "TOU", channels="K1=- Q1=-")
    load(
        state,
        tmp_path,
        tax_exemptions="account,tax,percent,certificate,valid_from\nA1,gst,40,C-77,2005-01-01\n",
    )
    approved(state, "TOU", TOU, GST)
    imported(state, state_url, tmp_path, name, content)
    found = billed(state, state_url, FOUR_DAYS)
    base = cents(found["invoice"]["net"] * Decimal("0.6"))
    assert found["taxes"] == [{"code": "gst", "base": base, "amount": cents(base / 10)}]


# What metering validates again after a bill


def resent(state: Connection, url: str, folder: Path, day: date, values: list[str], stamp: str) -> None:
    """The values of a day once more, validated with all that is found in them."""
    (known,) = state.execute("select max(id) as last from billing.validation_findings").fetchall()
    rows = [f"100,NEM12,{stamp},CNRGYMDP,NEMMCO", "200,NEM1202022,E1,1,E1,N1,02022,KWH,30,"]
    rows += [f"300,{day:%Y%m%d},{','.join(values)},A,,,{stamp}00,{stamp}00", "900", ""]
    imported(state, url, folder, f"{stamp}.csv", "\r\n".join(rows).encode())
    assert answer(state, rate_case, LATER) == Answered({}, 0, 0, 0), "it is not validated yet"
    validate_all(state, *FOUR_DAYS, today=LATER)
    found = state.execute(
        "select id from billing.validation_findings where severity <> 'info' and id > %s", [known["last"] or 0]
    )
    for finding in found.fetchall():
        clear(state, finding["id"])


LATER = date(2005, 5, 9)


def test_intervals_that_changed_after_the_bill_are_cancelled_and_billed_again(
    state: Connection, state_url: str, tmp_path: Path
) -> None:
    prepared(state, state_url, tmp_path)
    first = billed(state, state_url, FOUR_DAYS)["invoice"]
    assert answer(state, rate_case, LATER) == Answered({}, 0, 0, 0)
    day = date(2005, 4, 2)
    as_before = [f"{value:f}" for start, value in half_hours(operator_file()[1])["E1"].items() if start.date() == day]
    resent(state, state_url, tmp_path, day, as_before, "200504120900")
    assert answer(state, rate_case, LATER) == Answered({"noted": 1}, 0, 0, 0)
    resent(state, state_url, tmp_path, day, ["1.000"] * 48, "200504130900")
    assert answer(state, rate_case, LATER) == Answered({}, 0, 1, 0), "above 5,000: a person looks"
    done = asking.rebill(state, first["number"], "Mara", "A factory", rate_case, LATER)
    assert done.outcome is Outcome.REBILLED
    rows = state.execute("select kind, state, total from billing.utility_invoices order by id").fetchall()
    assert [(row["kind"], row["state"]) for row in rows] == [
        ("invoice", "rebilled"),
        ("cancel", "issued"),
        ("invoice", "issued"),
    ]
    assert rows[1]["total"] == -first["total"]
    assert rows[2]["total"] - first["total"] == done.change
    assert answer(state, rate_case, LATER) == Answered({}, 0, 0, 0)
    again = asking.rebill(state, done.numbers[1], "Mara", "Wrong address", rate_case, LATER)
    assert (again.outcome, again.change) == (Outcome.REBILLED, Decimal(0))
