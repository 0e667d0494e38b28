"""One HTTP exchange with NetSuite: sent once, never redirected, never repeated, and honest about whether it left.

requests says how to reach a server (proxies, certificates), urllib3 sends: on the way of a POST that may happen once
there is no place for redirects, cookies, `.netrc` or hooks.
"""

import re
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from http.client import HTTPException
from typing import Any, NamedTuple
from urllib.parse import SplitResult, quote, urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from billing_assets.erp import accounts
from billing_assets.erp.bindings import Named
from billing_assets.erp.settings import NetSuiteSettings
from billing_assets.foundation.settings import Settings, SettingsError

_CONNECT_SECONDS = 10.0
_CHUNK = 65_536


class NetSuiteSettingsError(SettingsError):
    """A setting of NetSuite is missing or wrong. `settings` names them, `variables` the environment variables."""

    def __init__(self, message: str, *names: str) -> None:
        super().__init__(message)
        self.settings = tuple(f"netsuite.{name}" for name in names)
        self.variables = tuple(variable(name) for name in names)


class NotSentError(Exception):
    """No byte of the request left this machine."""


class BrokenExchangeError(Exception):
    """Some of the request may have left, and no answer came."""


class Exchange(NamedTuple):
    """An answer. `headers` ignore case; `complete` is false where the body was cut off or above the limit."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    complete: bool


def variable(name: str) -> str:
    """The environment variable of a setting of the section `netsuite`."""
    return f"BILLING_NETSUITE__{name.upper()}"


def account_of(settings: NetSuiteSettings) -> str:
    """The account id as NetSuite shows it. Raises NetSuiteSettingsError where none is set."""
    if settings.account is None or not settings.account.strip():
        raise NetSuiteSettingsError(
            f"{variable('account')} is not set: it names the NetSuite account, e.g. 1234567 or 1234567_SB1. There is "
            "no default. `make run` sets it for the sample.",
            "account",
        )
    if not accounts.is_account(settings.account):
        raise NetSuiteSettingsError(
            f"{variable('account')}={settings.account!r} is no account id; it looks like 1234567 or 1234567_SB1.",
            "account",
        )
    return accounts.canonical(settings.account)


def record_link(settings: NetSuiteSettings, netsuite_id: str) -> str:
    """Where a person opens a transaction in NetSuite's web pages."""
    pages = settings.app_url or f"https://{accounts.label(account_of(settings))}.app.netsuite.com"
    return f"{pages.rstrip('/')}/app/accounting/transactions/transaction.nl?id={quote(netsuite_id, safe='')}"


def base_url(settings: NetSuiteSettings) -> str:
    """Scheme and host of the account's REST services, without a slash at the end. Raises NetSuiteSettingsError."""
    if settings.base_url is None:
        return f"https://{accounts.label(account_of(settings))}.suitetalk.api.netsuite.com"
    try:
        url = urlsplit(settings.base_url.strip())
        _ = url.port
    except ValueError:
        url = urlsplit("")
    if not url.hostname or url.username or url.query or url.fragment or not _safe(url):
        raise NetSuiteSettingsError(
            f"{variable('base_url')} must look like https://1234567-sb1.suitetalk.api.netsuite.com, without user, "
            "query or fragment; plain http is allowed to this machine only (127.0.0.1, localhost).",
            "base_url",
        )
    return url.geturl().rstrip("/")


def host(settings: NetSuiteSettings) -> str:
    """Where the REST services are, as it is compared: host, port where it is none of the usual ones, and path."""
    url = urlsplit(base_url(settings))
    usual = {"https": ":443", "http": ":80"}[url.scheme]
    return url.netloc.lower().removesuffix(usual) + url.path


def named(settings: Settings, prefixes: Mapping[str, str]) -> Named:
    """What settings and mapping name, to be compared with what our database is bound to.

    Raises NetSuiteSettingsError.
    """
    if settings.of(NetSuiteSettings).account is None:
        return Named(None, None, settings.env, prefixes)
    return Named(account_of(settings.of(NetSuiteSettings)), host(settings.of(NetSuiteSettings)), settings.env, prefixes)


def own_hosts(settings: NetSuiteSettings) -> frozenset[str]:
    """The hosts (with a port where it is none of the usual ones) under which the account names its own records."""
    by_account = settings.model_copy(update={"base_url": None})
    named = {urlsplit(base_url(settings)).netloc.lower()}
    with suppress(NetSuiteSettingsError):
        named.add(urlsplit(base_url(by_account)).netloc.lower())
    return frozenset(named | {host.removesuffix(":443") for host in named} | {f"{host}:443" for host in named})


def _safe(url: SplitResult) -> bool:
    host = url.hostname or ""
    loopback = host in {"localhost", "::1"} or re.fullmatch(r"127(\.[0-9]{1,3}){3}", host) is not None
    return url.scheme == "https" or (url.scheme == "http" and loopback)


