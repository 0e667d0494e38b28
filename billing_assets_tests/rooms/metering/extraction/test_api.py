"""The same tables from an HTTP API as by SQL, and each way in which an API is not what it should be."""

import json
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from billing_assets.foundation.database.connection import Connection, connect
from billing_assets.metering.extraction.api_reader import Access, ApiReader
from billing_assets.metering.extraction.errors import (
    ApiError,
    ApiLoginRefusedError,
    ApiUnavailableError,
    CursorRepeatedError,
    TotalDiffersError,
)
from billing_assets.metering.extraction.extracting import Extracted, Source, extract
from billing_assets.metering.extraction.pieces import record_of
from billing_assets.metering.extraction.store import Mark
from billing_assets.metering.import_engine.extracts.contract import RESOURCES
from billing_assets.sandbox.kit.process import Running, start
from billing_assets_tests.rooms.metering.extraction.metering_api import API, CLIENT, SECRET, Switches
from billing_assets_tests.rooms.metering.extraction.metering_system import (
    OVERLAP,
    MeteringSystem,
    passed,
    sql_source,
)
from billing_assets_tests.rooms.metering.inboxes import tables

Login = tuple[str, str]
DEVICES = RESOURCES["devices"]


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running[Login]]:
    with start(API, tmp_path_factory.mktemp("metering-api")) as running:
        yield running


@pytest.fixture
def api(started: Running[Login]) -> Running[Login]:
    started.control.reset()
    started.control.switch(**Switches().model_dump())
    return started


def access(api: Running[Login], **changed: Any) -> Access:
    base = {"base_url": f"{api.base_url}/v1", "token_url": f"{api.base_url}/token", "page_size": 2}
    return Access(**{**base, "client_id": CLIENT, "client_secret": SECRET, "timeout_seconds": 20, **changed})


def api_source(api: Running[Login], pauses: list[float] | None = None, **changed: Any) -> Source:
    reader = ApiReader(access(api, **changed), ([] if pauses is None else pauses).append)
    return Source("metering", "api", reader.read, OVERLAP, "Australia/Brisbane")


def records_of(system: MeteringSystem) -> dict[str, list[dict[str, str]]]:
    """What its SQL gives, as an API writes it."""
    mark = Mark(None, None, None, None)
    source = sql_source(system.url)
    return {
        name: [json.loads(record_of(one, row).line) for row in source.read(one, None, mark).records]
        for name, one in RESOURCES.items()
    }


def devices(many: int = 5) -> list[dict[str, str]]:
    return [
        {
            "device_id": f"D{n}",
            "nmi": f"NMI000000{n}",
            "serial_number": "M1",
            "installed_from": "2020-01-01",
            "register": "1",
            "suffix": "11",
            "unit": "kWh",
            "valid_from": "2020-01-01",
            "updated_at": f"2026-07-0{n + 1}T00:00:00Z",
        }
        for n in range(many)
    ]


@pytest.fixture
def five(api: Running[Login]) -> Running[Login]:
    api.control.post("records", {"devices": devices()})
    return api


def one_pass(state: Connection, api: Running[Login], **changed: Any) -> Extracted:
    return extract(state, api_source(api, **changed), DEVICES)


def test_sql_and_api_give_the_same_tables(
    state: Connection, state_url: str, another_state_url: str, system: MeteringSystem, api: Running[Login]
) -> None:
    for nmi in ("NMI0000002", "NMI0000003"):
        system.point(nmi)
        system.reading(1, 100, nmi=nmi)
        system.reading(2, 110, nmi=nmi)
        system.day(1, "1", "2", "3", nmi=nmi)
    system.price("2026-01-01", None, "0.30")
    system.reading(1, 50)
    with connect(another_state_url) as other:
        for turn in range(2):
            api.control.post("records", records_of(system))
            passed(state, state_url, sql_source(system.url))
            passed(other, another_state_url, api_source(api))
            ours, theirs = tables(state), tables(other)
            assert ours == theirs
            assert len(ours["registers"]) == 2 + turn
            assert len(ours["intervals"]) == 2 + turn
            prices = "select tariff, component, valid_from, valid_until, price, state from billing.tariff_prices"
            assert state.execute(prices).fetchall() == other.execute(prices).fetchall()
            system.now += timedelta(days=1)
            system.reading(2, 60, version=2 + turn)
            system.execute("update interval_values set value = 9, updated_at = %s where value = 2", system.now)
            system.execute("delete from interval_values where nmi = 'NMI0000003'")
    assert len(tables(state)["registers"]) == 3


@pytest.mark.parametrize("paging", ["cursor", "link", "header"])
def test_pages_are_read_to_the_last_by_cursor_and_by_link(state: Connection, five: Running[Login], paging: str) -> None:
    five.control.switch(paging=paging, total="right")
    assert one_pass(state, five)[2:4] == (5, 5)


def test_an_empty_page_with_a_cursor_is_not_the_end(state: Connection, five: Running[Login]) -> None:
    five.control.switch(empty_pages=True, total="right")
    assert one_pass(state, five)[2:4] == (5, 5)


