"""The HTTP client of NetSuite's REST web services: creates once, reads with patience."""

import json
import threading
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Literal
from urllib.parse import urlencode
from weakref import WeakSet

import requests
import stamina
from requests.auth import AuthBase

from billing_assets.erp.netsuite.auth import BearerAuth, authenticator, secrets_of, without
from billing_assets.erp.netsuite.errors import (
    Mask,
    NetSuiteAnswerUnreadable,
    NetSuiteError,
    NetSuiteLoginRefused,
    NetSuiteUnavailable,
    classify,
    read_error,
)
from billing_assets.erp.netsuite.wire import (
    BrokenExchangeError,
    Exchange,
    NotSentError,
    Wire,
    account_of,
    base_url,
    own_hosts,
)
from billing_assets.erp.settings import NetSuiteSettings
from billing_assets.posting.answers import Answer, NotSent, Unauthorized, Unknown

RecordType = Literal["invoice", "creditMemo"]

_RECORD = "/services/rest/record/v1/"
_SUITEQL = "/services/rest/query/v1/suiteql"
_COMMON = {"Accept": "application/json", "Accept-Language": "en", "User-Agent": "billing-assets"}
_CREATE_HEADERS = {
    **_COMMON,
    "Accept-Encoding": "identity",
    "Content-Type": "application/json",
    "X-NetSuite-PropertyNameValidation": "Error",  # else a misspelt property is dropped silently
}
_READ_HEADERS = {**_COMMON, "Accept-Encoding": "gzip", "Prefer": "transient"}
_CREATE_ANSWER_BYTES = 1_000_000
_READ_ANSWER_BYTES = 16_000_000  # a page of 1,000 rows has about 300 kB
_READ_ATTEMPTS = 6
_REFUSED = 4  # about two seconds
_REFUSED_LOGINS = 2
_LONGEST_RETRY_AFTER_SECONDS = 30.0
_ONCE_SECONDS = 5.0
_LIMITS = {
    "integrationSpecific": "integrationConcurrencyLimit",
    "accountLimit": "accountUnallocatedConcurrencyLimit",  # shared with all that have no limit of their own
}


