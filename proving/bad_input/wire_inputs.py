"""Answers as a server, a gateway or an attacker might send them, byte for byte, as Hypothesis strategies."""

import gzip
import json
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Literal, NamedTuple, get_args

from hypothesis import strategies as st
from requests.structures import CaseInsensitiveDict

from billing_assets.erp.netsuite.error_codes import ERROR_CODES
from proving.world.raw_server import Call

Framing = Literal[
    "length", "chunked", "until close", "gzip", "gzip chain", "announced more", "announced less", "bad chunk",
    "half a chunk", "half a gzip", "reset in body", "reset in head", "garbage", "nothing", "1xx first", "two lengths",
    "slow",
]  # fmt: skip
_FRAMINGS: tuple[Framing, ...] = get_args(Framing)
_WHOLE: frozenset[Framing] = frozenset({"length", "chunked", "until close", "gzip", "slow"})


class Sent(NamedTuple):
    """One answer. `base` in a header's value stands for the server's own address."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    framing: Framing

    def head(self, base: str) -> Mapping[str, str]:
        """The headers as a client that knows HTTP sees them: those of one name joined."""
        seen: CaseInsensitiveDict[str] = CaseInsensitiveDict()
        for name, value in self.headers:
            shown = value.replace("{base}", base).strip()
            seen[name] = f"{seen[name]}, {shown}" if name in seen else shown
        return seen

    def whole(self) -> bytes | None:
        """The body that may be believed; None where it did not come whole."""
        if self.framing == "announced less":
            return self.body[: len(self.body) // 2]
        return self.body if self.framing in _WHOLE else None

    @property
    def arrives(self) -> bool:
        """Whether there is an answer at all."""
        return self.framing not in {"reset in head", "garbage", "nothing", "1xx first", "two lengths"}


def send(call: Call, sent: Sent, base: str) -> bool:
    """Sends the answer as it is meant to be sent; False: the connection is to end."""
    with suppress(OSError):
        return _send(call, sent, base)
    return False


def _send(call: Call, sent: Sent, base: str) -> bool:
    lines = [f"HTTP/1.1 {sent.status} Reason"]
    lines += [f"{name}: {value.replace('{base}', base)}" for name, value in sent.headers]
    framing, push = sent.framing, call.connection.sendall
    if framing in {"nothing", "garbage"}:
        push(b"\x16\x03\x01\x02\x00 NOT HTTP " + sent.body[:2_000] if framing == "garbage" else b"")
        return False
    if framing == "1xx first":
        push(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n")
        time.sleep(0.002)
    further, body = _framed(sent)
    head = "\r\n".join([*lines, *further, "", ""]).encode("latin-1", "replace")
    if framing == "reset in head":
        push(head[:-6])
    elif framing == "slow":
        push(head + body[:1])
        time.sleep(0.01)
        push(body[1:])
    else:
        push(head + body)
    if framing.startswith("reset"):
        call.reset()
    return framing in {"length", "chunked", "gzip", "slow"}


def _framed(sent: Sent) -> tuple[list[str], bytes]:
    """The headers that say how long the body is, truly or not, and what is sent for it."""
    body = sent.body
    size = len(body)
    match sent.framing:
        case "chunked":
            chunk = b"%x\r\n%s\r\n" % (size, body) if body else b""
            return ["Transfer-Encoding: chunked"], chunk + b"0\r\n\r\n"
        case "bad chunk":
            return ["Transfer-Encoding: chunked"], b"zz\r\n" + body
        case "half a chunk":
            return ["Transfer-Encoding: chunked"], b"%x\r\n%s" % (size + 9, body)
        case "announced more" | "reset in body":
            return [f"Content-Length: {size + 100}"], body
        case "announced less":
            return [f"Content-Length: {size // 2}"], body
        case "two lengths":
            return [f"Content-Length: {size}", f"Content-Length: {size + 5}"], body
        case "gzip chain":
            return ["Content-Encoding: gzip, gzip, br", f"Content-Length: {size}"], body
        case "gzip" | "half a gzip":
            packed = gzip.compress(body, 1)
            packed = packed if sent.framing == "gzip" else packed[: len(packed) // 2]
            length = [] if sent.status == 204 else [f"Content-Length: {len(packed)}"]
            return ["Content-Encoding: gzip", *length], b"" if sent.status == 204 else packed
        case "until close":
            return [], body
    return ([], b"") if sent.status == 204 else ([f"Content-Length: {size}"], body)


# Bodies


def envelope(status: int, details: Any, **more: Any) -> bytes:
    """NetSuite's error envelope."""
    kind = "https://www.rfc-editor.org/rfc/rfc9110.html"
    return json.dumps({"type": kind, "title": "Error", "status": status, "o:errorDetails": details} | more).encode()