def test_pages_and_records_that_come_twice_count_once(state: Connection, five: Running[Login]) -> None:
    five.control.switch(repeat_pages=True, total="right")
    found = one_pass(state, five)
    assert found.records > 10
    assert found.pieces == 5


def test_a_cursor_that_comes_again_stops_the_pass_and_nothing_is_stored(
    state: Connection, five: Running[Login]
) -> None:
    five.control.switch(same_cursor=True)
    with pytest.raises(CursorRepeatedError, match="a second time"):
        one_pass(state, five)
    assert state.execute("select * from billing.raw_files").fetchall() == []
    assert state.execute("select * from billing.extracted_pieces").fetchall() == []
    five.control.switch(same_cursor=False)
    assert one_pass(state, five).pieces == 5


@pytest.mark.parametrize("total", [4, 6])
def test_a_total_that_differs_stops_the_pass_and_nothing_is_stored(
    state: Connection, five: Running[Login], total: int
) -> None:
    five.control.switch(total=total)
    with pytest.raises(TotalDiffersError, match=f"5 records and says that there are {total}"):
        one_pass(state, five)
    assert state.execute("select * from billing.raw_files").fetchall() == []


def test_a_link_that_leads_elsewhere_gets_no_token(state: Connection, five: Running[Login]) -> None:
    five.control.switch(paging="link", foreign_link=True)
    with pytest.raises(ApiError, match="another host"):
        one_pass(state, five)


def test_what_did_not_change_is_not_sent_again(state: Connection, five: Running[Login]) -> None:
    five.control.switch(etag=True)
    source = api_source(five)
    assert extract(state, source, DEVICES).pieces == 5
    assert extract(state, source, DEVICES).pieces == 0  # from the watermark now: another question
    five.control.post("reset")
    five.control.post("records", {"devices": devices()})
    assert extract(state, source, DEVICES).records == 0
    assert five.control.get("requests")["statuses"] == {"304": 1}
    changed = [*devices(), *devices(6)[5:]]
    five.control.post("records", {"devices": changed})
    assert extract(state, source, DEVICES).pieces == 1


def test_a_token_that_ended_is_renewed_once(state: Connection, five: Running[Login]) -> None:
    five.control.switch(tokens_end=1)
    assert one_pass(state, five).pieces == 5
    assert five.control.get("requests")["operations"]["POST token"] == 2
    five.control.switch(tokens_end=2)
    with pytest.raises(ApiLoginRefusedError, match="refuses our login"):
        one_pass(state, five)


def test_a_login_that_is_refused_is_said_without_secret(state: Connection, five: Running[Login]) -> None:
    five.control.switch(refuse_login=True)
    with pytest.raises(ApiLoginRefusedError) as said:
        one_pass(state, five)
    assert SECRET not in str(said.value)
    assert SECRET not in repr(access(five))


@pytest.mark.parametrize(("said", "least", "most"), [("7", 7, 7), ("date", 1, 30), ("soon", 0.1, 10)])
def test_it_waits_as_long_as_it_is_told(
    state: Connection, five: Running[Login], said: str, least: float, most: float
) -> None:
    at = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    five.control.switch(next_429=1, retry_after=at if said == "date" else said)
    pauses: list[float] = []
    assert extract(state, api_source(five, pauses), DEVICES).pieces == 5
    (pause,) = pauses
    assert least <= pause <= most


def test_it_waits_no_longer_than_it_may(state: Connection, five: Running[Login]) -> None:
    five.control.switch(next_429=1, retry_after="3600")
    pauses: list[float] = []
    with pytest.raises(ApiUnavailableError, match="asked again later"):
        extract(state, api_source(five, pauses), DEVICES)
    assert pauses == []


def test_answers_that_are_lost_are_asked_for_again(state: Connection, five: Running[Login]) -> None:
    five.control.switch(next_dropped=1, next_503=2)
    assert one_pass(state, five).pieces == 5
    five.control.switch(next_503=99)
    with pytest.raises(ApiUnavailableError, match="503"):
        one_pass(state, five)


def test_an_api_that_does_not_answer_is_no_longer_waited_for(state: Connection) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        reader = ApiReader(Access(url, timeout_seconds=0.05), lambda _: None)
        with pytest.raises(ApiUnavailableError, match="ReadTimeout"):
            extract(state, Source("metering", "api", reader.read, OVERLAP), DEVICES)


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ("<html>", 200, "no page"),
        ("[]", 200, "no page"),
        ('{"records": {}}', 200, "no page"),
        ('{"records": [1]}', 200, "no page"),
        ('{"records": [], "total": "many"}', 200, "total is no whole number"),
        ("", 404, "answered 404"),
        ("", 302, "answered 302"),
    ],
)
def test_an_answer_that_is_no_page_stops_the_pass(
    state: Connection, five: Running[Login], body: str, status: int, words: str
) -> None:
    five.control.switch(body=body, status=status)
    with pytest.raises(ApiError, match=words):
        one_pass(state, five)
    assert state.execute("select * from billing.raw_files").fetchall() == []
