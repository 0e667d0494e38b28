"""Everything that reads NetSuite's answers, as targets of the fuzzer: one input goes to one of them."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, cast

from requests.structures import CaseInsensitiveDict

from billing_assets.erp.bindings import Named
from billing_assets.erp.netsuite import auth, client, look_up
from billing_assets.erp.netsuite.client import NetSuiteClient
from billing_assets.erp.netsuite.errors import NetSuiteAnswerUnreadable, NetSuiteError, classify, read_error
from billing_assets.erp.netsuite.sink import NetSuiteSink
from billing_assets.erp.netsuite.store import Posting
from billing_assets.erp.netsuite.suiteql import (
    ExternalIdConflict,
    NetSuiteTransaction,
    UnreadableRow,
    find_by_external_ids,
)
from billing_assets.erp.netsuite.wire import Exchange
from billing_assets.posting.attempts import OpenAttempt
from billing_assets.posting.look_up import _absent
from billing_assets.posting.states import ItemState
from proving.bad_input.answers import misjudged, storable
from proving.world import builders

_HOST = "127.0.0.1:8080"
_STATUSES = (200, 204, 400, 401, 403, 404, 408, 409, 429, 500, 502, 302, 422)


def seeds() -> list[bytes]:
    """One input of each sort that comes far: what an input's first two bytes mean is said in `one_input`."""
    said = [
        {"status": 400, "o:errorDetails": [{"detail": "Record already exists.", "o:errorCode": "USER_ERROR"}]},
        {
            "status": 400,
            "o:errorDetails": [{"detail": "Invalid", "o:errorCode": "INVALID_CONTENT", "o:errorPath": "x"}],
        },
        {"status": 400, "o:errorDetails": {"detail": "Please enter value(s) for: item"}},
    ]
    row = {"links": [], "id": "647", "externalid": "INV-536365", "type": "CustInvc", "entity": "1001", "currency": "1"}
    page = {"count": 1, "hasMore": False, "items": [row | {"foreigntotal": "10.00", "tranid": "1"}]}
    bodies = [json.dumps(one).encode() for one in (*said, page, {"access_token": "t", "expires_in": 3600})]
    locations = [f"http://{_HOST}/services/rest/record/v1/invoice/647", "/services/rest/record/v1/creditMemo/1"]
    tails = [*bodies, *(location.encode() for location in locations), b"<html><title>502 Bad Gateway</title>"]
    return [bytes([target, status]) + tail for target in range(5) for status in (0, 1, 2, 9) for tail in tails]


def one_input(data: bytes) -> None:
    """Tries one input: the first byte chooses who reads it, the second the status. Raises where it goes wrong."""
    if len(data) < 2:
        return
    target = _TARGETS[data[0] % len(_TARGETS)]
    target(_STATUSES[data[1] % len(_STATUSES)], data[2:])


def _create(status: int, data: bytes) -> None:
    text = data.decode("latin-1")
    headers = CaseInsensitiveDict({"Location": text, "Retry-After": text[:6]})
    for complete in (True, False):
        body = data if complete else b""
        answer = classify(status, headers, body, "invoice", {_HOST})
        wrong = misjudged(answer, status, headers, data if complete else None, "invoice", _HOST)
        assert wrong is None, f"{wrong}: {answer}"


def _read_error(status: int, data: bytes) -> None:
    headers = CaseInsensitiveDict({"Location": data.decode("latin-1"), "Retry-After": "1"})
    error = read_error(status, headers, data, "the query")
    assert isinstance(error, NetSuiteError)
    assert storable(str(error)), repr(str(error))


def _login(status: int, data: bytes) -> None:
    try:
        token, lifetime = auth._token(Exchange(status, CaseInsensitiveDict(), data, complete=True), str)
    except NetSuiteError as error:
        _assert_storable(error)
    else:
        assert status == 200
        assert token
        assert token.isascii()
        assert "\n" not in token
        assert 1 <= lifetime <= 3600


def _assert_storable(error: NetSuiteError) -> None:
    assert storable(str(error)), repr(str(error))


class _Canned:
    """A client that has one answer to every query, read as the real one reads it."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def suiteql_page(self, sql: str, *, limit: int, offset: int) -> dict[str, Any]:

        try:
            found = json.loads(self._body, parse_float=str, parse_int=str, object_pairs_hook=client._once)
        except (ValueError, RecursionError) as error:
            raise NetSuiteAnswerUnreadable("no JSON") from error
        if not isinstance(found, dict):
            raise NetSuiteAnswerUnreadable("no object")
        return found


def _canned(body: bytes) -> NetSuiteClient:
    return cast("NetSuiteClient", _Canned(body))


def _look_up(status: int, data: bytes) -> None:
    try:
        found = find_by_external_ids(_canned(data), ["INV-536365"])
    except NetSuiteError as error:
        _assert_storable(error)
        return
    for one in found.values():
        if isinstance(one, UnreadableRow):
            assert storable(one.problem)
            continue
        for transaction in one.transactions if isinstance(one, ExternalIdConflict) else (one,):
            assert transaction.netsuite_id.isdigit()
            assert storable(f"{transaction.type}{transaction.transaction_number}{transaction.entity}")
    if not found:
        assert not json.loads(data)["items"]


def _judge(status: int, data: bytes) -> None:
    """What a look-up makes of an open attempt: posted only for our type, total and external id."""
    document = builders.document("536365", created_at=datetime(2010, 11, 5, tzinfo=UTC))
    last = ("unknown", "exists", "refused", None)[status % 4]
    mapping = builders.shipped_mapping()
    attempt = OpenAttempt(
        Posting(1, "INV-536365", document),
        attempt=1,
        state=ItemState.POSTING,
        payload=builders.body(mapping, document) if status % 5 else None,
        payload_hash=b"",
        may_have_landed=status % 3 == 0,
        due=status % 2 == 0,
        last_outcome=last,
        last_http_status=500,
        last_code=None,
        last_path=None,
        last_detail=None,
    )
    try:
        found = find_by_external_ids(_canned(data), ["INV-536365"]).get("INV-536365")
    except NetSuiteError:
        return
    if found is None:
        sink = NetSuiteSink(_canned(data), mapping, Named(None, None, "dev"), 0.0)
        outcome = _absent(sink, attempt, send_refused_again=False)
    else:
        outcome = look_up.judge(attempt, found, mapping, {})
    if outcome is None:
        assert found is None or (isinstance(found, UnreadableRow) and last == "refused")
    elif isinstance(found, UnreadableRow):
        assert outcome.state == "posting"
    elif outcome.state == "posted":
        assert isinstance(found, NetSuiteTransaction)
        assert (found.type, found.total, found.external_id.upper()) == (
            "CustInvc",
            Decimal(10).copy_sign(found.total or 0),
            "INV-536365",
        )
        assert (found.entity, found.currency) == ("1001", "1")
    elif outcome.state == "locked":
        assert found is None
        assert attempt.due


_TARGETS: tuple[Callable[[int, bytes], None], ...] = (_create, _read_error, _login, _look_up, _judge)
