"""Bad input, in quantity: no row of a source and no answer of NetSuite stops a run, loses a document or misleads it."""

import gzip
import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from billing_assets.erp.billing_system import reader
from billing_assets.erp.staging.incoming import incoming_row
from billing_assets.foundation.source_database.errors import ValueRefused, asking
from proving.bad_input import campaign, fuzz, rows, wire_inputs
from proving.bad_input.netsuite_inputs import Answering, answering
from proving.bad_input.rows import Case, Row
from proving.bad_input.staging_inputs import Staging, staging
from proving.bad_input.wire_inputs import Sent, envelope, send
from proving.world import builders
from proving.world.builders import codes
from proving.world.databases import _database
from proving.world.raw_server import Call, RawServer, raw_server
from proving.world.rig import Rig, invoices

in_quantity = settings(
    max_examples=150,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
    phases=[Phase.explicit, Phase.generate, Phase.shrink],
)


@pytest.fixture(scope="module")
def world(server_url: str, _migrated: str) -> Iterator[Staging]:
    """Our database and one to read from, for all rows of this module."""
    with (
        _database(server_url, template=_migrated) as state_url,
        _database(server_url, template="template0") as source_url,
        staging(state_url, source_url) as found,
    ):
        yield found


@given(case=rows.cases)
@settings(in_quantity, max_examples=80)
def test_no_row_of_the_source_stops_a_staging_or_is_dropped(world: Staging, case: Case) -> None:
    assert world.faults(case) == []


def test_a_join_that_repeats_every_header_is_held_document_by_document(world: Staging) -> None:
    """More than a thousand documents: the copies come in different chunks."""
    assert world.faults(rows.repeated_headers(1_200)) == []
    held = world.state.execute("select count(*) as n, min(state) as state from billing.staged_invoices").fetchone()
    assert held == {"n": 1_200, "state": "held"}


def test_a_document_of_ten_thousand_lines_is_ready(world: Staging) -> None:
    assert world.faults(rows.large_document(10_000)) == []


@pytest.mark.parametrize(
    ("header", "line", "code", "path"),
    [
        ({"document_id": None}, {}, "FIELD_UNREADABLE", "document_id"),
        ({"document_id": "x" * 501}, {}, "FIELD_UNREADABLE", "document_id"),
        ({"number": " "}, {}, "FIELD_UNREADABLE", "number"),
        ({"number": rows.noise(100_000)}, {}, "TEXT_TOO_LONG", "number"),
        ({"kind": rows.noise(5_000)}, {}, "KIND_UNSUPPORTED", "kind"),
        ({"total": "Infinity"}, {}, "FIELD_UNREADABLE", "total"),
        ({"total": "1" + "0" * 20_000}, {}, "NUMBER_TOO_LARGE", "total"),
        ({"document_date": "infinity"}, {}, "FIELD_UNREADABLE", "documents.sql"),
        ({"created_at": "294276-01-01"}, {}, "FIELD_UNREADABLE", "documents.sql"),
        ({}, {"line_no": "1e20"}, "FIELD_UNREADABLE", "lines[?].line_no"),
        ({}, {"quantity": "NaN"}, "FIELD_UNREADABLE", "lines[1].quantity"),
    ],
)
def test_one_odd_value_holds_its_document_and_no_other(
    world: Staging, header: Row, line: Row, code: str, path: str
) -> None:
    case = rows.one_odd(header, line)
    assert world.faults(case) == []
    held = world.state.execute("select * from billing.staged_invoices where state = 'held'").fetchall()
    assert len(held) == 1
    assert code in codes(held[0])
    assert path in {found["path"] for found in held[0]["findings"]}


def test_a_document_that_gets_its_id_at_last_goes_on_and_its_stand_in_is_gone(world: Staging) -> None:
    world.clear()
    world.stage(rows.one_odd({"document_id": None, "total": "10.00"}, {}))
    world.stage(rows.one_odd({}, {}))
    found = world.state.execute("select number, state from billing.staged_invoices order by 1, 2").fetchall()
    assert [tuple(row.values()) for row in found] == [("G0", "ready"), ("G1", "gone"), ("G1", "ready")]


