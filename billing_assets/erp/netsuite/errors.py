"""What NetSuite's answers mean: the outcome of a create, the errors of reads, and the table of error codes.

A document counts as *not landed* only where NetSuite itself says so. Everything else, unforeseen answers included, is
`Unknown` and has to be looked up by its external id before anything else happens to it.
"""

import json
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from billing_assets.erp.netsuite.error_codes import ERROR_CODES, ErrorCode
from billing_assets.foundation.errors import BillingError
from billing_assets.foundation.words import ask_the_doctor
from billing_assets.posting.answers import (
    Answer,
    Exists,
    Forbidden,
    Landed,
    Refused,
    Retry,
    Unauthorized,
    Unavailable,
    Unknown,
)


@dataclass(frozen=True, slots=True)
class ErrorDetail:
    """One entry of NetSuite's `o:errorDetails`; absent parts are empty."""

    code: str
    path: str
    detail: str


Mask = Callable[[str], str]
"""Takes what must not be told out of a text of NetSuite's. The answer is read first: JSON out of which something is
cut may be none."""


def _told(text: str) -> str:
    return text


def error_details(status: int, body: bytes) -> tuple[ErrorDetail, ...]:
    """The details of NetSuite's error envelope; none where the body is not one or names another status."""
    try:
        return _details(status, json.loads(body))
    except (ValueError, RecursionError):
        return ()


def _details(status: int, envelope: Any) -> tuple[ErrorDetail, ...]:
    if not isinstance(envelope, dict):
        return ()
    said = envelope.get("status")
    if said is not None and _text(said) != str(status):
        return ()
    entries = envelope.get("o:errorDetails")
    entries = [entries] if isinstance(entries, dict) else entries
    if not isinstance(entries, list):
        return ()
    details = (
        ErrorDetail(
            code=_text(entry.get("o:errorCode")),
            path=_text(entry.get("o:errorPath")),
            detail=_text(entry.get("detail")),
        )
        for entry in entries
        if isinstance(entry, dict)
    )
    return tuple(found for found in details if found.code or found.detail)


def classify(
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    record_type: str | None = None,
    hosts: Collection[str] | None = None,
    mask: Mask = _told,
) -> Answer:
    """What the answer to a create says about the document.

    `headers` must ignore case. With `record_type` (`invoice`, `creditMemo`) a `Location` that names another type
    does not count, with `hosts` (`host` or `host:port`, lower case) one on another host. `body` may be cut short: what
    cannot be read whole proves nothing. `mask` goes over every text of NetSuite's in the answer, once it is understood.
    """
    if status == 204:
        return _created(headers.get("Location"), record_type, hosts, mask)
    details = error_details(status, body)
    if status == 401:
        return _unauthorized(_joined(details, mask) or "HTTP 401")
    if status == 429:
        return _retry(status, details, headers, mask, throttled=True)
    if details and 400 <= status < 500:
        return _refusal(status, headers, details, mask)
    return Unknown(status, _describe(status, headers, body, mask, details))


def _refusal(status: int, headers: Mapping[str, str], details: tuple[ErrorDetail, ...], mask: Mask) -> Answer:
    """The answer that NetSuite's own error details give; of several, the one decides that leaves most open."""
    rules = [_rule(status, detail) for detail in details]
    outcomes = {rule.outcome if rule else "unknown" for rule in rules}
    code = _codes(details, mask)[:_LONGEST_CODE]
    path = mask(", ".join(dict.fromkeys(detail.path for detail in details if detail.path)))[:_LONGEST_PATH] or None
    text = _joined(details, mask)
    answer: Answer
    if "exists" in outcomes:
        answer = Exists(status, code, text)
    elif "unknown" in outcomes:
        answer = Unknown(status, _describe(status, headers, b"", mask, details))
    elif "unauthorized" in outcomes:
        answer = _unauthorized(text)
    elif "forbidden" in outcomes:
        answer = Forbidden(code, text, 403)
    elif "refused" in outcomes:
        known = all(rule is not None and rule.name != "OTHER_REFUSAL" for rule in rules) and not about_application(path)
        answer = Refused(status, code, path, text, known)
    else:
        answer = _retry(status, details, headers, mask, throttled="throttled" in outcomes)
    return answer


