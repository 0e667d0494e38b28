"""Logging in to NetSuite: OAuth 2.0 client credentials with a certificate, and token-based (OAuth 1.0a).

`authenticator(settings)` gives what signs a request. Secrets stay inside and reach no log and no message.
"""

import json
import os
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import jwt
import requests
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from pydantic import SecretStr
from requests.auth import AuthBase
from requests_oauthlib import OAuth1

from billing_assets.erp.netsuite.errors import (
    Mask,
    NetSuiteAnswerUnreadable,
    NetSuiteError,
    NetSuiteLoginRefused,
    NetSuiteUnavailable,
    clean,
    read_error,
)
from billing_assets.erp.netsuite.wire import (
    BrokenExchangeError,
    Exchange,
    NetSuiteSettingsError,
    NotSentError,
    Wire,
    account_of,
    base_url,
    variable,
)
from billing_assets.erp.settings import NetSuiteSettings
from billing_assets.foundation.settings import readable_by_others

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey

TOKEN_PATH = "/services/rest/auth/oauth2/v1/token"  # noqa: S105 - an address
_ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_ASSERTION_SECONDS = 300
_CLOCK_AHEAD_SECONDS = 10  # a clock ahead of NetSuite's must not make the assertion one from the future
_RENEW_BEFORE_SECONDS = 120
_LONGEST_TOKEN_SECONDS = 3600.0
_CURVES = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512"}


def authenticator(settings: NetSuiteSettings) -> AuthBase:
    """What signs requests, by `settings.auth`. Raises NetSuiteSettingsError for what is missing or wrong."""
    if settings.auth == "tba":
        return _token_based(settings)
    return BearerAuth(settings)


def _token_based(settings: NetSuiteSettings) -> AuthBase:
    names = ("consumer_key", "consumer_secret", "token_id", "token_secret")
    _require(settings, *names)
    consumer_key, consumer_secret, token_id, token_secret = (_secret(settings, name) for name in names)
    return OAuth1(
        consumer_key,
        client_secret=consumer_secret,
        resource_owner_key=token_id,
        resource_owner_secret=token_secret,
        signature_method="HMAC-SHA256",
        realm=account_of(settings),
    )


class BearerAuth(AuthBase):
    """Adds a bearer token, fetched by a signed assertion, kept until shortly before it expires.

    One instance serves all threads; one of them fetches, the others wait for it. Raises NetSuiteError where no token
    can be had: then the request was not sent.
    """

    def __init__(self, settings: NetSuiteSettings) -> None:
        _require(settings, "client_id", "certificate_id", "private_key_file")
        self._base_url = base_url(settings)
        self._client_id = _secret(settings, "client_id")
        self._certificate_id = settings.certificate_id
        self._key = read_private_key(settings.private_key_file or Path())
        self._timeout = settings.timeout_seconds
        self._lock = threading.Lock()
        self._header: str | None = None
        self._renew_at = 0.0
        self._failure: NetSuiteError | None = None
        self._failed_at = 0.0

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = self._authorization()
        return request

    def forget(self, authorization: str | None) -> None:
        """NetSuite refused the token of this header: the next request fetches a new one, if no other did already."""
        with self._lock:
            if self._header == authorization:
                self._header = None

    def _authorization(self) -> str:
        header = self._header
        if header is not None and time.monotonic() < self._renew_at:
            return header
        asked_at = time.monotonic()
        with self._lock:
            if self._header is not None and time.monotonic() < self._renew_at:
                return self._header
            if self._failure is not None and self._failed_at > asked_at:
                raise self._failure.with_traceback(None)  # all who waited for the same failed fetch
            try:
                token, lifetime = self._fetch()
            except NetSuiteError as failure:
                self._failure, self._failed_at = failure, time.monotonic()
                raise
            self._failure = None
            self._header = f"Bearer {token}"
            self._renew_at = time.monotonic() + lifetime - min(_RENEW_BEFORE_SECONDS, lifetime / 4)
            return self._header

    def _fetch(self) -> tuple[str, float]:
        """A token and its life in seconds."""
        url = self._base_url + TOKEN_PATH
        form = {
            "grant_type": "client_credentials",
            "client_assertion_type": _ASSERTION_TYPE,
            "client_assertion": self._assertion(url),
        }
        request = requests.Request("POST", url, data=form, headers={"Accept": "application/json"}).prepare()
        wire = Wire(url, self._timeout)
        try:
            answer = wire.exchange(request, 65_536)
        except (NotSentError, BrokenExchangeError) as error:
            raise NetSuiteUnavailable(f"NetSuite's login cannot be reached: {error}", detail=str(error)) from error
        finally:
            wire.close()
        return _token(answer, without([form["client_assertion"], self._client_id]))

    def _assertion(self, url: str) -> str:
        now = int(time.time()) - _CLOCK_AHEAD_SECONDS
        claims = {
            "iss": self._client_id,
            "scope": ["rest_webservices"],
            "aud": url,
            "iat": now,
            "exp": now + _ASSERTION_SECONDS,
        }
        headers = {"kid": self._certificate_id, "typ": "JWT"}
        return jwt.encode(claims, self._key, algorithm=signing_algorithm(self._key), headers=headers)