class NetSuiteClient:
    """One account. Serves any number of threads; each has its own connection, kept alive between requests.

    `shown_within`: how long a new record may take to show in SuiteQL. Raises NetSuiteSettingsError for settings that
    cannot work. Holds no lane: how many requests are in flight is the
    caller's business (`lanes.py`).
    """

    def __init__(self, settings: NetSuiteSettings) -> None:
        self.account = account_of(settings)
        self.base_url = base_url(settings)
        self._hosts = own_hosts(settings)
        self._auth: AuthBase = authenticator(settings)
        self._secrets = secrets_of(settings)
        self._timeout = settings.timeout_seconds
        self.shown_within = timedelta(seconds=settings.read_back_seconds)
        self._local = threading.local()
        self._wires: WeakSet[Wire] = WeakSet()
        self._lock = threading.Lock()
        record_types: tuple[RecordType, ...] = ("invoice", "creditMemo")
        self._creates = {
            record_type: requests.Request(
                "POST", f"{self.base_url}{_RECORD}{record_type}", headers=_CREATE_HEADERS
            ).prepare()
            for record_type in record_types
        }

    def create(self, record_type: RecordType, body: bytes) -> Answer:
        """POST one record once and say what the answer proves. `body` is JSON.

        Only a 401 is repeated, once and with a new token, because NetSuite processes nothing before the login.
        Raises nothing for what NetSuite or the network do: every outcome is an `Answer`.
        """
        request = self._creates[record_type].copy()
        request.prepare_body(body, None)
        try:
            answer, mask = self._send(request, _CREATE_ANSWER_BYTES)
        except NotSentError as error:
            return NotSent(str(error))
        except BrokenExchangeError as error:
            return Unknown(None, str(error))
        except NetSuiteUnavailable as error:  # of the login: the document was not sent
            return NotSent(str(error))
        except NetSuiteError as error:
            return Unauthorized(str(error), 401, "INVALID_LOGIN")
        body = answer.body if answer.complete else b""
        return classify(answer.status, answer.headers, body, record_type, self._hosts, mask)

    def get(
        self, path: str, parameters: Mapping[str, str] | None = None, *, accept: str = "application/json"
    ) -> dict[str, Any]:
        """GET a JSON object, e.g. `record/v1/invoice/eid:INV-1`, with retries. Numbers come as exact strings.

        Raises NetSuiteError.
        """
        url = f"{self.base_url}/services/rest/{path}" + (f"?{urlencode(parameters)}" if parameters else "")
        headers = {**_READ_HEADERS, "Accept": accept}
        return self._read(requests.Request("GET", url, headers=headers).prepare(), f"GET {path}")

    def suiteql_page(self, sql: str, *, limit: int, offset: int) -> dict[str, Any]:
        """One page of a SuiteQL query as NetSuite answers it, with retries. Raises NetSuiteError."""
        url = f"{self.base_url}{_SUITEQL}?limit={limit}&offset={offset}"
        request = requests.Request("POST", url, headers=_READ_HEADERS, json={"q": sql}).prepare()
        return self._read(request, "the query")

    def ask_for_life(self) -> None:
        """One small question, asked once and with little patience. Raises NetSuiteError where no answer comes."""
        url = f"{self.base_url}{_SUITEQL}?limit=1&offset=0"
        question = {"q": "SELECT id FROM currency ORDER BY id"}
        self._ask_once(requests.Request("POST", url, headers=_READ_HEADERS, json=question).prepare(), "the query")

    def concurrency_limit(self) -> int | None:
        """How many requests at once NetSuite allows this integration, asked once and with little patience.

        None where it sets no limit of its own. Raises NetSuiteError: it answers administrators only.
        Source: "GovernanceLimits Operation" in NetSuite's help.
        """
        url = f"{self.base_url}/services/rest/system/v1/governanceLimits"
        found = self._ask_once(requests.Request("GET", url, headers=_READ_HEADERS).prepare(), "governanceLimits")
        name = _LIMITS.get(found.get("integrationLimitType", ""))
        if name is None:
            return None
        limit = found.get(name)
        if not isinstance(limit, str) or not limit.isdecimal():
            raise NetSuiteAnswerUnreadable(f"governanceLimits says no number for {name}", http_status=200)
        return int(limit)

    def close(self) -> None:
        """Close all connections."""
        with self._lock:
            for wire in self._wires:
                wire.close()

    def _ask_once(self, request: requests.PreparedRequest, what: str) -> dict[str, Any]:
        wire = Wire(self.base_url, min(self._timeout, _ONCE_SECONDS))
        try:
            return self._patiently(request, what, NetSuiteLoginRefused, wire)
        finally:
            wire.close()

    def _read(self, request: requests.PreparedRequest, what: str) -> dict[str, Any]:
        return self._patiently(request, what, NetSuiteError)

    def _patiently(
        self, request: requests.PreparedRequest, what: str, for_: type[NetSuiteError], wire: Wire | None = None
    ) -> dict[str, Any]:
        """Reads, again after errors of this type that may pass."""
        for attempt in stamina.retry_context(
            on=_Waiting(for_),
            attempts=_READ_ATTEMPTS,
            timeout=2 * self._timeout,
            wait_initial=0.2,
            wait_max=10,
            wait_jitter=0.3,
        ):
            with attempt:
                return self._read_once(request, what, wire)
        raise AssertionError("stamina ends with the last error")  # pragma: no cover

    def _read_once(self, request: requests.PreparedRequest, what: str, wire: Wire | None = None) -> dict[str, Any]:
        try:
            answer, mask = self._send(request.copy(), _READ_ANSWER_BYTES, wire)
        except (NotSentError, BrokenExchangeError) as error:
            raise NetSuiteUnavailable(f"NetSuite cannot be reached for {what}: {error}", detail=str(error)) from error
        if answer.status != 200:
            raise read_error(answer.status, answer.headers, answer.body, what, mask)
        if not answer.complete:
            raise NetSuiteUnavailable(f"NetSuite's answer to {what} was cut off", http_status=200)
        try:
            found = json.loads(answer.body, parse_float=str, parse_int=str, object_pairs_hook=_once)
        except (ValueError, RecursionError) as error:
            raise NetSuiteAnswerUnreadable(f"The answer to {what} is no JSON", http_status=200) from error
        if not isinstance(found, dict):
            raise NetSuiteAnswerUnreadable(f"The answer to {what} is no JSON object", http_status=200)
        return found

    def _send(self, request: requests.PreparedRequest, limit: int, wire: Wire | None = None) -> tuple[Exchange, Mask]:
        """Sign and send; after a 401 once more with a new token, where there are tokens to renew. Also what takes the
        request's secrets out of a text."""
        wire = wire or self._wire()
        answer = wire.exchange(self._auth(request), limit)
        if answer.status == 401 and isinstance(self._auth, BearerAuth):
            self._auth.forget(request.headers["Authorization"])
            answer = wire.exchange(self._auth(request), limit)
        # The token or signature, and what it was made of.
        signed = str(request.headers["Authorization"]).split(" ", 1)[-1]
        return answer, without([signed, *self._secrets])

    def _wire(self) -> Wire:
        wire: Wire | None = getattr(self._local, "wire", None)
        if wire is None:
            wire = self._local.wire = Wire(self.base_url, self._timeout)
            with self._lock:
                self._wires.add(wire)
        return wire


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON; raises ValueError where a name is twice in it: either of the two may count."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name stands twice in an object")
    return found


class _Waiting:
    """Whether one read is worth repeating; the server's own wish in seconds where it has one.

    One 401 is no proof of wrong credentials: too many parallel calls have shown as that. A create survives it, too.
    """

    def __init__(self, for_: type[NetSuiteError]) -> None:
        self._for = for_
        self._refused = 0

    def __call__(self, error: Exception) -> bool | float:
        if not isinstance(error, self._for):
            return False
        if isinstance(error, NetSuiteLoginRefused):
            self._refused += 1
            return self._refused < (_REFUSED if error.passing else _REFUSED_LOGINS)
        if not isinstance(error, NetSuiteUnavailable):
            return False
        if error.retry_after is not None:
            return min(error.retry_after, _LONGEST_RETRY_AFTER_SECONDS)
        return True