def test_an_early_year_has_a_month_of_its_own(world: Staging) -> None:
    world.clear()
    world.stage(rows.one_odd({"document_date": "0999-12-31"}, {}))
    row = world.state.execute("select period from billing.staged_invoices where number = 'G1'").fetchone()
    assert row == {"period": "0999-12"}


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"memo": "half \ud83d"}, "memo"),
        ({"number": "\ude00", "document_id": "1"}, "number"),
        ({"extra": {"further": "\ud83d"}}, "further"),
        ({"lines": (builders.line(3, description="\ud83d"),)}, "lines[3].description"),
        ({"lines": (builders.line(3, extra={"meter": "\ud83d"}),)}, "lines[3].meter"),
    ],
)
def test_half_a_surrogate_pair_holds_its_document(changes: Row, path: str) -> None:
    """SQL Server keeps such texts, and no other database, no JSON and no request does."""
    row = incoming_row(builders.document(**changes), None, None, builders.validation())
    assert row is not None
    assert row.outcome == "held"
    (found,) = json.loads(row.findings)
    assert (found["code"], found["path"]) == ("FIELD_UNREADABLE", path)
    assert "".join(value for value in row if isinstance(value, str)).encode()


def test_a_value_that_the_driver_cannot_decode_is_a_refused_value_and_not_a_crash(world: Staging) -> None:
    with (
        reader.connect_source(world.source) as source,
        pytest.raises(ValueRefused, match="cannot read a value"),
        asking(source, "lines.sql"),
    ):
        b"\xff".decode("utf-8")


@pytest.fixture(scope="module")
def netsuite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Answering]:
    """A server that answers what it is told, and the real client of it."""
    with answering(tmp_path_factory.mktemp("answers")) as found:
        yield found


@given(sent=wire_inputs.answers())
@in_quantity
def test_no_answer_to_a_create_lets_the_client_conclude_more_than_it_says(netsuite: Answering, sent: Sent) -> None:
    assert netsuite.faults_of_create(sent) == []


@given(sent=wire_inputs.look_ups)
@in_quantity
def test_no_answer_to_a_look_up_makes_a_document_absent_or_found_that_is_not(netsuite: Answering, sent: Sent) -> None:
    assert netsuite.faults_of_look_up(sent) == []


@given(sent=wire_inputs.tokens)
@in_quantity
def test_no_answer_to_the_login_sends_a_document_without_one(netsuite: Answering, sent: Sent) -> None:
    assert netsuite.faults_of_login(sent) == []


_EXISTS = envelope(400, [{"detail": "This record already exists.", "o:errorCode": "USER_ERROR"}])


@pytest.mark.parametrize(
    "sent",
    [
        Sent(400, (), b"[" * 10_000_000, "length"),
        Sent(502, (("Content-Type", "text/html"),), b"<html>" + b"x" * 10_000_000, "length"),
        Sent(400, (), envelope(400, [{"detail": "x" * 10_000_000}]), "chunked"),
        Sent(200, (("Content-Encoding", "gzip"),), gzip.compress(b" " * 100_000_000, 9), "length"),
        Sent(200, (), b'{"items": [' + b'{"id": "1"},' * 1_000_000 + b'{"id": "1"}], "count": 1}', "length"),
    ],
    ids=["10 MB of brackets", "10 MB of HTML", "10 MB of error", "100 MB in a gzip", "12 MB of rows"],
)
def test_a_huge_answer_is_no_answer(netsuite: Answering, sent: Sent) -> None:
    assert netsuite.faults_of_create(sent) == []
    assert netsuite.faults_of_look_up(sent) == []


def test_the_answer_behind_early_hints_is_never_taken_for_the_next_documents(netsuite: Answering) -> None:
    """103, and the answer proper a moment later: it must not wait in the connection for another request."""
    landed = Sent(204, (("Location", "{base}/services/rest/record/v1/invoice/1"),), b"", "1xx first")
    for _ in range(5):
        assert netsuite.faults_of_create(landed) == []
    refused = Sent(400, (), envelope(400, [{"detail": "Invalid", "o:errorCode": "INVALID_CONTENT"}]), "length")
    assert netsuite.faults_of_create(refused) == []


@pytest.mark.parametrize("target", [import_module(one.module) for one in fuzz.TARGETS.values()], ids=list(fuzz.TARGETS))
def test_what_the_fuzzer_begins_with_goes_well(target: ModuleType) -> None:
    for data in target.seeds():
        target.one_input(data)


