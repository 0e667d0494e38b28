"""Tariffs in the database: versions that never change, maker and approver, and series of prices by version."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from billing_assets.decisions.store import SamePersonError, Subject, history, record
from billing_assets.foundation.database.connection import Connection, connect
from billing_assets.invoicing.tariffs import reports, store
from billing_assets.invoicing.tariffs.store import FileOf, SeriesError, TariffStateError, UnknownTariffError

FILE = FileOf("made.json", "json", b"f" * 32)
START = datetime(2026, 4, 12, tzinfo=UTC)


@pytest.fixture
def state(state_url: str) -> Iterator[Connection]:
    with connect(state_url) as connection:
        yield connection


def tariff(price: str = "0.1") -> dict[str, Any]:
    charge = {"code": "usage", "kind": "usage", "versions": [{"valid_from": "2026-01-01", "price": price}]}
    return {"code": "FLAT", "currency": "AUD", "charges": [charge]}


def load(state: Connection, price: str = "0.1", by: str = "Mara") -> store.Loaded:
    return store.load(state, tariff(price), price.encode().ljust(32), [], FILE, by, "New prices")


def states(state: Connection) -> list[tuple[int, str, bool]]:
    return [(one.number, one.state, one.is_used) for one in reports.versions(state, "FLAT")]


def test_a_change_is_a_new_version_and_the_same_again_is_none(state: Connection) -> None:
    assert load(state) == store.Loaded("FLAT", 1, is_new=True)
    assert load(state) == store.Loaded("FLAT", 1, is_new=False)
    assert load(state, "0.2") == store.Loaded("FLAT", 2, is_new=True)
    assert load(state, "0.1") == store.Loaded("FLAT", 3, is_new=True), "back to the prices of before is a change"
    assert [reports.content(state, one.id) for one in reports.versions(state)] == [
        tariff("0.1"),
        tariff("0.2"),
        tariff("0.1"),
    ]


def test_a_draft_is_billed_only_after_another_person_approved_it(state: Connection) -> None:
    load(state)
    assert reports.used(state, "FLAT") is None
    for same in ("Mara", " mara "):
        with pytest.raises(SamePersonError):
            store.approve(state, "FLAT", 1, same, "I am sure")
    assert states(state) == [(1, "draft", False)]
    store.approve(state, "FLAT", 1, "Ben", "Compared with the contract")
    found = reports.used(state, "FLAT")
    assert found is not None
    assert (found.maker, found.approver, found.state) == ("Mara", "Ben", "approved")
    assert [one.decision for one in history(state, Subject.TARIFF, "FLAT/1")] == ["loaded made.json", "checked"]


def test_the_last_approved_version_is_used_until_it_is_withdrawn(state: Connection) -> None:
    load(state)
    load(state, "0.2")
    load(state, "0.3")
    store.approve(state, "FLAT", 1, "Ben", "ok")
    store.approve(state, "FLAT", 2, "Ben", "ok")
    assert states(state) == [(1, "approved", False), (2, "approved", True), (3, "draft", False)]
    store.withdraw(state, "FLAT", 2, "Mara", "Wrong peak price")
    assert states(state) == [(1, "approved", True), (2, "withdrawn", False), (3, "draft", False)]
    assert reports.version(state, "FLAT").number == 1
    assert reports.version(state, "FLAT", 3).state == "draft"


def test_withdrawn_is_the_end_and_what_was_approved_is_not_approved_twice(state: Connection) -> None:
    load(state)
    store.approve(state, "FLAT", 1, "Ben", "ok")
    with pytest.raises(TariffStateError, match="Version 1 of FLAT is approved already"):
        store.approve(state, "FLAT", 1, "Cleo", "ok")
    store.withdraw(state, "FLAT", 1, "Ben", "old")
    for verb in (store.approve, store.withdraw):
        with pytest.raises(TariffStateError, match="Version 1 of FLAT is withdrawn already"):
            verb(state, "FLAT", 1, "Cleo", "x")
    assert load(state) == store.Loaded("FLAT", 2, is_new=True), "what was withdrawn may be loaded again"
    with pytest.raises(UnknownTariffError, match="There is no version 9 of a tariff FLAT"):
        store.approve(state, "FLAT", 9, "Ben", "ok")


@pytest.mark.parametrize("verb", ["update {} set {} = {}", "delete from {}", "truncate {} cascade"])
@pytest.mark.parametrize(
    ("table", "column"),
    [
        ("tariffs", "code"),
        ("tariff_versions", "content"),
        ("tariff_states", "state"),
        ("rating_series", "name"),
        ("rating_series_versions", "file"),
        ("rating_series_values", "value"),
    ],
)
def test_nothing_that_was_loaded_ever_changes(state: Connection, verb: str, table: str, column: str) -> None:
    load(state)
    store.approve(state, "FLAT", 1, "Ben", "ok")
    prices(state, "1.5")
    with pytest.raises(psycopg.errors.CheckViolation, match="append-only"):
        state.execute(verb.format(f"billing.{table}", column, column))


def test_the_database_takes_no_approval_that_is_not_another_persons_check(state: Connection) -> None:
    load(state)
    (found,) = reports.versions(state)
    own = record(state, Subject.TARIFF, "FLAT/1", "approved", "Mara", "I am sure")
    with pytest.raises(psycopg.errors.CheckViolation, match="does not check its maker's"):
        state.execute(
            "insert into billing.tariff_states (version, state, decision) values (%s, 'approved', %s)",
            [found.id, own.id],
        )


def test_two_who_approve_at_once_approve_once(state_url: str, state: Connection) -> None:
    load(state)
    outcomes: list[str] = []

    def approve(by: str) -> None:
        with connect(state_url) as connection:
            try:
                store.approve(connection, "FLAT", 1, by, "ok")
                outcomes.append("approved")
            except TariffStateError:
                outcomes.append("refused")

    people = [threading.Thread(target=approve, args=(by,)) for by in ("Ben", "Cleo", "Dan")]
    for one in people:
        one.start()
    for one in people:
        one.join()
    assert sorted(outcomes) == ["approved", "refused", "refused"]


def test_a_content_is_found_by_its_hash_years_later(state: Connection) -> None:
    load(state)
    store.withdraw(state, "FLAT", 1, "Ben", "old")
    found = reports.by_hash(state, b"0.1".ljust(32))
    assert found is not None
    assert (found.number, found.state) == (1, "withdrawn")
    assert reports.by_hash(state, b"x" * 32) is None


def prices(state: Connection, *values: str | None, minutes: int = 30) -> store.LoadedSeries:
    step = timedelta(minutes=minutes)
    given = [(START + step * place, Decimal(one)) for place, one in enumerate(values) if one is not None]
    return store.load_series(state, "price", "SPOT", minutes, given, FILE, "Mara", "Market's file")


def between(state: Connection, values: int, version: int | None = None) -> list[str | None]:
    end = START + timedelta(minutes=30 * values)
    found = reports.series_between(state, "price", "SPOT", START, end, version)
    assert found is not None
    assert (found["start"], found["minutes"]) == ("2026-04-12T00:00:00Z", 30)
    return list(found["prices"])


def test_prices_of_an_earlier_version_stay_as_they_were_rated(state: Connection) -> None:
    assert prices(state, "21.35", "-4.12", None) == store.LoadedSeries("SPOT", 1, 2, 2)
    assert prices(state, "21.35", "-4.12") == store.LoadedSeries("SPOT", 1, 0, 2)
    assert prices(state, "21.35", "-3.9", "18") == store.LoadedSeries("SPOT", 2, 2, 3)
    assert between(state, 4) == ["21.35", "-3.9", "18", None]
    assert between(state, 3, version=1) == ["21.35", "-4.12", None]
    (found,) = reports.series(state, "price")
    assert (found.version, found.values, found.missing, found.minutes) == (2, 3, 0, 30)


def test_a_price_that_goes_back_to_what_it_was_is_a_change(state: Connection) -> None:
    for version, value in enumerate(("21.35", "18", "21.35"), start=1):
        assert prices(state, value).version == version
    assert between(state, 1) == ["21.35"]


def test_a_hole_in_a_series_is_counted_and_is_a_null(state: Connection) -> None:
    prices(state, "1", None, "3")
    (found,) = reports.series(state, "price")
    assert (found.values, found.missing) == (2, 1)
    assert between(state, 3) == ["1", None, "3"]
    assert reports.series_between(state, "price", "OTHER", START, START + timedelta(hours=1)) is None
    assert reports.series(state, "profile") == []


def test_values_of_another_length_are_refused(state: Connection) -> None:
    prices(state, "1")
    with pytest.raises(SeriesError, match="SPOT has values of 30 minutes, these are of 15"):
        prices(state, "1", minutes=15)