def _unauthorized(detail: str) -> Unauthorized:
    return Unauthorized(detail, 401, "INVALID_LOGIN")


def about_application(path: str | None) -> bool:
    """Whether a refusal names what a credit memo is applied to."""
    return path is not None and path.startswith("apply")


def explain(status: int | None, code: str, detail: str) -> ErrorCode | None:
    """The row of the table for what was logged of an answer, or None."""
    return _rule(status, ErrorDetail(code, "", detail)) if status is not None else None


def _rule(status: int, detail: ErrorDetail) -> ErrorCode | None:
    code, text = detail.code.casefold(), " ".join(detail.detail.split()).casefold()
    for rule in ERROR_CODES:
        if (
            status in rule.http
            and (rule.code is None or rule.code.casefold() == code)
            and (rule.text is None or rule.text.casefold() in text)
        ):
            return rule
    return None


_RECORD_PATH = re.compile(r".*/record/v1/(?P<type>[A-Za-z]+)/(?P<id>[1-9][0-9]{0,17})/?", re.ASCII)


def _created(
    location: str | None, record_type: str | None, hosts: Collection[str] | None, mask: Mask
) -> Landed | Unknown:
    if not location:
        return Unknown(204, "HTTP 204 without the new record's Location")
    shown = clean(mask(location), 200)
    try:
        url = urlsplit(location.strip())
    except ValueError:
        return Unknown(204, f"HTTP 204 with a Location that is none: {shown}")
    found = _RECORD_PATH.fullmatch(url.path)
    if found is None or (record_type is not None and found["type"].casefold() != record_type.casefold()):
        return Unknown(204, f"HTTP 204 with a Location that names no {record_type or 'record'}: {shown}")
    if url.scheme not in {"", "http", "https"} or (
        url.netloc and hosts is not None and url.netloc.lower() not in hosts
    ):
        return Unknown(204, f"HTTP 204 with a Location on another host: {shown}")
    return Landed(found["id"], 204)


def _retry(
    status: int, details: tuple[ErrorDetail, ...], headers: Mapping[str, str], mask: Mask, *, throttled: bool
) -> Retry:
    code = mask(details[0].code)[:_LONGEST_CODE] if details else ""
    return Retry(
        status,
        code,
        _joined(details, mask) or f"HTTP {status}",
        throttled,
        retry_after_seconds(headers.get("Retry-After")),
    )


def retry_after_seconds(value: str | None) -> float | None:
    """The seconds of a `Retry-After`; None for none, and for its rare form as a date."""
    found = re.fullmatch(r"\s*([0-9]{1,5})\s*", value, re.ASCII) if value else None
    return float(found[1]) if found else None


def _text(value: Any) -> str:
    if not value or isinstance(value, bool):
        return ""
    return clean(value if isinstance(value, str) else json.dumps(value), _LONGEST_READ)


_LONGEST_READ = 20_000  # far above what is shown: no half of a secret, which no mask finds, is left at its end
_LONGEST_TOLD = 2_000
_LONGEST_CODE = 200
_LONGEST_PATH = 1_000


def clean(text: str, limit: int) -> str:
    """Text that every database and log takes: no control characters, no lone surrogates, bounded."""
    cut = text[:limit]
    if cut.isprintable():
        return cut.strip()
    printable = "".join(char if char.isprintable() else " " for char in cut)
    return printable.encode("utf-8", "replace").decode().strip()


def _joined(details: tuple[ErrorDetail, ...], mask: Mask) -> str:
    return " | ".join(mask(detail.detail or detail.code)[:_LONGEST_TOLD] for detail in details)[:4_000]


def _codes(details: tuple[ErrorDetail, ...], mask: Mask) -> str:
    return mask(", ".join(dict.fromkeys(detail.code for detail in details if detail.code)))


_TITLE = re.compile(rb"<title[^>]*>([^<]{1,2000})", re.IGNORECASE)


