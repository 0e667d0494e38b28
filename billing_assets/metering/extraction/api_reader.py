"""An HTTP API as a source: `GET {base}/{resource}?limit=…&updated_since=…`, in pages.

A page is `{"records": […], "next_cursor": "…", "next": "…", "total": n}`: the next page by an opaque cursor, or by a
link, there or in the header `Link`; neither on the last. The total is optional. Of a stream's day of which an interval
changed the API gives all of them. Pages and records may come twice, and pages may be empty before the last.
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple
from urllib.parse import urlencode, urljoin, urlsplit

import requests

from billing_assets.metering.extraction.errors import (
    ApiError,
    ApiLoginRefusedError,
    ApiUnavailableError,
    CursorRepeatedError,
)
from billing_assets.metering.extraction.extracting import Reading
from billing_assets.metering.extraction.store import Mark
from billing_assets.metering.import_engine.extracts.contract import Resource, stamp

_CONNECT_SECONDS = 10
_LARGEST_ANSWER = 100_000_000
_ATTEMPTS = 6
_FIRST_PAUSE = 0.5


@dataclass(frozen=True, slots=True)
class Access:
    """Where the API is, and how we log in; without `token_url` we do not."""

    base_url: str
    token_url: str | None = None
    client_id: str = field(default="", repr=False)
    client_secret: str = field(default="", repr=False)
    timeout_seconds: float = 60
    longest_wait_seconds: float = 300
    page_size: int = 1000


class _Answer(NamedTuple):
    """An answer that was read to its end."""

    status: int
    headers: Mapping[str, str]
    links: Mapping[str, Mapping[str, str]]
    body: bytes


class ApiReader:
    """Reads an API. `wait`: how a pause is made."""

    def __init__(self, access: Access, wait: Callable[[float], None] = time.sleep) -> None:
        self._access, self._wait = access, wait
        self._session = requests.Session()
        self._session.trust_env = False  # no login of a .netrc goes to it
        self._token: str | None = None

    def close(self) -> None:
        """Closes its connections."""
        self._session.close()

    def read(self, resource: Resource, since: datetime | None, mark: Mark) -> Reading:
        """What changed at or after a time. Raises ApiError, also while it is read on."""
        asked = self._url(resource, since)
        headers = {"If-None-Match": mark.etag} if mark.etag and mark.asked == asked else {}
        first = self._get(resource.name, asked, headers)
        if first.status == 304 and headers:
            return Reading((), unchanged=True)
        reading = Reading((), asked=asked, etag=first.headers.get("ETag"))
        reading.records = self._records(resource, asked, first, reading)
        return reading

    def check(self, resource: Resource) -> None:
        """Asks for one page. Raises ApiError."""
        url = f"{self._access.base_url}/{resource.name}?limit=1"
        _page(resource.name, self._get(resource.name, url, {}))

    def _url(self, resource: Resource, since: datetime | None) -> str:
        asked = {"limit": str(self._access.page_size)} | ({"updated_since": stamp(since)} if since else {})
        return f"{self._access.base_url}/{resource.name}?{urlencode(asked)}"

    def _records(self, resource: Resource, asked: str, answer: _Answer, reading: Reading) -> Iterator[dict[str, Any]]:
        seen = {asked}
        url: str | None = asked
        while url is not None:
            page = _page(resource.name, answer)
            yield from page["records"]
            total = page.get("total")
            if total is not None:
                if not (str(total).isascii() and str(total).isdigit()):
                    raise ApiError(resource.name, "the total is no whole number.")
                reading.total = int(str(total))
            url = self._next(resource.name, asked, url, page, answer)
            if url in seen:
                raise CursorRepeatedError(
                    resource.name,
                    "it gave a page's cursor or link a second time. Its pages would never end: ask its "
                    "operator. Nothing was stored, and the next pass begins again.",
                )
            if url is not None:
                seen.add(url)
                answer = self._get(resource.name, url, {})

    def _next(self, resource: str, asked: str, here: str, page: Mapping[str, Any], answer: _Answer) -> str | None:
        if cursor := page.get("next_cursor"):
            return f"{asked}&{urlencode({'cursor': str(cursor)})}"
        link = page.get("next") or answer.links.get("next", {}).get("url")
        if not link:
            return None
        try:
            url = urljoin(here, str(link))
            is_ours = urlsplit(url)[:2] == urlsplit(self._access.base_url)[:2]
        except ValueError:
            is_ours = False
        if not is_ours:
            raise ApiError(resource, "the link to its next page leads to another host, to which no token is sent.")
        return url

    def _get(self, resource: str, url: str, headers: Mapping[str, str]) -> _Answer:
        """An answer of 200 or 304. Waits where it is told to, and asks again where that may help."""
        waited, renewed, pause = 0.0, False, _FIRST_PAUSE
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                answer = self._send(resource, "GET", url, headers={**headers, **self._login(resource)})
            except ApiUnavailableError:
                if attempt == _ATTEMPTS:
                    raise
                answer = None
            status = answer.status if answer else 0
            if answer and status in {200, 304}:
                return answer
            if status == 401 and not renewed and self._access.token_url:
                self._token, renewed = None, True
                continue
            if status in {401, 403}:
                raise ApiLoginRefusedError(
                    resource, f"it refuses our login ({status}). Check client id, secret and what they may read."
                )
            if answer and status != 429 and status < 500:
                raise ApiError(resource, f"it answered {status}. Compare its address and pages with the contract.")
            told = _retry_after(answer.headers) if answer else None
            pause = pause * 2 if told is None else told
            waited += pause
            if waited > self._access.longest_wait_seconds:
                break
            self._wait(pause)
        raise ApiUnavailableError(resource, f"it is not to be had now (status {status}). It is asked again later.")

    def _login(self, resource: str) -> dict[str, str]:
        access = self._access
        if access.token_url is None:
            return {}
        if self._token is None:
            answer = self._send(
                resource,
                "POST",
                access.token_url,
                data={"grant_type": "client_credentials"},
                auth=(access.client_id, access.client_secret),
            )
            if answer.status >= 500 or answer.status == 429:
                raise ApiUnavailableError(resource, f"its login answered {answer.status}.")
            try:
                token = json.loads(answer.body)["access_token"] if answer.status == 200 else None
            except (ValueError, LookupError, TypeError):
                token = None
            if not isinstance(token, str) or not (token.isascii() and token.isprintable() and token):
                raise ApiLoginRefusedError(
                    resource, f"its login gave no token ({answer.status}). Check token_url, client id and secret."
                )
            self._token = token
        return {"Authorization": f"Bearer {self._token}"}

    def _send(self, resource: str, method: str, url: str, **content: Any) -> _Answer:
        """An answer, whole and in time. Raises ApiUnavailableError, without what was sent."""
        seconds = self._access.timeout_seconds
        deadline = time.monotonic() + seconds
        try:
            with self._session.request(
                method,
                url,
                timeout=(min(_CONNECT_SECONDS, seconds), seconds),
                allow_redirects=False,
                stream=True,
                **content,
            ) as response:
                body = bytearray()
                for chunk in response.iter_content(65_536):
                    body += chunk
                    if len(body) > _LARGEST_ANSWER:
                        raise ApiError(resource, f"its answer has more than {_LARGEST_ANSWER:,} bytes.")
                    if time.monotonic() > deadline:
                        raise ApiUnavailableError(resource, f"its answer did not end within {seconds:g} s.")
                return _Answer(response.status_code, response.headers, response.links, bytes(body))
        except (requests.RequestException, UnicodeError) as error:  # their texts may have what was sent
            raise ApiUnavailableError(resource, f"no answer, or not all of it ({type(error).__name__}).") from None


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds of a Retry-After, which has a number or a date."""
    said = headers.get("Retry-After", "").strip()
    if said.isascii() and said.isdigit():
        return float(said[:9])
    try:
        at = parsedate_to_datetime(said)
    except ValueError:
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return max(0.0, (at - datetime.now(UTC)).total_seconds())


def _page(resource: str, answer: _Answer) -> dict[str, Any]:
    """A page; its numbers as texts, as they were written."""
    try:
        found = json.loads(answer.body, parse_float=str, parse_int=str, parse_constant=str)
    except (ValueError, RecursionError):
        found = None
    records = found.get("records") if isinstance(found, dict) else None
    if (
        not isinstance(found, dict)
        or not isinstance(records, list)
        or not all(isinstance(one, dict) for one in records)
    ):
        raise ApiError(resource, "its answer is no page: a JSON object with a list of records.")
    return found