def secrets_of(settings: NetSuiteSettings) -> list[str]:
    """The secrets that a request carries, to be kept out of messages about its answer."""
    names = ("client_id", "consumer_key", "consumer_secret", "token_id", "token_secret")
    return [secret for name in names if (secret := _secret(settings, name))]


def without(secrets: Sequence[str]) -> Mask:
    """Takes the secrets of a request, which some servers repeat, out of a text."""

    def mask(text: str) -> str:
        for secret in secrets:
            text = text.replace(secret, "***")
        return text

    return mask


def _token(answer: Exchange, mask: Mask) -> tuple[str, float]:
    if not answer.complete:
        message = "NetSuite's answer to the login was cut off"
        raise NetSuiteUnavailable(message, http_status=answer.status, detail=message)
    try:
        fields = json.loads(answer.body)
    except (ValueError, RecursionError):
        fields = None
    fields = fields if isinstance(fields, dict) else {}
    if answer.status == 200:
        token, expires = fields.get("access_token"), fields.get("expires_in", 3600)
        if isinstance(token, str) and token.isascii() and token.isprintable() and token:
            try:
                return token, min(max(1.0, float(expires)), _LONGEST_TOKEN_SECONDS)
            except (TypeError, ValueError, OverflowError):
                return token, _LONGEST_TOKEN_SECONDS
        raise NetSuiteAnswerUnreadable(
            f"NetSuite's login answered without a token. Check {variable('base_url')}.", http_status=200
        )
    if answer.status in {400, 401, 403}:
        said = [value for name in ("error", "error_description") if isinstance(value := fields.get(name), str)]
        code = clean(mask(said[0]), 100) if said else ""
        detail = (clean(mask(said[-1]), 300) if said else "") or f"HTTP {answer.status}"
        raise NetSuiteLoginRefused(
            f"NetSuite refused the login ({detail}). Check {variable('client_id')}, {variable('certificate_id')}, "
            f"{variable('private_key_file')}, that the certificate has not expired, and this machine's clock.",
            http_status=answer.status,
            code=code,
            detail=detail,
        )
    raise read_error(answer.status, answer.headers, answer.body, "the login", mask)


def signing_algorithm(key: PrivateKey) -> str:
    """The JWT algorithm that NetSuite takes for this key: PS256, ES256, ES384 or ES512. Raises ValueError."""
    if isinstance(key, rsa.RSAPrivateKey):
        if key.key_size < 3072:
            raise ValueError(f"the RSA key has {key.key_size} bits; NetSuite takes 3072 or 4096")
        return "PS256"
    if key.curve.name not in _CURVES:
        raise ValueError(f"the key's curve is {key.curve.name}; NetSuite takes P-256, P-384 and P-521")
    return _CURVES[key.curve.name]


def read_private_key(file: Path) -> PrivateKey:
    """The key of a PEM file that only its owner may read. Raises NetSuiteSettingsError."""
    name = variable("private_key_file")

    def wrong(reason: str) -> NetSuiteSettingsError:
        return NetSuiteSettingsError(f"{name}={file}: {reason}", "private_key_file")

    try:
        with file.open("rb") as opened:
            facts = os.fstat(opened.fileno())
            content = opened.read(65_536)
    except OSError as error:
        raise wrong(f"cannot be read ({error.strerror}).") from error
    if readable_by_others(facts):
        raise wrong(f"others than its owner can read this private key. Run: chmod 600 {file}")
    try:
        key = load_pem_private_key(content, password=None)
    except TypeError as error:
        raise wrong("the key has a passphrase. Store it without one; the file's mode protects it.") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise wrong("this is no private key in PEM form (the certificate belongs to NetSuite only).") from error
    if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        raise wrong("NetSuite takes RSA (3072, 4096 bits) and EC keys only.")
    try:
        signing_algorithm(key)
    except ValueError as error:
        raise wrong(f"{error}.") from error
    return key


def _require(settings: NetSuiteSettings, *names: str) -> None:
    missing = [name for name in names if not _secret(settings, name)]
    if missing:
        variables = ", ".join(variable(name) for name in missing)
        raise NetSuiteSettingsError(
            f"{variables} {'is' if len(missing) == 1 else 'are'} not set; {variable('auth')}={settings.auth} needs "
            f"{'it' if len(missing) == 1 else 'them'}.",
            *missing,
        )


def _secret(settings: NetSuiteSettings, name: str) -> str:
    value: SecretStr | Path | str | None = getattr(settings, name)
    if isinstance(value, SecretStr):
        return value.get_secret_value().strip()
    return "" if value is None else str(value).strip()