_codes = st.sampled_from(
    [row.code for row in ERROR_CODES if row.code] + ["USER_ERROR", "", "UNKNOWN_CODE", "user_error"]
)
_words = st.sampled_from(
    [row.text for row in ERROR_CODES if row.text]
    + [
        "Error while accessing a resource. This record already exists.",
        "Der Datensatz ist bereits vorhanden.",
        "Invalid Field Value 9999 for the following field: item",
        "An unexpected error occurred. Error ID: x",
        "\u0000\ud800 odd \u202e",
        "",
        "x" * 5_000,
    ]
)
_json = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20), _words),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)),
    max_leaves=8,
)
_detail = st.fixed_dictionaries(
    {"detail": st.one_of(_words, _words, _json)},
    optional={"o:errorCode": st.one_of(_codes, _codes, _json), "o:errorPath": st.one_of(st.text(max_size=20), _json)},
)
_deep = st.integers(900, 100_000).map(lambda depth: b'{"status":400,"o:errorDetails":[{"detail":' + b"[" * depth)
_nested = st.integers(100, 2_000).map(
    lambda depth: b'{"o:errorDetails":[{"o:errorCode":"USER_ERROR","detail":' + b"[" * depth + b"]" * depth + b"}]}"
)


@st.composite
def error_bodies(draw: st.DrawFn, status: int) -> bytes:
    """Envelopes, nearly envelopes, and what gateways send."""
    details = draw(st.one_of(st.lists(_detail, max_size=3), _detail, _json))
    said: Any = draw(st.sampled_from([status, status, status, str(status), None, 200, 9e99, [status]]))
    whole = envelope(said, details)
    kind = draw(st.integers(0, 11))
    if kind == 0:
        whole = whole[: draw(st.integers(0, len(whole)))]
    elif kind == 1:
        place = draw(st.integers(0, len(whole)))
        whole = whole[:place] + draw(st.binary(max_size=6)) + whole[place:]
    elif kind == 2:
        whole = draw(
            st.sampled_from([b"", b"<html><title>502 Bad Gateway</title>", b"\xff\xfe", b"null", b"[]", b'""'])
        )
    elif kind == 3:
        whole = draw(st.one_of(_deep, _nested))
    elif kind == 4:
        whole = draw(st.binary(max_size=200))
    elif kind == 5:
        whole = whole.decode().encode(draw(st.sampled_from(["utf-16", "utf-32", "utf-8-sig"])))
    elif kind == 6:
        whole = whole.replace(b'"status"', b'"status": 404, "status"')
    return whole


LOCATIONS = (
    "{base}/services/rest/record/v1/{type}/{id}",
    "{base}/services/rest/record/v1/{type}/{id}",
    "/services/rest/record/v1/{type}/{id}",
    "https://7654321.suitetalk.api.netsuite.com/services/rest/record/v1/{type}/{id}",
    "//evil.example/services/rest/record/v1/{type}/{id}",
    "{base}.evil.example/services/rest/record/v1/{type}/{id}",
    "{base}@evil.example/services/rest/record/v1/{type}/{id}",
    "{base}/services/rest/record/v1/customer/{id}",
    "{base}/services/rest/record/v1/{type}/eid:INV-1",
    "{base}/login?next=/services/rest/record/v1/{type}/{id}",
    "{base}/x#/services/rest/record/v1/{type}/{id}",
    "{base}/services/rest/record/v1/{type}/{id}/item/1",
    "http://[::1/services/rest/record/v1/{type}/{id}",
    "javascript:/record/v1/{type}/{id}",
    "{id}",
    " ",
)
_ids = st.one_of(
    st.integers(1, 10**7).map(str), st.sampled_from(["0", "-5", "007", "1e3", "9" * 19, "6\u00b2", "12 34"])
)
_STATUSES = (
    200, 201, 202, 204, 204, 204, 204, 205, 301, 302, 307, 400, 400, 400, 400, 401, 403, 404, 405, 408, 409, 413, 415,
    422, 429, 500, 502, 503, 504, 599, 999,
)  # fmt: skip
_TYPES = (
    "application/vnd.oracle.resource+json; type=error",
    "application/json",
    "text/html",
    "",
    "image/png; charset=",
)


