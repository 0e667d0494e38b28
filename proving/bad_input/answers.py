"""What must hold of every answer of NetSuite, told apart from how the client reads it: the judges of both fuzzers."""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from billing_assets.erp.netsuite.error_codes import ERROR_CODES
from billing_assets.posting.answers import (
    Answer,
    Exists,
    Forbidden,
    Landed,
    NotSent,
    Refused,
    Retry,
    Unauthorized,
    Unknown,
)

_STORABLE = 4_000
Answered = Landed | Exists | Refused | Retry | Unauthorized | Forbidden | NotSent | Unknown


def misjudged(
    answer: Answer, status: int, headers: Mapping[str, str], body: bytes | None, record_type: str, host: str
) -> str | None:
    """Why this may not be concluded from the answer, or None. `body` is None where it was not received whole."""
    reason = None
    if isinstance(answer, Landed):
        reason = _why_not_landed(status, headers.get("Location"), answer.remote_id, record_type, host)
    elif status == 204:
        reason = None if isinstance(answer, Unknown) else "a 204 was taken for a refusal"
    elif isinstance(answer, Refused) and answer.known:
        reason = _why_not_refused(status, body)
    elif isinstance(answer, Refused | Exists | Forbidden) and not (400 <= status < 500 and _entries(body)):
        reason = "a refusal without NetSuite's own words"
    elif isinstance(answer, Retry) and not (status == 429 or (400 <= status < 500 and _entries(body))):
        reason = "nothing says that NetSuite did nothing"
    elif isinstance(answer, Unauthorized) and not (status == 401 or (400 <= status < 500 and _entries(body))):
        reason = "nothing says that the login was refused"
    elif isinstance(answer, NotSent):
        reason = "an answer came, so it was sent"
    return reason or _why_not_storable(answer)


def _why_not_landed(status: int, location: str | None, netsuite_id: str, record_type: str, host: str) -> str | None:
    if status != 204 or not location:
        return "landed without a 204 and a Location"
    url = urlsplit(location.strip())
    if url.netloc and url.netloc.lower() != host:
        return f"landed on {url.netloc}"
    segments = [segment for segment in url.path.split("/") if segment]
    if len(segments) < 4 or segments[-4:-2] != ["record", "v1"]:
        return "landed somewhere that is no record"
    if segments[-2].lower() != record_type.lower() or segments[-1] != netsuite_id or not netsuite_id.isdigit():
        return "landed as another record"
    return None


def _why_not_refused(status: int, body: bytes | None) -> str | None:
    entries = _entries(body)
    if not entries or not 400 <= status < 500 or status in {401, 408, 409, 429}:
        return "refused for good without NetSuite's own words"
    for entry in entries:
        code, text = str(entry.get("o:errorCode") or "").lower(), str(entry.get("detail") or "").lower()
        if "already exists" in text:
            return "refused for good although it may exist"
        if not any(
            row.outcome == "refused"
            and row.name != "OTHER_REFUSAL"
            and status in row.http
            and (row.code is None or row.code.lower() in code)
            for row in ERROR_CODES
        ):
            return f"refused for good, but {code} is no refusal of the table"
        if text == code == "":
            return "refused for good without a word"
    return None


def _entries(body: bytes | None) -> list[dict[str, Any]]:
    try:
        found = json.loads(body or b"")
    except (ValueError, RecursionError):
        return []
    entries = found.get("o:errorDetails") if isinstance(found, dict) else None
    entries = [entries] if isinstance(entries, dict) else entries
    return (
        [one for one in entries if isinstance(one, dict) and (one.get("o:errorCode") or one.get("detail"))]
        if (isinstance(entries, list))
        else []
    )


def _why_not_storable(answer: Answer) -> str | None:
    """Every text goes into a table and a log: no NUL, no half of a pair, no megabyte."""
    for name in answer.__dataclass_fields__:
        value = getattr(answer, name)
        if isinstance(value, str) and (not storable(value) or len(value) > _STORABLE + 500):
            return f"{name} cannot be kept"
    return None


def storable(text: str) -> bool:
    """Whether PostgreSQL, a log and a terminal take the text."""
    return all(char.isprintable() for char in text) and text.encode("utf-8", "replace").decode() == text
