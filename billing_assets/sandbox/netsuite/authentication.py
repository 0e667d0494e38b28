"""Who may call: OAuth 2.0 client credentials with a certificate, and token-based authentication (OAuth 1.0a).

Every check is real. What exactly was wrong goes to the sandbox's log; the caller gets NetSuite's one answer.
"""

import base64
import hashlib
import hmac
import logging
import re
import secrets
import time
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import parse_qsl, quote, unquote

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from starlette.requests import Request

from billing_assets.sandbox.netsuite import errors
from billing_assets.sandbox.netsuite.credentials import Credentials
from billing_assets.sandbox.netsuite.store import Store

TOKEN_PATH = "/services/rest/auth/oauth2/v1/token"  # noqa: S105  an address
_ALGORITHMS = ("PS256", "PS384", "PS512", "ES256", "ES384", "ES512")
_ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_LONGEST_ASSERTION_SECONDS = 3600
_PARAMETER = re.compile(r'\s*([A-Za-z_]+)="([^"]*)"\s*(?:,|$)')
_log = logging.getLogger(__name__)


class TokenRefusedError(Exception):
    """The token endpoint says no. `status` and `error` as OAuth 2.0 names them."""

    def __init__(self, status: int, error: str, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.error = error


class Authentication:
    """The issued bearer tokens, the nonces that were used, and the checks."""

    def __init__(self, credentials: Credentials, store: Store) -> None:
        self._credentials = credentials
        self._store = store
        key = load_pem_private_key(credentials.private_key_file.read_bytes(), None)
        if not isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
            raise TypeError(f"{credentials.private_key_file} must hold an EC or RSA key")
        self._public_key = key.public_key()
        store.write("DELETE FROM token WHERE expires_at < ?", (time.time(),))
        self._tokens: dict[str, float] = dict(store.connection.execute("SELECT digest, expires_at FROM token"))
        self._nonces: set[tuple[int, str]] = set()
        self._nonces_swept = time.time()

    def issue(self, form: Mapping[str, str], token_url: str, lifetime_seconds: float) -> dict[str, Any]:
        """A bearer token for a valid client assertion. Raises TokenRefusedError."""
        if form.get("grant_type") != "client_credentials":
            raise TokenRefusedError(400, "unsupported_grant_type", "grant_type must be client_credentials")
        if form.get("client_assertion_type") != _ASSERTION_TYPE or not form.get("client_assertion"):
            raise TokenRefusedError(400, "invalid_request", "client_assertion or its type is missing or wrong")
        self._check_assertion(form["client_assertion"], token_url)
        token = secrets.token_urlsafe(48)
        digest, expires = _digest(token), time.time() + lifetime_seconds
        self._tokens[digest] = expires
        self._store.write("INSERT INTO token VALUES (?, ?)", (digest, expires))
        return {"access_token": token, "expires_in": str(int(lifetime_seconds)), "token_type": "Bearer"}

    def check(self, request: Request, skew_seconds: float) -> None:
        """Let the request pass, or raise NetSuiteError 401."""
        header = request.headers.get("authorization", "")
        scheme, _, rest = header.partition(" ")
        reason = "no Authorization header"
        if scheme.lower() == "bearer":
            expires = self._tokens.get(_digest(rest.strip()))
            if expires is not None and expires > time.time():
                return
            reason = "bearer token unknown" if expires is None else "bearer token expired"
        elif scheme.lower() == "oauth":
            problem = self._oauth1_problem(request, rest, skew_seconds)
            if problem is None:
                return
            reason = problem
        _log.warning("401 for %s %s: %s", request.method, request.url.path, reason)
        raise errors.invalid_login()

    def challenge(self, authorization: str) -> str:
        """The WWW-Authenticate header of a 401."""
        scheme, error = (
            ("OAuth", "token_rejected") if authorization[:6].lower() == "oauth " else ("Bearer", "invalid_token")
        )
        return (
            f'{scheme} realm="{self._credentials.account}", error="{error}", error_description="Invalid login attempt."'
        )

    def _check_assertion(self, assertion: str, token_url: str) -> None:
        try:
            header = jwt.get_unverified_header(assertion)
            if header.get("alg") not in _ALGORITHMS:
                raise TokenRefusedError(401, "invalid_client", f"alg must be one of {', '.join(_ALGORITHMS)}")
            if header.get("kid") != self._credentials.certificate_id:
                raise TokenRefusedError(401, "invalid_client", "kid is not the certificate's id")
            claims = jwt.decode(
                assertion,
                self._public_key,
                algorithms=[header["alg"]],
                audience=token_url,
                issuer=self._credentials.client_id,
                options={"require": ["iss", "aud", "iat", "exp"]},
            )
        except (jwt.PyJWTError, TypeError, ValueError) as error:
            raise TokenRefusedError(401, "invalid_client", f"client assertion: {error}") from error
        if claims["exp"] - claims["iat"] > _LONGEST_ASSERTION_SECONDS:
            raise TokenRefusedError(401, "invalid_client", "exp is more than 60 minutes after iat")
        scope = claims.get("scope")
        scopes = scope if isinstance(scope, list) else re.split(r"[ ,]+", str(scope or ""))
        if "rest_webservices" not in scopes:
            raise TokenRefusedError(401, "invalid_client", "scope lacks rest_webservices")

    def _oauth1_problem(self, request: Request, header: str, skew_seconds: float) -> str | None:
        """What is wrong with an OAuth 1.0a header, or None. A good one uses its nonce up."""
        parameters = {unquote(k): unquote(v) for k, v in _PARAMETER.findall(header)}
        own = self._credentials
        expected = {
            "realm": own.account.upper().replace("-", "_"),
            "oauth_consumer_key": own.consumer_key,
            "oauth_token": own.token_id,
            "oauth_signature_method": "HMAC-SHA256",
            "oauth_version": "1.0",
        }
        for name, value in expected.items():
            if {"oauth_version": "1.0", **parameters}.get(name) != value:  # the version may be left out
                return f"{name} is missing or wrong"
        nonce, timestamp = parameters.get("oauth_nonce", ""), parameters.get("oauth_timestamp", "")
        if not nonce or not (timestamp.isascii() and timestamp.isdigit()):
            return "oauth_nonce or oauth_timestamp is missing"
        now = time.time()
        if abs(now - int(timestamp)) > skew_seconds:
            return "oauth_timestamp is too far from the server's clock"
        if (int(timestamp), nonce) in self._nonces:
            return "oauth_nonce was used before with this timestamp"
        signed = [(k, v) for k, v in parameters.items() if k not in {"realm", "oauth_signature"}]
        signed += parse_qsl(request.url.query, keep_blank_values=True)
        base = signature_base(request.method, base_url(request) + request.scope["raw_path"].decode("ascii"), signed)
        key = f"{_encode(own.consumer_secret)}&{_encode(own.token_secret)}".encode()
        signature = base64.b64encode(hmac.digest(key, base.encode(), hashlib.sha256)).decode()
        if not hmac.compare_digest(signature, parameters.get("oauth_signature", "")):
            return "oauth_signature does not match"
        if now - self._nonces_swept > skew_seconds:
            self._nonces = {entry for entry in self._nonces if abs(now - entry[0]) <= skew_seconds}
            self._nonces_swept = now
        self._nonces.add((int(timestamp), nonce))
        return None


def base_url(request: Request) -> str:
    """Scheme, host and port as the request names them, default ports left out (RFC 5849, 3.4.1.2)."""
    scheme, host = request.url.scheme, request.headers.get("host", "").lower()
    default = ":443" if scheme == "https" else ":80"
    return f"{scheme}://{host.removesuffix(default)}"


def signature_base(method: str, url: str, parameters: Iterable[tuple[str, str]]) -> str:
    """The OAuth 1.0a signature base string (RFC 5849, 3.4.1)."""
    pairs = sorted((_encode(k), _encode(v)) for k, v in parameters)
    return "&".join((method.upper(), _encode(url), _encode("&".join(f"{k}={v}" for k, v in pairs))))


def _encode(text: str) -> str:
    return quote(text, safe="-._~")


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