@st.composite
def answers(draw: st.DrawFn, record_type: str = "invoice") -> Sent:
    """Any answer to a create."""
    status = draw(st.sampled_from(_STATUSES))
    headers = [("Content-Type", draw(st.sampled_from(_TYPES)))]
    located = draw(st.integers(0, 3)) > 0 if status == 204 else draw(st.booleans())
    for _ in range(draw(st.sampled_from([1, 1, 1, 2])) if located else 0):
        kind = draw(st.sampled_from([record_type, record_type, record_type, record_type.upper(), "creditMemo", "task"]))
        place = draw(st.sampled_from(LOCATIONS)).replace("{type}", kind).replace("{id}", draw(_ids))
        headers.append((draw(st.sampled_from(["Location", "location", "LOCATION"])), place))
    if draw(st.integers(0, 4)) == 0:
        odd = ["Retry-After", "Content-Type", "Set-Cookie", "WWW-Authenticate", "Date", "Connection", "X-Odd"]
        value = st.one_of(
            st.text(st.characters(codec="latin-1", exclude_characters="\r\n"), max_size=30), st.just("17")
        )
        headers.append((draw(st.sampled_from(odd)), draw(value)))
    framing: Framing = "length" if draw(st.booleans()) else draw(st.sampled_from(_FRAMINGS))
    return Sent(status, tuple(headers), draw(error_bodies(status)), framing)


# Answers to a look-up

_GOOD_ROW = {
    "links": [], "id": "647", "externalid": "INV-1", "type": "CustInvc", "tranid": "INV001", "entity": "1001",
    "currency": "1", "foreigntotal": "10.00", "trandate": "2010-11-05",
}  # fmt: skip


@st.composite
def pages(draw: st.DrawFn) -> bytes:
    """A page of SuiteQL, as it should be or nearly."""
    rows: list[Any] = []
    for _ in range(draw(st.sampled_from([0, 1, 1, 2]))):
        row: dict[str, Any] = dict(_GOOD_ROW)
        for name in draw(st.lists(st.sampled_from(sorted(row)), max_size=2)):
            row[draw(st.sampled_from([name, name, name.upper()]))] = draw(
                st.one_of(
                    _json, st.sampled_from(["INV-2", "inv-1", "647", 647, 10, "1e3", "NaN", "\u0000", "\ud800", ""])
                )
            )
        rows.append(draw(st.sampled_from([row, row, row, "row", None, []])))
    page: dict[str, Any] = {"links": [], "count": len(rows), "hasMore": False, "items": rows, "offset": 0}
    page["totalResults"] = len(rows)
    for name in draw(st.lists(st.sampled_from(["count", "hasMore", "items"]), max_size=1)):
        page[name] = draw(_json)
    if draw(st.integers(0, 5)) == 0:
        del page[draw(st.sampled_from(sorted(page)))]
    whole = json.dumps(page).encode()
    kind = draw(st.integers(0, 9))
    if kind == 0:
        whole = whole[: draw(st.integers(0, len(whole)))]
    elif kind == 1:
        whole = draw(st.one_of(st.binary(max_size=50), _deep, st.sampled_from([b"", b"[]", b"<html>", b"{}"])))
    return whole


look_ups = st.builds(
    Sent,
    st.sampled_from([200, 200, 200, 200, 200, 201, 204, 302, 400, 401, 403, 404, 429, 500, 502]),
    st.just((("Content-Type", "application/json"),)),
    st.one_of(pages(), pages(), pages(), error_bodies(400)),
    st.one_of(st.just("length"), st.just("length"), st.sampled_from(_FRAMINGS)),
)

_token_fields = st.fixed_dictionaries(
    {},
    optional={
        "access_token": st.one_of(st.text(max_size=30), st.just("token-1"), _json, st.just("a\r\nX-Injected: 1")),
        "expires_in": st.one_of(_json, st.sampled_from([0, -1, "3600", "inf", 10**400, "1e400", [], True])),
        "error": st.one_of(_json, st.just("invalid_grant")),
        "error_description": st.one_of(_json, _words),
        "token_type": _json,
    },
)
tokens = st.builds(
    Sent,
    st.sampled_from([200, 200, 200, 400, 401, 403, 404, 429, 500, 502, 302, 204]),
    st.just((("Content-Type", "application/json"),)),
    st.one_of(_token_fields.map(lambda fields: json.dumps(fields).encode()), error_bodies(400)),
    st.one_of(st.just("length"), st.just("length"), st.sampled_from(_FRAMINGS)),
)