@pytest.mark.skipif(not fuzz.AVAILABLE, reason="atheris has wheels for Linux on x86-64 only")
@pytest.mark.parametrize("target", fuzz.TARGETS)
def test_a_fuzzer_guided_by_coverage_finds_nothing(target: str) -> None:
    inputs = 0
    while inputs <= 1_000:  # however busy the machine is
        found = fuzz.run(10, target)
        assert found.fault == ""
        inputs += found.inputs


# The whole way: a gateway that spoils the first answers, before or after NetSuite did its work.


@contextmanager
def spoiling(rig: Rig, spoilt: list[tuple[bool, Sent]]) -> Iterator[RawServer]:
    """Stands before the sandbox. Each pair spoils one create: whether it reaches NetSuite first, and what is said."""
    left, lock = list(spoilt), threading.Lock()

    def forward(call: Call, answer: Sent | None) -> bool:
        method, path, _ = call.head.split(" ", 2)
        with lock:
            found = rig.account.session.request(
                method,
                rig.sandbox.base_url + path,
                data=call.body,
                headers={"Content-Type": "application/json", "Prefer": "transient"},
                timeout=10,
            )
        if answer is not None:
            return send(call, answer, server.base_url)
        place = found.headers.get("Location", "").replace(rig.sandbox.base_url, server.base_url)
        return call.answer(found.status_code, found.content, **({"Location": place} if place else {}))

    def behave(call: Call) -> bool:
        with lock:
            bad = left.pop() if left and "/record/v1/" in call.head else None
        if bad is None:
            return forward(call, None)
        reaches, answer = bad
        return forward(call, answer) if reaches else send(call, answer, server.base_url)

    with raw_server(behave) as server:
        yield server


_ELSEWHERE = "https://7654321.suitetalk.api.netsuite.com/services/rest/record/v1/invoice/9"
ODD = [
    Sent(204, (), b"", "length"),
    Sent(204, (("Location", _ELSEWHERE),), b"", "length"),
    Sent(204, (("Location", "{base}/services/rest/record/v1/customer/9"),), b"", "length"),
    Sent(200, (("Content-Type", "text/html"),), b"<html>Welcome</html>", "length"),
    Sent(302, (("Location", "{base}/login"),), b"", "length"),
    Sent(400, (), b"<html><title>Bad Request</title>", "length"),
    Sent(400, (), _EXISTS[:-9], "length"),
    Sent(400, (), envelope(400, [{"detail": "Please enter value(s) for: x"}]), "announced more"),
    Sent(404, (), b"[" * 5_000, "length"),
    Sent(500, (), b"\xff" * 100, "bad chunk"),
    Sent(503, (("Retry-After", "2\x1d"),), b"", "length"),
    Sent(429, (("Retry-After", "0\x1d"),), b"", "length"),
    Sent(204, (("Location", "{base}/services/rest/record/v1/invoice/9"),), b"", "1xx first"),
    Sent(200, (), b"", "nothing"),
    Sent(200, (), b"", "garbage"),
]


@pytest.mark.parametrize("reaches", [True, False], ids=["after NetSuite took it", "before NetSuite saw it"])
def test_documents_whose_first_answers_are_odd_are_posted_once_and_to_the_cent(rig: Rig, reaches: bool) -> None:
    documents = len(ODD) + 5
    with spoiling(rig, [(reaches, answer) for answer in ODD]) as server:
        spoilt = rig.changed({"base_url": server.base_url, "timeout_seconds": 0.5, "lanes": 4})
        key = spoilt.planned(invoices(documents))
        spoilt.post(key)
        assert set(spoilt.counts()) <= {"posted", "posting", "locked", "batched"}, "none is refused by that"
        spoilt.post_until_done(30)
    rig.assert_whole(documents)


@pytest.mark.campaign
@pytest.mark.skipif("BILLING_TEST_CAMPAIGN" not in os.environ, reason="minutes; BILLING_TEST_CAMPAIGN=1 runs it")
def test_minutes_of_bad_input_find_nothing() -> None:
    found = campaign.run(300)
    assert [row for row in found if row.crashes or row.documents_lost or row.unknowns_misjudged] == []