class Wire:
    """The connections of one thread to one server. Not for sharing between threads.

    Proxies and a private certificate authority come from the usual variables (HTTPS_PROXY, REQUESTS_CA_BUNDLE) as
    requests reads them; the server's certificate is always verified.
    """

    def __init__(self, url: str, timeout_seconds: float) -> None:
        self._adapter = _Adapter(max_retries=0, pool_connections=1, pool_maxsize=1)
        with requests.Session() as session:
            environment = session.merge_environment_settings(url, {}, True, None, None)
        self._proxies: Any = environment["proxies"]
        self._verify, self._certificate = environment["verify"], environment["cert"]
        self._seconds = timeout_seconds
        self._timeout = urllib3.Timeout(connect=min(timeout_seconds, _CONNECT_SECONDS), read=timeout_seconds)
        self._pool: Any = None  # of urllib3, once the first request names the server

    def exchange(self, request: requests.PreparedRequest, limit_bytes: int) -> Exchange:
        """Send `request` once and read its answer, at most `limit_bytes` of the body.

        Raises NotSentError or BrokenExchangeError. The timeout holds for each wait, and for the body as a whole.
        """
        deadline = time.monotonic() + self._seconds
        _thread.sent = False
        try:
            response = self._send(request)
        except (requests.RequestException, urllib3.exceptions.HTTPError, HTTPException, OSError) as error:
            if _thread.sent:
                raise BrokenExchangeError(_reason(error)) from error
            raise NotSentError(_reason(error)) from error
        if response.status < 200:
            # 100 is skipped below us, but not 102 and 103: the answer proper would be taken for the next request's.
            response.close()
            raise BrokenExchangeError(f"HTTP {response.status}, and no answer was waited for")
        encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
        if encoding not in {"identity", "gzip"}:  # never asked for
            response.close()
            return Exchange(response.status, response.headers, b"", False)
        body, complete = _read(response, limit_bytes, deadline)
        return Exchange(response.status, response.headers, body, complete)

    def _send(self, request: requests.PreparedRequest) -> urllib3.BaseHTTPResponse:
        """What `HTTPAdapter.send` does, with what is the same for all requests to one server done once: it costs as
        much as the request itself."""
        pool = self._pool
        if pool is None:
            verify, certificate = self._verify, self._certificate
            pool = self._adapter.get_connection_with_tls_context(request, verify, self._proxies, certificate)
            self._adapter.cert_verify(pool, request.url, verify, certificate)  # type: ignore[no-untyped-call]
            self._pool = pool
        found: urllib3.BaseHTTPResponse = pool.urlopen(
            request.method or "",
            self._adapter.request_url(request, self._proxies) if self._proxies else request.path_url,
            request.body,
            dict(request.headers),
            self._adapter.max_retries,
            redirect=False,
            assert_same_host=False,
            timeout=self._timeout,
            preload_content=False,
            decode_content=False,
        )
        return found

    def close(self) -> None:
        """Close the connections."""
        self._pool = None
        self._adapter.close()


def _read(raw: urllib3.BaseHTTPResponse, limit: int, deadline: float) -> tuple[bytes, bool]:
    """The body and whether it is whole. A body that is not whole costs its connection."""
    chunks: list[bytes] = []
    size = 0
    try:
        while size <= limit and time.monotonic() < deadline:
            chunk = raw.read1(_CHUNK, decode_content=True)
            if not chunk:
                raw.release_conn()
                return b"".join(chunks), True
            chunks.append(chunk)
            size += len(chunk)
    except (urllib3.exceptions.HTTPError, HTTPException, OSError):
        pass  # what came so far is what there is: the caller learns that it is not whole
    raw.close()
    return b"".join(chunks)[:limit], False


_PLACES = re.compile(r"<[^<>]*object at 0x[0-9a-f]+>:? ?|\(Caused by ", re.IGNORECASE)


def _reason(error: Exception) -> str:
    """The innermost cause in one line, without addresses of objects."""
    cause: BaseException = error
    while True:
        inner = getattr(cause, "reason", None) or (cause.args[0] if cause.args else None)
        if not isinstance(inner, BaseException):
            break
        cause = inner
    text = _PLACES.sub("", str(cause)).strip().rstrip(")") or type(cause).__name__
    return f"{type(cause).__name__}: {text[:300]}"


# Whether a request left is seen where its bytes go to the socket, not guessed from the kind of exception: some kinds
# (TLS, timeouts) happen before and after.
_thread = threading.local()


class _Connection(HTTPConnection):
    _parts: list[bytes] | None = None

    def request(self, *arguments: Any, **named: Any) -> None:
        """Sends head and body together: one call to the operating system, one packet where they fit."""
        parts: list[bytes] = []
        self._parts = parts
        try:
            super().request(*arguments, **named)
        finally:
            self._parts = None
        self.transmit(b"".join(parts))

    def connect(self) -> None:
        try:
            super().connect()
        finally:
            _thread.sent = False  # a proxy's CONNECT is no part of the request

    def send(self, data: Any) -> None:
        """Collects what `request` says; all else, a proxy's CONNECT, leaves at once."""
        if self._parts is None:
            self.transmit(data)
        else:
            self._parts.append(data)

    def transmit(self, data: bytes) -> None:
        """Bytes leave this machine here and nowhere else."""
        if self.sock is None:
            self.connect()
        _thread.sent = True
        super().send(data)


class _SecureConnection(_Connection, HTTPSConnection):
    """The same over TLS: `_Connection` comes first and HTTPSConnection does the connecting."""


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


_POOLS = {"http": _Pool, "https": _SecurePool}


class _Adapter(HTTPAdapter):
    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, proxy: Any, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **kwargs)
        if not str(proxy).lower().startswith("socks"):
            manager.pool_classes_by_scheme = _POOLS
        return manager