def _describe(
    status: int, headers: Mapping[str, str], body: bytes, mask: Mask, details: tuple[ErrorDetail, ...] = ()
) -> str:
    """One line for a person about an answer that says nothing certain."""
    if details:
        return f"HTTP {status} {_codes(details, mask)}: {_joined(details, mask)}"
    if 300 <= status < 400:
        return f"HTTP {status}, a redirect to {clean(mask(headers.get('Location', 'nowhere')), 200)}: not followed"
    title = _TITLE.search(body[:10_000])
    if title:
        return f"HTTP {status}, a page of a gateway: {clean(mask(title[1].decode('utf-8', 'replace')), 200)}"
    return f"HTTP {status} without NetSuite's error envelope"


class NetSuiteError(BillingError):
    """A read or the login failed. `detail` is for people, `http_status` is None where there was no answer;
    `netsuite_code` is what NetSuite calls the problem."""

    system = "NetSuite"
    to_do = ask_the_doctor(system)

    def __init__(self, message: str, *, http_status: int | None = None, code: str = "", detail: str = "") -> None:
        super().__init__(message)
        self.http_status = http_status
        self.netsuite_code = code
        self.detail = detail


class NetSuiteUnavailable(NetSuiteError, Unavailable):  # noqa: N818 - says what happened
    """NetSuite cannot be reached, is down or too busy (`throttled`). Later it may work."""

    def __init__(
        self,
        message: str,
        *,
        http_status: int | None = None,
        code: str = "",
        detail: str = "",
        throttled: bool = False,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message, http_status=http_status, code=code, detail=detail)
        self.throttled = throttled
        self.retry_after = retry_after


class NetSuiteLoginRefused(NetSuiteError):  # noqa: N818 - says what happened
    """The credentials are wrong, expired or revoked. `passing`: it was said to a question, not to the login; too many
    parallel calls have shown as that, too."""

    passing = False


class NetSuiteForbidden(NetSuiteError):  # noqa: N818 - says what happened
    """The role lacks a permission."""


class NetSuiteNotFound(NetSuiteError):  # noqa: N818 - says what happened
    """There is no such record or address."""


class NetSuiteQueryRefused(NetSuiteError):  # noqa: N818 - says what happened
    """NetSuite does not accept the query or request."""


class NetSuiteAnswerUnreadable(NetSuiteError):  # noqa: N818 - says what happened
    """NetSuite answered something that this client does not understand."""


def read_error(status: int, headers: Mapping[str, str], body: bytes, what: str, mask: Mask = _told) -> NetSuiteError:
    """The error for a read's answer that is no success. `what` names the read, e.g. `the query`; `mask` as in
    `classify`."""
    details = error_details(status, body)
    code = mask(details[0].code)[:_LONGEST_TOLD] if details else ""
    detail = _joined(details, mask) or _describe(status, headers, body, mask)
    throttled = status == 429 or code.upper() in _THROTTLED
    if throttled or status == 408 or status >= 500:
        return NetSuiteUnavailable(
            f"NetSuite {'is too busy' if throttled else 'failed'} on {what}: {detail}",
            http_status=status,
            code=code,
            detail=detail,
            throttled=throttled,
            retry_after=retry_after_seconds(headers.get("Retry-After")),
        )
    kind: type[NetSuiteError]
    if status == 401:
        kind, message = NetSuiteLoginRefused, f"NetSuite refused the login for {what}: {detail} (`billing doctor`)"
    elif status == 403 or code.upper() == "INSUFFICIENT_PERMISSION":
        kind, message = NetSuiteForbidden, f"NetSuite forbids {what}; give the role the permission: {detail}"
    elif status == 404:
        kind, message = NetSuiteNotFound, f"NetSuite has nothing there for {what}: {detail}"
    elif 400 <= status < 500:
        kind, message = NetSuiteQueryRefused, f"NetSuite refused {what}: {detail}"
    else:
        kind = NetSuiteAnswerUnreadable
        message = f"The answer to {what} is not NetSuite's: {detail}. Check BILLING_NETSUITE__BASE_URL."
    error = kind(message, http_status=status, code=code, detail=detail)
    if isinstance(error, NetSuiteLoginRefused):
        error.passing = True
    return error


_THROTTLED = frozenset(row.code for row in ERROR_CODES if row.outcome == "throttled")
